"""Venues that answer as a test scripts them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa

from markethub.domain.errors import InputError, MarketHubError
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account, Symbol
from markethub.domain.times import parse_time
from markethub.engine.handler import NewChunk, RunningChunk, RunningExecution
from markethub.ports.budget import Asker, current_asker
from markethub.ports.keys import ApiKey
from markethub.ports.venue import AccountSource, KeyRights, LedgerPage, Venue
from markethub.tables.balances import BALANCES
from markethub.tables.catalog import TABLE_OF
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.records import RecordTable
from markethub.tables.rejects import Reject
from markethub.tables.symbols import FACTS, LISTING
from markethub.tables.tickers import TICKERS

NOW_MS = parse_time("2026-06-15T10:20:30Z")
DAY_MS = 86_400_000


@dataclass
class MemoryLog:
    """A WorkLog that remembers."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def debug(self, message: str) -> None:
        self.lines.append(("debug", message))

    def info(self, message: str) -> None:
        self.lines.append(("info", message))

    def warning(self, message: str) -> None:
        self.lines.append(("warning", message))

    def error(self, message: str) -> None:
        self.lines.append(("error", message))

    def warnings(self) -> list[str]:
        return [message for level, message in self.lines if level == "warning"]


def execution(parameters: Mapping[str, Any]) -> RunningExecution:
    return RunningExecution(1, "backfill_x", "trace-1", parameters, 0)


def running(chunk: NewChunk) -> RunningChunk:
    return RunningChunk(1, 1, "trace-1", chunk.key, chunk.queue, chunk.parameters, 1)


