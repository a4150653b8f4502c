"""Binance spot as one venue."""

from collections.abc import Mapping

from markethub.domain.errors import InputError
from markethub.domain.support import VENUE_NAMES, DataKind
from markethub.domain.symbol import Account
from markethub.ports.budget import BudgetPool
from markethub.ports.keys import ApiKey
from markethub.ports.venue import AccountSource, KlineArchive, KlineSource, MarketSource, Venue, VenueLimits
from markethub.venues.binance.archive import BinanceArchive
from markethub.venues.binance.client import BinanceKlines
from markethub.venues.binance.directory import Directory
from markethub.venues.binance.errors import ARCHIVE_FAULTS, REST_FAULTS
from markethub.venues.binance.limits import REQUEST_WEIGHT_PER_MINUTE, TIME_WEIGHT, USED_WEIGHT_HEADER
from markethub.venues.binance.names import CODE
from markethub.venues.binance.options import BinanceOptions
from markethub.venues.binance.parse import parse_server_time
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import RetryPolicy, VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.session import Timeouts, VenueSession

_CONNECT_S = 10.0
_DOWNLOAD_S = 600.0

_SERVER_TIME = Question(path="/api/v3/time", weight=TIME_WEIGHT, subject="server time", max_bytes=4096)


class BinanceVenue:
    """A Venue: one budget and one session for REST, another pair for the archive's host."""

    code: str = CODE
    name: str = VENUE_NAMES[CODE]
    kinds: frozenset[DataKind] = frozenset({DataKind.KLINE})

    def __init__(self, options: BinanceOptions, pool: BudgetPool | None = None) -> None:
        policy = RetryPolicy(quick_retries=options.quick_retries, patience_s=options.patience_s)
        connect_s = min(_CONNECT_S, options.request_timeout_s)
        times = Timeouts(connect_s, options.request_timeout_s, options.request_timeout_s)
        self._budget = WeightBudget(
            f"{CODE} request weight",
            limit=REQUEST_WEIGHT_PER_MINUTE,
            cap=options.weight_limit,
            margin=options.safety_fraction,
            max_in_flight=options.connections,
            pool=pool,
        )
        self._caller = VenueCaller(
            VenueSession(CODE, options.base_url, times),
            self._budget,
            REST_FAULTS,
            policy,
            count_header=USED_WEIGHT_HEADER,
        )
        # A file may take its time as long as it keeps coming. No limit of requests is documented there.
        self._archive_caller = VenueCaller(
            VenueSession(
                CODE,
                options.archive_url,
                Timeouts(connect_s, options.request_timeout_s, _DOWNLOAD_S),
                compressed=False,
            ),
            WeightBudget(f"{CODE} archive", limit=None, max_in_flight=options.archive_connections),
            ARCHIVE_FAULTS,
            policy,
        )
        self._directory = Directory(self._caller, self._budget)
        self._clock = ServerClock(self._ask_time, self._budget.sync)
        self.klines: KlineSource = BinanceKlines(self._caller, self._directory, self._clock)
        self.kline_archive: KlineArchive | None = BinanceArchive(self._archive_caller, self._directory)
        self.market: MarketSource | None = None

    def account(self, account: Account, key: ApiKey) -> AccountSource:  # noqa: ARG002
        raise InputError(f"account {account}: no account data of {CODE} is supported")

    async def server_time_ms(self) -> int:
        """The venue's clock, asked now. Source: "Check server time" of the Binance Spot REST API page."""
        return await self._clock.measure_ms()

    def limits(self) -> list[VenueLimits]:
        return [self._budget.state()]

    async def close(self) -> None:
        await self._directory.close()
        await self._clock.close()
        await self._caller.close()
        await self._archive_caller.close()

    async def _ask_time(self) -> int:
        return parse_server_time(await self._caller.ask(_SERVER_TIME))


def create_venue(options: Mapping[str, str], pool: BudgetPool | None = None) -> Venue:
    """The entry point ``BNC``; InputError names an option that is unknown or wrong, and what is allowed."""
    return BinanceVenue(BinanceOptions.parse(options), pool)
