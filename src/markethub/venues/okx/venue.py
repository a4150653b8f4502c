"""OKX spot as one venue."""

from collections.abc import Mapping

from markethub.domain.errors import InputError
from markethub.domain.support import SUPPORT, VENUE_NAMES, DataKind
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
from markethub.venues.okx.account import OkxAccount
from markethub.venues.okx.archive import OkxArchive, open_archive
from markethub.venues.okx.candles import CandleDoors
from markethub.venues.okx.client import OkxKlines
from markethub.venues.okx.costs import OkxCosts
from markethub.venues.okx.directory import Directory
from markethub.venues.okx.doors import AccountDoors, Doors
from markethub.venues.okx.limits import CANDLES, DATA_HISTORY, HISTORY_CANDLES, INSTRUMENTS, TIME
from markethub.venues.okx.market import OkxMarket
from markethub.venues.okx.names import CODE
from markethub.venues.okx.options import OkxOptions
from markethub.venues.okx.parse import parse_server_time
from markethub.venues.okx.signing import OkxSigner, check_key
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.session import Timeouts, VenueSession

_CONNECT_S = 10.0
_DOWNLOADS = 8  # at once

_SERVER_TIME = Question(path=TIME.path, weight=1, subject="server time", max_bytes=4096)


class OkxVenue:
    """A Venue: one session, and a budget for each endpoint (and account), as the venue counts them apart."""

    code: str = CODE
    name: str = VENUE_NAMES[CODE]
    kinds: frozenset[DataKind] = SUPPORT[CODE]

    def __init__(self, options: OkxOptions, pool: BudgetPool | None = None) -> None:
        connect_s = min(_CONNECT_S, options.request_timeout_s)
        self._options = options
        self._session = VenueSession(
            CODE, options.base_url, Timeouts(connect_s, options.request_timeout_s, options.request_timeout_s)
        )
        self._doors = Doors(self._session, options, pool)
        self._time_caller = self._doors.caller(TIME)
        self._clock = ServerClock(self._ask_time, self._doors.sync)
        self._directory = Directory(self._doors.caller(INSTRUMENTS))
        candles = CandleDoors(self._doors.caller(CANDLES), self._doors.caller(HISTORY_CANDLES))
        self.klines: KlineSource = OkxKlines(candles, self._directory, self._clock)
        # No limit of requests is documented for the files' host.
        self._bulk_budget = WeightBudget(f"{CODE} bulk files", limit=None, max_in_flight=_DOWNLOADS)
        self._archive: OkxArchive | None = None
        if options.bulk_files:
            self._archive = open_archive(self._doors.caller(DATA_HISTORY), options, self._bulk_budget)
        self.kline_archive: KlineArchive | None = self._archive
        self.sessions: Sessions | None = None
        self.costs: Costs | None = OkxCosts()
        self.market: MarketSource | None = OkxMarket(self._doors, self._directory)

    def account(self, account: Account, key: ApiKey) -> AccountSource:
        """The account's data; every source of one account shares its budgets. No I/O.

        InputError for an account of another venue, or a key that lacks a part.
        """
        if account.venue != CODE:
            raise InputError(f"account {account} is not one of {CODE}")
        signer = OkxSigner(check_key(account, key), self._clock, self._options.simulated)
        return OkxAccount(account, AccountDoors(self._doors, account, signer), self._clock)

    async def server_time_ms(self) -> int:
        """The venue's clock, asked now. Source: "Get system time" of the OKX API v5 guide."""
        return await self._clock.measure_ms()

    def limits(self) -> list[VenueLimits]:
        bulk = [] if self._archive is None else [self._bulk_budget.state()]
        return [*self._doors.states(), *bulk]

    async def close(self) -> None:
        await self._directory.close()
        await self._clock.close()
        await self._session.close()
        if self._archive is not None:
            await self._archive.close()

    async def _ask_time(self) -> int:
        return parse_server_time(await self._time_caller.ask(_SERVER_TIME))


def create_venue(options: Mapping[str, str], pool: BudgetPool | None = None) -> Venue:
    """The entry point ``OKX``; InputError names an option that is unknown or wrong, and what is allowed."""
    return OkxVenue(OkxOptions.parse(options), pool)
