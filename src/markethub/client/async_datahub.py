"""The asyncio client."""

import asyncio
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
from markethub.client.audit import AsyncAudit
from markethub.client.backfills import AsyncBackfills
from markethub.client.calls import Call, Moment
from markethub.client.connection import connection_options, request_options
from markethub.client.discovery import Endpoint, find_endpoint
from markethub.client.exports import AsyncExports
from markethub.client.failures import Attempts, error_of, unreachable
from markethub.client.following import AsyncFollowing
from markethub.client.frames import TableForm, convert_table
from markethub.client.jobs import AsyncJobs
from markethub.client.nodes import AsyncNodes
from markethub.client.records import AsyncRecordReader
from markethub.client.subscriptions import AsyncSubscriptions
from markethub.client.tables import collect
from markethub.domain.errors import MarketHubError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Answer = TypeVar("Answer")


class AsyncDataHub(
    AsyncBackfills, AsyncJobs, AsyncSubscriptions, AsyncAudit, AsyncFollowing, AsyncExports, AsyncNodes
):
    """The asyncio twin of DataHub: the same calls, answers and errors.

    It belongs to the event loop of its first call; close it there.
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, timeout_s: float = 60.0) -> None:
        self._given = (url, token)
        self._timeout_s = timeout_s
        self._open: tuple[Endpoint, httpx2.AsyncClient] | None = None
        self.symbols = AsyncRecordReader("symbols", self._send)
        self.tickers = AsyncRecordReader("tickers", self._send)
        self.orderbooks = AsyncRecordReader("orderbooks", self._send)
        self.balances = AsyncRecordReader("balances", self._send)
        self.orders = AsyncRecordReader("orders", self._send)
        self.fills = AsyncRecordReader("fills", self._send)
        self.transfers = AsyncRecordReader("transfers", self._send)
        self.rejects = AsyncRecordReader("rejects", self._send)

    async def list_logs(
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
        """As DataHub.list_logs."""
        return await self._send(
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

    async def get_execution(
        self,
        execution_id: str | int,
        *,
        chunk_status: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> ExecutionDetailAnswer:
        """As DataHub.get_execution."""
        return await self._send(
            calls.get_execution(execution_id, chunk_status=chunk_status, limit=limit, offset=offset)
        )

    async def retry_execution(self, execution_id: str | int) -> QueuedAnswer:
        """As DataHub.retry_execution."""
        return await self._send(calls.retry_execution(execution_id))

    async def cancel_execution(self, execution_id: str | int) -> ExecutionAnswer:
        """As DataHub.cancel_execution."""
        return await self._send(calls.cancel_execution(execution_id))

    @overload
    async def klines(
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
    async def klines(
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
    async def klines(
        self,
        symbol: str,
        interval: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        limit: int | None = None,
        as_: Literal["polars"],
    ) -> "pl.DataFrame": ...
    async def klines(
        self,
        symbol: str,
        interval: str,
        start: Moment | None = None,
        end: Moment | None = None,
        *,
        limit: int | None = None,
        as_: TableForm = "arrow",
    ) -> Any:
        """As DataHub.klines."""
        table = await self._send(calls.read_klines(symbol, interval, start=start, end=end, limit=limit))
        return convert_table(table, as_)

    async def series(self) -> SeriesPage:
        """As DataHub.series."""
        return await self._send(calls.list_series())

    async def holes(
        self, symbol: str, interval: str, start: Moment | None = None, end: Moment | None = None
    ) -> HolePage:
        """As DataHub.holes."""
        return await self._send(calls.find_holes(symbol, interval, start=start, end=end))

    async def accounts(self) -> AccountPage:
        """As DataHub.accounts."""
        return await self._send(calls.list_accounts())

    async def limits(self) -> LimitPage:
        """As DataHub.limits."""
        return await self._send(calls.list_limits())

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | list[str]] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        """As DataHub.request."""
        return await self._send(calls.request(method, path, query, body, timeout_s))

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened[1].aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _connect(self) -> tuple[Endpoint, httpx2.AsyncClient]:
        if self._open is None:
            endpoint = find_endpoint(*self._given)
            client = httpx2.AsyncClient(**connection_options(endpoint, self._timeout_s))
            self._open = (endpoint, client)
        return self._open

    async def _send(self, call: Call[Answer]) -> Answer:
        attempts = Attempts(safe=call.safe)
        while True:
            try:
                return await self._send_once(call)
            except MarketHubError as error:
                delay_s = attempts.delay_s_after(error)
            await asyncio.sleep(delay_s)

    async def _send_once(self, call: Call[Answer]) -> Answer:
        endpoint, client = self._connect()
        try:
            async with client.stream(**request_options(endpoint, call)) as arriving:
                response = await collect(arriving)
            if not response.is_success:
                raise error_of(response)
            # decoding a table would hold up the loop
            return await asyncio.to_thread(call.read, response) if call.brings_table else call.read(response)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise unreachable(endpoint.url, error) from error
