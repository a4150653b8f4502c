"""Binance spot as one venue."""

from collections.abc import Mapping

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
from markethub.venues.binance.account import BinanceAccount
from markethub.venues.binance.archive import BinanceArchive
from markethub.venues.binance.client import BinanceKlines
from markethub.venues.binance.costs import BinanceCosts
from markethub.venues.binance.directory import Directory
from markethub.venues.binance.doors import BinanceDoors
from markethub.venues.binance.limits import TIME_WEIGHT
from markethub.venues.binance.market import BinanceMarket
from markethub.venues.binance.names import CODE
from markethub.venues.binance.options import BinanceOptions
from markethub.venues.binance.parse import parse_server_time
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock

_SERVER_TIME = Question(path="/api/v3/time", weight=TIME_WEIGHT, subject="server time", max_bytes=4096)


class BinanceVenue:
    """A Venue; everything that is asked of it, in anyone's name, shares its sessions and budgets."""

    code: str = CODE
    name: str = VENUE_NAMES[CODE]
    kinds: frozenset[DataKind] = frozenset(
        {DataKind.KLINE, DataKind.SYMBOL, DataKind.TICKER, DataKind.ORDERBOOK, DataKind.BALANCE}
    )

    def __init__(self, options: BinanceOptions, pool: BudgetPool | None = None) -> None:
        self._recv_window_ms = options.recv_window_ms
        self._doors = BinanceDoors(options, pool)
        self._directory = Directory(self._doors.rest, self._doors.rest_budget)
        self._clock = ServerClock(self._ask_time, self._doors.sync)
        self.klines: KlineSource = BinanceKlines(self._doors.rest, self._directory, self._clock)
        self.kline_archive: KlineArchive | None = BinanceArchive(self._doors.archive, self._directory)
        self.market: MarketSource | None = BinanceMarket(self._doors.rest, self._directory, self._clock)
        self.sessions: Sessions | None = None
        self.costs: Costs | None = BinanceCosts()

    def account(self, account: Account, key: ApiKey) -> AccountSource:
        """Its balances and rights; InputError for a key that is not of the HMAC type."""
        return BinanceAccount(account, key, self._doors, self._clock, recv_window_ms=self._recv_window_ms)

    async def server_time_ms(self) -> int:
        """The venue's clock, asked now. Source: "Check server time" of the Binance Spot REST API page."""
        return await self._clock.measure_ms()

    def limits(self) -> list[VenueLimits]:
        return self._doors.limits()

    async def close(self) -> None:
        await self._directory.close()
        await self._clock.close()
        await self._doors.close()

    async def _ask_time(self) -> int:
        return parse_server_time(await self._doors.rest.ask(_SERVER_TIME))


def create_venue(options: Mapping[str, str], pool: BudgetPool | None = None) -> Venue:
    """The entry point ``BNC``; InputError names an option that is unknown or wrong, and what is allowed."""
    return BinanceVenue(BinanceOptions.parse(options), pool)
