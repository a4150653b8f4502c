"""Where market data comes from."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account, Series, Symbol
from markethub.ports.budget import BudgetPool
from markethub.ports.costs import Costs
from markethub.ports.keys import ApiKey
from markethub.tables.rejects import Reject


@dataclass(frozen=True, slots=True)
class KlinePage:
    """Closed bars of the start of a requested span.

    ``bars`` has schema KLINES and passed ``check_klines``. ``covered`` is the part of the span this page
    answers for completely (it may hold no bar at all); None when none of the span has closed yet. Ask on
    from its end. ``rejected`` are the bars of ``covered`` whose values make no sense: they are not in
    ``bars``.
    """

    bars: pa.Table
    covered: Span | None
    rejected: Sequence[Reject] = ()


class KlineSource(Protocol):
    """A venue's REST klines; one request per call, under the venue's shared budget.

    ``label`` begins the source of every claim of coverage: ``rest`` for an exchange; for stocks it tells the
    adjustment as well, and claims of different labels never complete each other.
    """

    label: str

    async def klines(self, series: Series, span: Span) -> KlinePage:
        """The first page of ``span``. VenueError subclasses say what went wrong and whether to retry."""

    async def listed(self, symbol: Symbol) -> bool:
        """Whether the venue lists the symbol now; answered from a listing at most an hour old."""

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:
        """The first open time the venue still answers for over REST; None where there is no such wall."""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One bulk file: its address below the archive's root, and the span it holds when complete."""

    path: str
    series: Series
    span: Span


@dataclass(frozen=True, slots=True)
class ArchivedBars:
    """A verified file's bars (schema KLINES, checked), the sha256 of the file as downloaded, and the bars
    left out because their values make no sense."""

    bars: pa.Table
    sha256: str
    rejected: Sequence[Reject] = ()


class KlineArchive(Protocol):
    """A venue's bulk files of klines."""

    def files(self, series: Series, span: Span, now_ms: int) -> Sequence[ArchiveFile]:
        """The files that should be published by now and touch ``span``, ascending, not overlapping; no I/O.

        Whole months come as monthly files, the newest days as daily ones; what is left is for REST.
        """

    def split(self, file: ArchiveFile) -> Sequence[ArchiveFile]:
        """The smaller files that together hold the same span; empty when there are none."""

    async def fetch(self, file: ArchiveFile) -> ArchivedBars:
        """Download, verify and parse.

        ArchiveError when the file cannot be used, VenueUnavailableError on network trouble.
        """


class MarketSource(Protocol):
    """What a venue shows everyone besides klines, under its shared budgets."""

    async def listing(self) -> pa.Table:
        """Every spot instrument the venue lists now, asked now, schema LISTING, ascending by symbol.

        Instruments whose names our symbols cannot spell are left out.
        """

    async def tickers(self, symbols: Sequence[Symbol]) -> pa.Table:
        """One row (TICKERS) for each of ``symbols`` that trades, in the order given; one question where the
        venue allows it. SymbolNotListedError names symbols the venue does not know."""

    async def orderbook(self, symbol: Symbol, depth: int) -> pa.Table:
        """One row (ORDERBOOKS) with at most ``depth`` (1 to 1000) levels a side."""


@runtime_checkable
class SymbolDirectory(Protocol):
    """What a venue without a MarketSource may be as well: one that tells which symbols its market lists."""

    async def listed_symbols(self) -> Sequence[Symbol]:
        """The symbols as they are listed now, ascending; InputError where no setting tells them."""


class Sessions(Protocol):
    """When a market trades that is not always open; thread-safe, no I/O but for reading its calendar once."""

    def closed(self, interval: Interval, span: Span) -> Sequence[Span]:
        """The parts of ``span`` at whose grid points no bar can open, ascending.

        MissingExtraError where the calendar's package is not installed.
        """


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What a key may do, as the venue tells; None where it does not tell."""

    can_read: bool | None
    can_trade: bool | None
    can_withdraw: bool | None
    is_ip_bound: bool | None


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Some rows of a ledger, newest first from page to page.

    ``rows`` has the schema of its kind and is checked; ``covered`` is the tail of the asked span that this
    page and those before it answer completely and for good (None: nothing yet): rows in it will not change
    any more.
    """

    rows: pa.Table
    covered: Span | None
    rejected: Sequence[Reject] = ()


class AccountSource(Protocol):
    """One account at one venue, under the account's own budgets.

    KeyRefusedError where the venue does not accept key, signature or passphrase; PermissionRefusedError where
    it does, but the key may not do this.
    """

    async def rights(self) -> KeyRights:
        """What the key may do, asked now."""

    async def balances(self) -> pa.Table:
        """All wallets as of one moment, schema BALANCES; empty for an empty account."""

    def ledger(self, kind: DataKind, span: Span, symbol: Symbol | None = None) -> AsyncIterator[LedgerPage]:
        """Pages of orders, fills or transfers of ``span`` (by the table's time), newest first.

        ``symbol`` narrows orders and fills to one instrument. What lies before ``reach_ms`` is not asked for.
        """

    def reach_ms(self, kind: DataKind, now_ms: int) -> int:
        """The earliest time from which the venue still tells rows of ``kind``."""

    def tells_all_from_ms(self, kind: DataKind, now_ms: int) -> int:
        """From when on it tells all of them; what lies between ``reach_ms`` and this is told in part only."""


@dataclass(frozen=True, slots=True)
class VenueLimits:
    """The present state of one budget: ``used`` of ``limit`` (None: unlimited) in a window of ``window_s``.

    ``waiting`` requests stand in line. ``closed_until_ms`` is when the venue may be asked again, and
    ``is_banned`` whether that is a ban rather than a pause. ``fleet_used`` is what all processes that share
    the budget were granted of the window when this one last asked; None where it is not shared.
    """

    name: str
    used: int
    limit: int | None
    window_s: float
    waiting: int
    closed_until_ms: int | None
    is_banned: bool
    fleet_used: int | None = None


class Venue(Protocol):
    """One exchange as the application sees it; an adapter folder exports a factory of these.

    ``sessions`` is None where trading never stops, ``costs`` where nobody knows what questions cost.
    """

    code: str
    name: str
    kinds: frozenset[DataKind]
    klines: KlineSource
    kline_archive: KlineArchive | None
    market: MarketSource | None
    sessions: Sessions | None
    costs: Costs | None

    def account(self, account: Account, key: ApiKey) -> AccountSource:
        """The account's data, read with ``key``; no I/O. InputError where the venue has none for us."""

    async def server_time_ms(self) -> int:
        """The venue's clock."""

    def limits(self) -> Sequence[VenueLimits]:
        """Every budget's present state; no I/O."""

    async def close(self) -> None:
        """Close connections; safe to call twice."""


class VenueFactory(Protocol):
    """The entry-point object of group ``markethub.venues``.

    ``options`` are the venue's own settings; ``pool`` shares its budgets with other processes; without
    one they are this process's own.
    """

    def __call__(self, options: Mapping[str, str], pool: BudgetPool | None = None) -> Venue: ...
