"""Gate.io spot as one venue."""

from collections.abc import Mapping

from markethub.domain.errors import InputError
from markethub.domain.support import VENUE_NAMES, DataKind
from markethub.domain.symbol import Account
from markethub.ports.budget import BudgetPool
from markethub.ports.costs import Costs
from markethub.ports.keys import ApiKey
from markethub.ports.venue import (
    AccountSource,
    KlineArchive,
    KlineSource,
    MarketSource,
    Sessions,
    Venue,
    VenueLimits,
)
from markethub.venues.gate.archive import GateArchive
from markethub.venues.gate.client import CANDLESTICKS_PATH, GateKlines
from markethub.venues.gate.costs import GateCosts
from markethub.venues.gate.directory import CURRENCY_PAIRS, Directory
from markethub.venues.gate.errors import BULK_FAULTS, REST_FAULTS
from markethub.venues.gate.limits import REQUESTS_PER_WINDOW, WINDOW_S
from markethub.venues.gate.market import ORDER_BOOK_PATH, TICKERS_PATH, GateMarket
from markethub.venues.gate.names import CODE
from markethub.venues.gate.options import GateOptions
from markethub.venues.gate.parse import parse_server_time
from markethub.venues.gate.session import COUNT_HEADER, GateSession
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import RetryPolicy, VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.session import Timeouts, VenueSession

_CONNECT_S = 10.0
_DOWNLOAD_S = 600.0
_DOWNLOADS = 8  # at once

_SERVER_TIME = Question(path="/spot/time", weight=1, subject="server time", max_bytes=4096)
_PATHS = (_SERVER_TIME.path, CURRENCY_PAIRS.path, CANDLESTICKS_PATH, TICKERS_PATH, ORDER_BOOK_PATH)


class GateVenue:
    """A Venue: one session, and one budget for each endpoint, as the venue counts them apart."""

    code: str = CODE
    name: str = VENUE_NAMES[CODE]
    sessions: Sessions | None = None
    costs: Costs | None = GateCosts()
    kinds: frozenset[DataKind] = frozenset(
        {DataKind.KLINE, DataKind.SYMBOL, DataKind.TICKER, DataKind.ORDERBOOK}
    )

    def __init__(self, options: GateOptions, pool: BudgetPool | None = None) -> None:
        connect_s = min(_CONNECT_S, options.request_timeout_s)
        self._budgets = {
            path: WeightBudget(
                f"{CODE} {path.removeprefix('/')}",
                limit=REQUESTS_PER_WINDOW,
                margin=options.safety_fraction,
                max_in_flight=options.connections,
                window_s=WINDOW_S,
                pool=pool,
            )
            for path in _PATHS
        }
        self._session = GateSession(
            CODE,
            options.base_url,
            Timeouts(connect_s, options.request_timeout_s, options.request_timeout_s),
            self._budgets,
        )
        policy = RetryPolicy(quick_retries=options.quick_retries, patience_s=options.patience_s)
        callers = {
            path: VenueCaller(self._session, budget, REST_FAULTS, policy, count_header=COUNT_HEADER)
            for path, budget in self._budgets.items()
        }
        self._time_caller = callers[_SERVER_TIME.path]
        self._directory = Directory(callers[CURRENCY_PAIRS.path])
        self._clock = ServerClock(self._ask_time, self._sync)
        self.klines: KlineSource = GateKlines(callers[CANDLESTICKS_PATH], self._directory, self._clock)
        # No limit of requests is documented for the files' host.
        self._bulk_budget = WeightBudget(f"{CODE} bulk files", limit=None, max_in_flight=_DOWNLOADS)
        self._archive = _open_archive(options, self._bulk_budget, policy) if options.bulk_files else None
        self.kline_archive: KlineArchive | None = self._archive
        self.market: MarketSource | None = GateMarket(
            tickers=callers[TICKERS_PATH],
            order_book=callers[ORDER_BOOK_PATH],
            directory=self._directory,
            clock=self._clock,
        )

    def account(self, account: Account, key: ApiKey) -> AccountSource:  # noqa: ARG002
        raise InputError(f"account {account}: no account data of {CODE} is supported")

    async def server_time_ms(self) -> int:
        """The venue's clock, asked now. Source: "Get server current time" of the Gate API v4 page."""
        return await self._clock.measure_ms()

    def limits(self) -> list[VenueLimits]:
        bulk = [] if self._archive is None else [self._bulk_budget]
        return [budget.state() for budget in (*self._budgets.values(), *bulk)]

    async def close(self) -> None:
        await self._directory.close()
        await self._clock.close()
        await self._session.close()
        if self._archive is not None:
            await self._archive.close()

    def _sync(self, server_ms: int) -> None:
        for budget in self._budgets.values():
            budget.sync(server_ms)

    async def _ask_time(self) -> int:
        return parse_server_time(await self._time_caller.ask(_SERVER_TIME))


def _open_archive(options: GateOptions, budget: WeightBudget, policy: RetryPolicy) -> GateArchive:
    connect_s = min(_CONNECT_S, options.request_timeout_s)
    session = VenueSession(
        CODE,
        options.bulk_url,
        # A file may take its time as long as it keeps coming.
        Timeouts(connect_s, options.request_timeout_s, _DOWNLOAD_S),
        compressed=False,
    )
    return GateArchive(VenueCaller(session, budget, BULK_FAULTS, policy))


def create_venue(options: Mapping[str, str], pool: BudgetPool | None = None) -> Venue:
    """The entry point ``GIO``; InputError names an option that is unknown or wrong, and what is allowed."""
    return GateVenue(GateOptions.parse(options), pool)
