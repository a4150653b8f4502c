"""The request core: what is sent for each call, how its answer is read. No I/O, so both clients share it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from urllib.parse import quote

import httpx2
import orjson

from markethub.client.answers import (
    AccountPage,
    AuditPage,
    ExecutionAnswer,
    ExecutionDetailAnswer,
    ExecutionPage,
    HolePage,
    JobAnswer,
    JobPage,
    JobStatisticsAnswer,
    LimitPage,
    LogPage,
    QueuedAnswer,
    RecordPage,
    SeriesPage,
    SubscriptionPage,
    SubscriptionUpdateAnswer,
)
from markethub.client.failures import not_a_hub
from markethub.client.tables import ARROW, read_table
from markethub.domain.errors import InputError
from markethub.domain.request_key import check_request_key
from markethub.domain.times import format_time, to_ms

if TYPE_CHECKING:
    import pyarrow as pa


Answer = TypeVar("Answer")
Mode = Literal["missing", "all", "failed"]
Moment = str | datetime
"""ISO 8601 text, or a datetime; a naive one means UTC."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request and the reader of its successful answer, which is still to be received.

    Only a ``safe`` one may be sent again: one which reads, or which the hub would know again by its key.
    ``silence_s`` is how long the hub may be silent where that is not the client's usual time; such a one is
    sent once.
    """

    method: str
    path: str
    read: Callable[[httpx2.Response], Answer]
    query: Mapping[str, str | int | list[str]] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    accept: str = "application/json"
    request_key: str | None = None
    changes: bool = True
    silence_s: float | None = None

    @property
    def safe(self) -> bool:
        if self.silence_s is not None:
            return False
        return self.method == "GET" or self.request_key is not None or not self.changes

    @property
    def brings_table(self) -> bool:
        """Whether reading the answer may take a while."""
        return self.accept == ARROW

    @property
    def headers(self) -> dict[str, str]:
        named = {} if self.request_key is None else {"Idempotency-Key": self.request_key}
        return {"Accept": self.accept, **named}


@dataclass(frozen=True, slots=True)
class Extras:
    """What any backfill may be told besides; ``request_key`` is the caller's own name for it."""

    fields: Mapping[str, str | int | bool | None]
    request_key: str | None


def extras(mode: Mode | None, priority: int | None, dry_run: bool, idempotency_key: str | None) -> Extras:
    """Collect them; InputError for an ``idempotency_key`` that cannot be sent."""
    return Extras(
        {"mode": mode, "priority": priority, "dry_run": dry_run or None},
        None if idempotency_key is None else check_request_key(idempotency_key),
    )


def queue_backfill(
    what: str,
    lists: Mapping[str, Sequence[str] | None],
    extras: Extras,
    **fields: Moment | int | None,
) -> Call[QueuedAnswer]:
    """Queue a backfill of ``what``, as its path spells it; what is None is left out."""
    body = given(
        **{name: listed(values, name) for name, values in lists.items()},
        **{
            name: write_time(value) if isinstance(value, datetime) else value
            for name, value in fields.items()
        },
        **extras.fields,
    )
    # A dry run changes nothing, so that it may be sent again as well.
    return Call(
        "POST",
        f"/api/v1/backfill/{what}",
        read_json,
        body=body,
        request_key=extras.request_key,
        changes=not extras.fields["dry_run"],
    )


def queue_ledger_backfill(
    what: str,
    accounts: Sequence[str] | None,
    exchanges: Sequence[str] | None,
    symbols: Sequence[str] | None = None,
    *,
    span: tuple[Moment | None, Moment | None],
    extras: Extras,
) -> Call[QueuedAnswer]:
    """Queue a backfill of orders, fills or transfers from the start to the end of ``span``."""
    lists = {"accounts": accounts, "exchanges": exchanges, "symbols": symbols}
    return queue_backfill(what, lists, extras, start_time=span[0], end_time=span[1])


