"""The calls that read records, one shape for every table, of both clients."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, TypeVar, Unpack, overload

from markethub.client.answers import RecordPage
from markethub.client.calls import Call, Moment, page_records, read_records
from markethub.client.frames import TableForm, convert_table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Answer = TypeVar("Answer")
Names = str | Sequence[str] | None
RecordForm = Literal["dict"] | TableForm


class RecordFilters(TypedDict, total=False):
    """Which rows; a table takes those that it has columns for, and InputError names the others.

    ``current`` goes with symbols: versions in force (the default) or the whole history; ``latest`` with
    tickers, orderbooks and balances: only the newest of each symbol, or the newest snapshot of each account.
    ``start <= time < end``.
    """

    exchange: str | None
    symbol: Names
    base: Names
    quote: Names
    account: Names
    asset: Names
    wallet: Names
    order_id: Names
    status: Names
    kind: Names
    owner: Names
    start: Moment | None
    end: Moment | None
    current: bool
    latest: bool
    limit: int | None
    offset: int
    order_desc: bool


class Send(Protocol):
    """Sends a call and returns its answer."""

    def __call__(self, call: Call[Answer], /) -> Answer: ...


class AsyncSend(Protocol):
    """Sends a call and returns its answer, on asyncio."""

    async def __call__(self, call: Call[Answer], /) -> Answer: ...


class RecordReader:
    """Reads one table: ``datahub.orders(account="OKX_MM01", as_="polars")``.

    Rows come by time, as an Arrow table or a frame with all that match; ``as_="dict"`` gives one page of them
    (100 rows unless ``limit`` says otherwise) with its place in the whole list.
    """

    def __init__(self, table: str, send: Send) -> None:
        self._table = table
        self._send = send

    @overload
    def __call__(
        self, *, as_: Literal["arrow"] = "arrow", **filters: Unpack[RecordFilters]
    ) -> "pa.Table": ...
    @overload
    def __call__(self, *, as_: Literal["dict"], **filters: Unpack[RecordFilters]) -> RecordPage: ...
    @overload
    def __call__(self, *, as_: Literal["pandas"], **filters: Unpack[RecordFilters]) -> "pd.DataFrame": ...
    @overload
    def __call__(self, *, as_: Literal["polars"], **filters: Unpack[RecordFilters]) -> "pl.DataFrame": ...
    def __call__(self, *, as_: RecordForm = "arrow", **filters: Unpack[RecordFilters]) -> Any:
        """Return the stored rows that match."""
        if as_ == "dict":
            return self._send(page_records(self._table, filters))
        return convert_table(self._send(read_records(self._table, filters)), as_)


class AsyncRecordReader:
    """As RecordReader, for asyncio."""

    def __init__(self, table: str, send: AsyncSend) -> None:
        self._table = table
        self._send = send

    @overload
    async def __call__(
        self, *, as_: Literal["arrow"] = "arrow", **filters: Unpack[RecordFilters]
    ) -> "pa.Table": ...
    @overload
    async def __call__(self, *, as_: Literal["dict"], **filters: Unpack[RecordFilters]) -> RecordPage: ...
    @overload
    async def __call__(
        self, *, as_: Literal["pandas"], **filters: Unpack[RecordFilters]
    ) -> "pd.DataFrame": ...
    @overload
    async def __call__(
        self, *, as_: Literal["polars"], **filters: Unpack[RecordFilters]
    ) -> "pl.DataFrame": ...
    async def __call__(self, *, as_: RecordForm = "arrow", **filters: Unpack[RecordFilters]) -> Any:
        """As RecordReader's."""
        if as_ == "dict":
            return await self._send(page_records(self._table, filters))
        return convert_table(await self._send(read_records(self._table, filters)), as_)
