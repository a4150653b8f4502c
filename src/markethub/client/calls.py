"""The request core: what is sent for each call, how its answer is read. No I/O, so both clients share it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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
from markethub.domain.errors import InputError
from markethub.domain.request_key import check_request_key
from markethub.domain.times import format_time, to_ms

if TYPE_CHECKING:
    import pyarrow as pa

_ARROW = "application/vnd.apache.arrow.stream"

Answer = TypeVar("Answer")
Mode = Literal["missing", "all", "failed"]
Moment = str | datetime
"""ISO 8601 text, or a datetime; a naive one means UTC."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request and the reader of its successful answer; only a ``safe`` one may be sent again.

    That is one which reads, or which the hub would know again by its key.
    """

    method: str
    path: str
    read: Callable[[httpx2.Response], Answer]
    query: Mapping[str, str | int | list[str]] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    accept: str = "application/json"
    request_key: str | None = None
    changes: bool = True

    @property
    def safe(self) -> bool:
        return self.method == "GET" or self.request_key is not None or not self.changes

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
    body = _given(
        **{name: _listed(values, name) for name, values in lists.items()},
        **{
            name: _write_time(value) if isinstance(value, datetime) else value
            for name, value in fields.items()
        },
        **extras.fields,
    )
    # A dry run changes nothing, so that it may be sent again as well.
    return Call(
        "POST",
        f"/api/v1/backfill/{what}",
        _read_json,
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
    query = _given(
        search=search, limit=limit, offset=offset, order_by=order_by, order_desc=_write_bool(order_desc)
    )
    return Call("GET", "/api/v1/jobs", _read_json, query=query)


def get_job(job_id: str | int) -> Call[JobAnswer]:
    return Call("GET", _job_path(job_id), _read_json)


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
    query = _given(
        search=search,
        limit=limit,
        offset=offset,
        order_by=order_by,
        order_desc=_write_bool(order_desc),
        before=_write_time(before),
        after=_write_time(after),
    )
    path = "/api/v1/jobs/executions" if job_id is None else f"{_job_path(job_id)}/executions"
    return Call("GET", path, _read_json, query=query)


def get_job_statistics(
    job_id: str | int, *, since: Moment | None, until: Moment | None
) -> Call[JobStatisticsAnswer]:
    query = _given(since=_write_time(since), until=_write_time(until))
    return Call("GET", f"{_job_path(job_id)}/statistics", _read_json, query=query)


def export_executions(
    *,
    format_name: str,
    job_id: str | int | None,
    search: str | None,
    before: Moment | None,
    after: Moment | None,
) -> Call[None]:
    """Its answer is read as it comes, by who asked."""
    query = _given(
        job_id=None if job_id is None else str(job_id),
        search=search,
        before=_write_time(before),
        after=_write_time(after),
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
    query = _given(
        job_id=job_id,
        level=level,
        search=search,
        limit=limit,
        offset=offset,
        before=_write_time(before),
        after=_write_time(after),
        order_desc=_write_bool(order_desc),
    )
    return Call("GET", "/api/v1/logs", _read_json, query=query)


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
    query = _given(
        token=token,
        action=action,
        limit=limit,
        offset=offset,
        before=_write_time(before),
        after=_write_time(after),
        order_desc=_write_bool(order_desc),
    )
    return Call("GET", "/api/v1/audit", _read_json, query=query)


def get_execution(
    execution_id: str | int,
    *,
    chunk_status: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Call[ExecutionDetailAnswer]:
    query = _given(status=chunk_status, limit=limit, offset=offset)
    return Call("GET", _execution_path(execution_id), _read_json, query=query)


def retry_execution(execution_id: str | int) -> Call[QueuedAnswer]:
    return Call("POST", f"{_execution_path(execution_id)}/retry", _read_json)


def cancel_execution(execution_id: str | int) -> Call[ExecutionAnswer]:
    return Call("POST", f"{_execution_path(execution_id)}/cancel", _read_json)


def read_klines(
    symbol: str, interval: str, *, start: Moment | None, end: Moment | None, limit: int | None
) -> "Call[pa.Table]":
    query = _given(
        symbol=symbol, interval=interval, start=_write_time(start), end=_write_time(end), limit=limit
    )
    return Call("GET", "/api/v1/klines", _read_table, query={**query, "format": "arrow"}, accept=_ARROW)


def list_series() -> Call[SeriesPage]:
    return Call("GET", "/api/v1/series", _read_json)


def find_holes(symbol: str, interval: str, *, start: Moment | None, end: Moment | None) -> Call[HolePage]:
    query = _given(symbol=symbol, interval=interval, start=_write_time(start), end=_write_time(end))
    return Call("GET", "/api/v1/klines/holes", _read_json, query=query)


def read_records(table: str, filters: Mapping[str, object]) -> "Call[pa.Table]":
    query = {**_write_filters(filters), "format": "arrow"}
    return Call("GET", f"/api/v1/{table}", _read_table, query=query, accept=_ARROW)


def page_records(table: str, filters: Mapping[str, object]) -> Call[RecordPage]:
    query = {**_write_filters(filters), "format": "json"}
    return Call("GET", f"/api/v1/{table}", _read_json, query=query)


def list_accounts() -> Call[AccountPage]:
    return Call("GET", "/api/v1/accounts", _read_json)


def request(
    method: str, path: str, query: Mapping[str, str | list[str]] | None, body: Mapping[str, Any] | None
) -> Call[dict[str, Any]]:
    return Call(method, path, _read_json, query=query or {}, body=body)


def list_subscriptions(
    *,
    exchange: str | None,
    search: str | None,
    limit: int | None,
    offset: int | None,
    order_by: str | None,
    order_desc: bool | None,
) -> Call[SubscriptionPage]:
    query = _given(
        exchange=exchange,
        search=search,
        limit=limit,
        offset=offset,
        order_by=order_by,
        order_desc=_write_bool(order_desc),
    )
    return Call("GET", "/api/v1/subscriptions", _read_json, query=query)


def set_subscriptions(
    exchange: str, *, symbols: Sequence[str] | None, rule: Mapping[str, Any] | None
) -> Call[SubscriptionUpdateAnswer]:
    body = _given(symbols=_listed(symbols, "symbols"), rule=None if rule is None else dict(rule))
    path = f"/api/v1/subscriptions/{quote(exchange, safe='')}"
    return Call("PUT", path, _read_json, body=body)


def list_limits() -> Call[LimitPage]:
    return Call("GET", "/api/v1/limits", _read_json)


def _write_filters(filters: Mapping[str, object]) -> dict[str, Any]:
    return {name: _write_filter(value) for name, value in filters.items() if value is not None}


def _write_filter(value: object) -> object:
    match value:
        case bool():
            return _write_bool(value)
        case datetime():
            return _write_time(value)
        case str() | int():
            return value
        case Sequence():
            return [str(one) for one in value]
    raise InputError(f"a filter cannot be {type(value).__name__}")


def _job_path(job_id: str | int) -> str:
    return f"/api/v1/jobs/{quote(str(job_id), safe='')}"


def _execution_path(execution_id: str | int) -> str:
    return f"/api/v1/executions/{quote(str(execution_id), safe='')}"


def _given(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _listed(values: Sequence[str] | None, name: str) -> list[str] | None:
    if isinstance(values, str):
        # A string is a sequence of strings too, and "BTC" would be asked for letter by letter.
        raise InputError(f"{name} takes a list of strings, not the string {values!r}")
    return None if values is None else list(values)


def _write_time(moment: Moment | None) -> str | None:
    return format_time(to_ms(moment)) if isinstance(moment, datetime) else moment


def _write_bool(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _read_json(response: httpx2.Response) -> Any:  # noqa: ANN401  (each call names its shape)
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise not_a_hub(response) from error
    if not isinstance(found, dict):
        raise not_a_hub(response)
    return found


def _read_table(response: httpx2.Response) -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415  (heavy; only who reads bars pays)

    try:
        with pa.ipc.open_stream(pa.py_buffer(response.content)) as reader:
            return reader.read_all()
    except pa.ArrowInvalid as error:
        raise not_a_hub(response) from error
