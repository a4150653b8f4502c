"""The blocking client."""

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import httpx2

from markethub.client import calls
from markethub.client.answers import (
    AccountPage,
    ExecutionAnswer,
    ExecutionDetailAnswer,
    HolePage,
    LimitPage,
    LogPage,
    QueuedAnswer,
    SeriesPage,
)
from markethub.client.audit import Audit
from markethub.client.backfills import Backfills
from markethub.client.calls import Call, Moment
from markethub.client.connection import connection_options, request_options
from markethub.client.discovery import Endpoint, find_endpoint
from markethub.client.exports import Exports
from markethub.client.failures import Attempts, error_of, unreachable
from markethub.client.following import Following
from markethub.client.frames import TableForm, convert_table
from markethub.client.jobs import Jobs
from markethub.client.nodes import Nodes
from markethub.client.records import RecordReader
from markethub.client.subscriptions import Subscriptions
from markethub.domain.errors import MarketHubError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Answer = TypeVar("Answer")


class DataHub(Backfills, Jobs, Subscriptions, Audit, Following, Exports, Nodes):
    """Talks to one MarketHub server; may be shared by threads.

    Without ``url`` and ``token`` it looks in ``MARKETHUB_URL`` and ``MARKETHUB_TOKEN``, then for a server on
    this machine. It connects at its first call, and after ``close`` at the next one. Every method raises the
    errors of ``markethub.domain.errors``; reading calls, and backfills with an ``idempotency_key``, are
    repeated a few times while the server is away, others never, since nobody could tell whether the first one
    was carried out. ``timeout_s`` is how long the server may be silent, at most 5 s of it until it takes the
    connection; an answer that keeps coming may take longer.
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, timeout_s: float = 60.0) -> None:
        self._given = (url, token)
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._open: tuple[Endpoint, httpx2.Client] | None = None
        self.symbols = RecordReader("symbols", self._send)
        self.tickers = RecordReader("tickers", self._send)
        self.orderbooks = RecordReader("orderbooks", self._send)
        self.balances = RecordReader("balances", self._send)
        self.orders = RecordReader("orders", self._send)
        self.fills = RecordReader("fills", self._send)
        self.transfers = RecordReader("transfers", self._send)
        self.rejects = RecordReader("rejects", self._send)

    def list_logs(
        self,
        job_id: str | None = None,
        *,
        level: str | None = None,
        search: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        before: Moment | None = None,
        after: Moment | None = None,
        order_desc: bool | None = None,
    ) -> LogPage:
        """Return a page of log rows, oldest first; ``job_id`` is a trace id, a job's name or an id."""
        return self._send(
            calls.list_logs(
                job_id=job_id,
                level=level,
                search=search,
                limit=limit,
                offset=offset,
                before=before,
                after=after,
                order_desc=order_desc,
            )
        )

    def get_execution(
        self,
        execution_id: str | int,
        *,
        chunk_status: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> ExecutionDetailAnswer:
        """Return one execution by its id or trace id, with a page of its chunks (units of work) by key.

        ``chunk_status`` (PENDING, RUNNING, DONE, FAILED), ``limit`` (50) and ``offset`` choose among those.
        """
        return self._send(
            calls.get_execution(execution_id, chunk_status=chunk_status, limit=limit, offset=offset)
        )

    def retry_execution(self, execution_id: str | int) -> QueuedAnswer:
        """Queue the job of an execution that ended as FAILURE or TIMEOUT again, with its parameters.

        What is stored is not fetched again. ConflictError when it has not ended, or nothing of it failed.
        """
        return self._send(calls.retry_execution(execution_id))

    def cancel_execution(self, execution_id: str | int) -> ExecutionAnswer:
        """Ask for an execution's end; what it stored stays."""
        return self._send(calls.cancel_execution(execution_id))

    @overload
    def klines(
        self,
        symbol: str,
        interval: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        limit: int | None = None,
        as_: Literal["arrow"] = "arrow",
    ) -> "pa.Table": ...
    @overload
    def klines(
        self,
        symbol: str,
        interval: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        limit: int | None = None,
        as_: Literal["pandas"],
    ) -> "pd.DataFrame": ...
    @overload
    def klines(
        self,
        symbol: str,
        interval: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        limit: int | None = None,
        as_: Literal["polars"],
    ) -> "pl.DataFrame": ...
    def klines(
        self,
        symbol: str,
        interval: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        limit: int | None = None,
        as_: TableForm = "arrow",
    ) -> Any:
        """Return the stored bars with ``start <= open_time < end``, ascending, in the columns of KLINES.

        ``limit`` keeps the first bars from a given start, else the newest ones.
        """
        table = self._send(calls.read_klines(symbol, interval, start=start, end=end, limit=limit))
        return convert_table(table, as_)

    def series(self) -> SeriesPage:
        """Return every stored series, ascending by symbol and interval."""
        return self._send(calls.list_series())

    def holes(
        self, symbol: str, interval: str, start: Moment | None = None, end: Moment | None = None
    ) -> HolePage:
        """Return the runs of bars that are not stored, ascending, each with the reason."""
        return self._send(calls.find_holes(symbol, interval, start=start, end=end))

    def accounts(self) -> AccountPage:
        """Return the configured accounts, and what their keys were found to be."""
        return self._send(calls.list_accounts())

    def limits(self) -> LimitPage:
        """Return what the exchanges allow the hub, what was used of it, and what waits."""
        return self._send(calls.list_limits())

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | list[str]] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        """Send a request that has no method of its own here, such as ``"GET", "/api/v1/tools"``.

        Returns the JSON object of the answer; an array as its ``data``, as most lists of the hub come.
        One with a ``timeout_s`` of its own is sent once.
        """
        return self._send(calls.request(method, path, query, body, timeout_s))

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            opened, self._open = self._open, None
        if opened is not None:
            opened[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _connect(self) -> tuple[Endpoint, httpx2.Client]:
        with self._lock:
            if self._open is None:
                endpoint = find_endpoint(*self._given)
                client = httpx2.Client(**connection_options(endpoint, self._timeout_s))
                self._open = (endpoint, client)
            return self._open

    def _send(self, call: Call[Answer]) -> Answer:
        attempts = Attempts(safe=call.safe)
        while True:
            try:
                return self._send_once(call)
            except MarketHubError as error:
                delay_s = attempts.delay_s_after(error)
            time.sleep(delay_s)

    def _send_once(self, call: Call[Answer]) -> Answer:
        endpoint, client = self._connect()
        try:
            with client.stream(**request_options(endpoint, call)) as response:
                if not response.is_success:
                    raise error_of(response)
                return call.read(response)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise unreachable(endpoint.url, error) from error
