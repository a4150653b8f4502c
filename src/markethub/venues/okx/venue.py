"""OKX spot as one venue."""

from collections.abc import Mapping

from markethub.domain.errors import InputError
from markethub.domain.support import VENUE_NAMES, DataKind
from markethub.domain.symbol import Account
from markethub.ports.budget import BudgetPool
from markethub.ports.keys import ApiKey
from markethub.ports.venue import AccountSource, KlineArchive, KlineSource, MarketSource, Venue, VenueLimits
from markethub.venues.okx.candles import CandleDoors
from markethub.venues.okx.client import OkxKlines
from markethub.venues.okx.directory import Directory
from markethub.venues.okx.errors import REST_FAULTS
from markethub.venues.okx.limits import (
    CANDLES_REQUESTS,
    HISTORY_CANDLES_REQUESTS,
    INSTRUMENTS_REQUESTS,
    TIME_REQUESTS,
    WINDOW_S,
)
from markethub.venues.okx.names import CODE
from markethub.venues.okx.options import OkxOptions
from markethub.venues.okx.parse import parse_server_time
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import RetryPolicy, VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.session import Timeouts, VenueSession

_CONNECT_S = 10.0

_SERVER_TIME = Question(path="/api/v5/public/time", weight=1, subject="server time", max_bytes=4096)


class OkxVenue:
    """A Venue: one session, and one budget for each endpoint, as the venue counts them apart."""

    code: str = CODE
    name: str = VENUE_NAMES[CODE]
    kinds: frozenset[DataKind] = frozenset({DataKind.KLINE})

    def __init__(self, options: OkxOptions, pool: BudgetPool | None = None) -> None:
        connect_s = min(_CONNECT_S, options.request_timeout_s)
        self._options = options
        self._pool = pool
        self._session = VenueSession(
            CODE, options.base_url, Timeouts(connect_s, options.request_timeout_s, options.request_timeout_s)
        )
        self._budgets: list[WeightBudget] = []
        self._time_caller = self._add_caller("public/time", TIME_REQUESTS)
        self._directory = Directory(self._add_caller("public/instruments", INSTRUMENTS_REQUESTS))
        self._clock = ServerClock(self._ask_time, self._sync)
        doors = CandleDoors(
            recent=self._add_caller("market/candles", CANDLES_REQUESTS),
            history=self._add_caller("market/history-candles", HISTORY_CANDLES_REQUESTS),
        )
        self.klines: KlineSource = OkxKlines(doors, self._directory, self._clock)
        self.kline_archive: KlineArchive | None = None
        self.market: MarketSource | None = None

    def account(self, account: Account, key: ApiKey) -> AccountSource:  # noqa: ARG002
        raise InputError(f"account {account}: no account data of {CODE} is supported")

    async def server_time_ms(self) -> int:
        """The venue's clock, asked now. Source: "Get system time" of the OKX API v5 guide."""
        return await self._clock.measure_ms()

    def limits(self) -> list[VenueLimits]:
        return [budget.state() for budget in self._budgets]

    async def close(self) -> None:
        await self._directory.close()
        await self._clock.close()
        await self._session.close()

    def _add_caller(self, endpoint: str, requests_per_window: int) -> VenueCaller:
        budget = WeightBudget(
            f"{CODE} {endpoint}",
            limit=requests_per_window,
            margin=self._options.safety_fraction,
            max_in_flight=self._options.connections,
            window_s=WINDOW_S,
            pool=self._pool,
        )
        self._budgets.append(budget)
        policy = RetryPolicy(quick_retries=self._options.quick_retries, patience_s=self._options.patience_s)
        return VenueCaller(self._session, budget, REST_FAULTS, policy)

    def _sync(self, server_ms: int) -> None:
        for budget in self._budgets:
            budget.sync(server_ms)

    async def _ask_time(self) -> int:
        return parse_server_time(await self._time_caller.ask(_SERVER_TIME))


def create_venue(options: Mapping[str, str], pool: BudgetPool | None = None) -> Venue:
    """The entry point ``OKX``; InputError names an option that is unknown or wrong, and what is allowed."""
    return OkxVenue(OkxOptions.parse(options), pool)