def list_jobs(
    *,
    search: str | None,
    limit: int | None,
    offset: int | None,
    order_by: str | None,
    order_desc: bool | None,
) -> Call[JobPage]:
    query = given(
        search=search, limit=limit, offset=offset, order_by=order_by, order_desc=_write_bool(order_desc)
    )
    return Call("GET", "/api/v1/jobs", read_json, query=query)


def get_job(job_id: str | int) -> Call[JobAnswer]:
    return Call("GET", _job_path(job_id), read_json)


def list_executions(
    *,
    job_id: str | int | None = None,
    search: str | None,
    limit: int | None,
    offset: int | None,
    order_by: str | None,
    order_desc: bool | None,
    before: Moment | None,
    after: Moment | None,
) -> Call[ExecutionPage]:
    query = given(
        search=search,
        limit=limit,
        offset=offset,
        order_by=order_by,
        order_desc=_write_bool(order_desc),
        before=write_time(before),
        after=write_time(after),
    )
    path = "/api/v1/jobs/executions" if job_id is None else f"{_job_path(job_id)}/executions"
    return Call("GET", path, read_json, query=query)


def get_job_statistics(
    job_id: str | int, *, since: Moment | None, until: Moment | None
) -> Call[JobStatisticsAnswer]:
    query = given(since=write_time(since), until=write_time(until))
    return Call("GET", f"{_job_path(job_id)}/statistics", read_json, query=query)


def export_executions(
    *,
    format_name: str,
    job_id: str | int | None,
    search: str | None,
    before: Moment | None,
    after: Moment | None,
) -> Call[None]:
    """Its answer is read as it comes, by who asked."""
    query = given(
        job_id=None if job_id is None else str(job_id),
        search=search,
        before=write_time(before),
        after=write_time(after),
        format=format_name,
    )
    return Call("GET", "/api/v1/executions/export", lambda _response: None, query=query, accept="*/*")


def list_logs(
    *,
    job_id: str | None,
    level: str | None,
    search: str | None,
    limit: int | None,
    offset: int | None,
    before: Moment | None,
    after: Moment | None,
    order_desc: bool | None,
) -> Call[LogPage]:
    query = given(
        job_id=job_id,
        level=level,
        search=search,
        limit=limit,
        offset=offset,
        before=write_time(before),
        after=write_time(after),
        order_desc=_write_bool(order_desc),
    )
    return Call("GET", "/api/v1/logs", read_json, query=query)


def list_audit(
    *,
    token: str | int | None,
    action: str | None,
    limit: int | None,
    offset: int | None,
    before: Moment | None,
    after: Moment | None,
    order_desc: bool | None,
) -> Call[AuditPage]:
    query = given(
        token=token,
        action=action,
        limit=limit,
        offset=offset,
        before=write_time(before),
        after=write_time(after),
        order_desc=_write_bool(order_desc),
    )
    return Call("GET", "/api/v1/audit", read_json, query=query)