def rows_of(table: RecordTable, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a table; columns that a row leaves out are null, zero or empty."""
    filled = [{one.name: row.get(one.name, _filler(one)) for one in table.schema} for row in rows]
    return pa.Table.from_pylist(filled, schema=table.schema)


def _filler(column: pa.Field) -> object:
    if column.nullable:
        return None
    if pa.types.is_list(column.type):
        return []
    if pa.types.is_string(column.type):
        return column.name
    return Decimal(0) if pa.types.is_decimal(column.type) else 0


def listing(ticks: Mapping[str, str], venue: str = "BNC") -> pa.Table:
    """A listing of these instruments, each with its tick size."""
    rows = []
    for root, tick in sorted(ticks.items()):
        facts: dict[str, Any] = dict.fromkeys(FACTS)
        base, _, quote = root.partition("_")
        facts |= {"venue_name": base + quote, "base": base, "quote": quote, "venue_status": "TRADING"}
        rows.append({"symbol": f"{root}.{venue}", **facts, "status": "trading", "tick_size": Decimal(tick)})
    return pa.Table.from_pylist(rows, schema=LISTING)


@dataclass
class FakeMarket:
    """Shows ``listings`` one after the other, the last one for ever; ``asked`` are the askers it saw."""

    listings: list[pa.Table | MarketHubError] = field(default_factory=list)
    halted: frozenset[str] = frozenset()
    asked: list[Asker] = field(default_factory=list)

    async def listing(self) -> pa.Table:
        self.asked.append(current_asker.get())
        shown = self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]
        if isinstance(shown, MarketHubError):
            raise shown
        return shown

    async def tickers(self, symbols: Sequence[Symbol]) -> pa.Table:
        self.asked.append(current_asker.get())
        trading = [str(symbol) for symbol in symbols if str(symbol) not in self.halted]
        return rows_of(TICKERS, [{"symbol": name, "time": NOW_MS, "last": 1.5} for name in trading])

    async def orderbook(self, symbol: Symbol, depth: int) -> pa.Table:
        self.asked.append(current_asker.get())
        prices = [10.0 - level for level in range(min(depth, 5))]
        book = {"symbol": str(symbol), "time": NOW_MS, "depth": depth}
        return rows_of(ORDERBOOKS, [book | {"bid_prices": prices, "bid_sizes": prices}])


@dataclass
class FakeKlines:
    """Lists what it is told to."""

    unlisted: frozenset[str] = frozenset()
    error: MarketHubError | None = None

    async def listed(self, symbol: Symbol) -> bool:
        if self.error is not None:
            raise self.error
        return str(symbol) not in self.unlisted


READ_ONLY = KeyRights(can_read=True, can_trade=False, can_withdraw=False, is_ip_bound=True)


@dataclass
class FakeAccount:
    """An account whose ledger is ``times_ms``, told in pages of ``page_rows``, newest first.

    What is younger than ``settling_ms`` is not final. ``bad`` are times of rows that make no sense. After
    ``fails_after`` pages the venue fails, once.
    """

    held: Sequence[Mapping[str, Any]] = ()
    times_ms: Sequence[int] = ()
    page_rows: int = 3
    settling_ms: int = 300_000
    reach_from_ms: int = NOW_MS - 90 * DAY_MS
    all_from_ms: int | None = None
    bad: frozenset[int] = frozenset()
    fails_after: int | None = None
    error: MarketHubError | None = None
    rights_found: KeyRights = READ_ONLY
    asked: list[tuple[Span, str | None, Asker]] = field(default_factory=list)

    async def rights(self) -> KeyRights:
        if self.error is not None:
            raise self.error
        return self.rights_found

    async def balances(self) -> pa.Table:
        if self.error is not None:
            raise self.error
        return rows_of(BALANCES, self.held)

    def reach_ms(self, kind: DataKind, now_ms: int) -> int:
        return self.reach_from_ms

    def tells_all_from_ms(self, kind: DataKind, now_ms: int) -> int:
        return self.reach_from_ms if self.all_from_ms is None else self.all_from_ms

    async def ledger(
        self, kind: DataKind, span: Span, symbol: Symbol | None = None
    ) -> AsyncIterator[LedgerPage]:
        self.asked.append((span, None if symbol is None else str(symbol), current_asker.get()))
        table = TABLE_OF[kind]
        inside = sorted((time for time in self.times_ms if time in span), reverse=True)
        pages = [inside[at : at + self.page_rows] for at in range(0, len(inside), self.page_rows)] or [[]]
        for number, page in enumerate(pages):
            if self.fails_after is not None and number == self.fails_after:
                self.fails_after = None
                raise self.error or InputError("the venue fell over")
            is_last = number == len(pages) - 1
            low_ms = span.start_ms if is_last else page[-1]
            high_ms = min(span.end_ms, NOW_MS - self.settling_ms)
            yield LedgerPage(
                rows=self._rows(table, symbol, [time for time in page if time not in self.bad]),
                covered=Span(low_ms, high_ms) if low_ms < high_ms else None,
                rejected=[
                    Reject(str(time), Span(time, time + 1), "size -1", "{}")
                    for time in page
                    if time in self.bad
                ],
            )

    def _rows(self, table: RecordTable, symbol: Symbol | None, times: Sequence[int]) -> pa.Table:
        ids = [name for name in table.key if name != "account"]
        named = {} if symbol is None else {"symbol": str(symbol)}
        return rows_of(
            table,
            [
                {"account": "OKX_MM01", **dict.fromkeys(ids, str(time)), table.time: time, **named}
                for time in times
            ],
        )


@dataclass
class FakeVenue:
    """The parts of a Venue that these jobs use."""

    market: FakeMarket | None = None
    klines: FakeKlines = field(default_factory=FakeKlines)
    accounts: Mapping[str, FakeAccount] = field(default_factory=dict)

    def account(self, account: Account, key: ApiKey) -> AccountSource:
        if account.name not in self.accounts:
            raise InputError(f"account {account}: OKX needs a passphrase")
        return cast("AccountSource", self.accounts[account.name])


def venues_of(**venues: FakeVenue) -> dict[str, Venue]:
    return {code: cast("Venue", venue) for code, venue in venues.items()}


class Keys:
    """Configured accounts whose keys are worthless; ``missing`` cannot be had."""

    def __init__(self, *names: str, missing: frozenset[str] = frozenset()) -> None:
        self._accounts = sorted(Account.parse(name) for name in names)
        self._missing = missing

    def accounts(self) -> list[Account]:
        return self._accounts

    def key_of(self, account: Account) -> ApiKey:
        if str(account) in self._missing:
            raise InputError(f"account {account}: environment variable X_KEY is not set")
        return ApiKey("key", "secret")