def get_execution(
    execution_id: str | int,
    *,
    chunk_status: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Call[ExecutionDetailAnswer]:
    query = given(status=chunk_status, limit=limit, offset=offset)
    return Call("GET", _execution_path(execution_id), read_json, query=query)


def retry_execution(execution_id: str | int) -> Call[QueuedAnswer]:
    return Call("POST", f"{_execution_path(execution_id)}/retry", read_json)


def cancel_execution(execution_id: str | int) -> Call[ExecutionAnswer]:
    return Call("POST", f"{_execution_path(execution_id)}/cancel", read_json)


def read_klines(
    symbol: str, interval: str, *, start: Moment | None, end: Moment | None, limit: int | None
) -> "Call[pa.Table]":
    query = given(symbol=symbol, interval=interval, start=write_time(start), end=write_time(end), limit=limit)
    return Call("GET", "/api/v1/klines", read_table, query={**query, "format": "arrow"}, accept=ARROW)


def list_series() -> Call[SeriesPage]:
    return Call("GET", "/api/v1/series", read_json)


def find_holes(symbol: str, interval: str, *, start: Moment | None, end: Moment | None) -> Call[HolePage]:
    query = given(symbol=symbol, interval=interval, start=write_time(start), end=write_time(end))
    return Call("GET", "/api/v1/klines/holes", read_json, query=query)


def read_records(table: str, filters: Mapping[str, object]) -> "Call[pa.Table]":
    query = {**_write_filters(filters), "format": "arrow"}
    return Call("GET", f"/api/v1/{table}", read_table, query=query, accept=ARROW)


def page_records(table: str, filters: Mapping[str, object]) -> Call[RecordPage]:
    query = {**_write_filters(filters), "format": "json"}
    return Call("GET", f"/api/v1/{table}", read_json, query=query)


def list_accounts() -> Call[AccountPage]:
    return Call("GET", "/api/v1/accounts", read_json)


def request(
    method: str,
    path: str,
    query: Mapping[str, str | list[str]] | None,
    body: Mapping[str, Any] | None,
    timeout_s: float | None,
) -> Call[dict[str, Any]]:
    return Call(method, path, _read_either, query=query or {}, body=body, silence_s=timeout_s)


def list_subscriptions(
    *,
    exchange: str | None,
    search: str | None,
    limit: int | None,
    offset: int | None,
    order_by: str | None,
    order_desc: bool | None,
) -> Call[SubscriptionPage]:
    query = given(
        exchange=exchange,
        search=search,
        limit=limit,
        offset=offset,
        order_by=order_by,
        order_desc=_write_bool(order_desc),
    )
    return Call("GET", "/api/v1/subscriptions", read_json, query=query)


def set_subscriptions(
    exchange: str, *, symbols: Sequence[str] | None, rule: Mapping[str, Any] | None
) -> Call[SubscriptionUpdateAnswer]:
    body = given(symbols=listed(symbols, "symbols"), rule=None if rule is None else dict(rule))
    path = f"/api/v1/subscriptions/{quote(exchange, safe='')}"
    return Call("PUT", path, read_json, body=body)


def list_limits() -> Call[LimitPage]:
    return Call("GET", "/api/v1/limits", read_json)


def _write_filters(filters: Mapping[str, object]) -> dict[str, Any]:
    return {name: _write_filter(value) for name, value in filters.items() if value is not None}


def _write_filter(value: object) -> object:
    match value:
        case bool():
            return _write_bool(value)
        case datetime():
            return write_time(value)
        case str() | int():
            return value
        case Sequence():
            return [str(one) for one in value]
    raise InputError(f"a filter cannot be {type(value).__name__}")


def _job_path(job_id: str | int) -> str:
    return f"/api/v1/jobs/{quote(str(job_id), safe='')}"


def _execution_path(execution_id: str | int) -> str:
    return f"/api/v1/executions/{quote(str(execution_id), safe='')}"


def given(**values: object) -> dict[str, Any]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def listed(values: Sequence[str] | None, name: str) -> list[str] | None:
    """Return a list of its own; InputError for a string, which would be taken letter by letter."""
    if isinstance(values, str):
        raise InputError(f"{name} takes a list of strings, not the string {values!r}")
    return None if values is None else list(values)


def write_time(moment: Moment | None) -> str | None:
    """Return a datetime as ISO 8601, and text as it is."""
    return format_time(to_ms(moment)) if isinstance(moment, datetime) else moment


def _write_bool(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def read_json(response: httpx2.Response) -> Any:  # noqa: ANN401  (each call names its shape)
    """Return the JSON object that the hub answers with; UnavailableError where it is none."""
    return _parse(response, dict)


def _parse(response: httpx2.Response, shape: type | UnionType) -> Any:  # noqa: ANN401
    try:
        found = orjson.loads(response.read())
    except orjson.JSONDecodeError as error:
        raise not_a_hub(response) from error
    if not isinstance(found, shape):
        raise not_a_hub(response)
    return found


def _read_either(response: httpx2.Response) -> dict[str, Any]:
    found = _parse(response, dict | list)
    return {"data": found} if isinstance(found, list) else found


def read_list(response: httpx2.Response) -> Any:  # noqa: ANN401  (each call names its shape)
    """As ``read_json``, of a JSON array."""
    return _parse(response, list)
