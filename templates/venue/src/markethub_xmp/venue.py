"""Example Exchange as one venue."""

from collections.abc import Mapping, Sequence

from markethub.domain.errors import InputError
from markethub.domain.support import DataKind
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
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import RetryPolicy, VenueCaller
from markethub.venues.transport.options import check_names
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.session import Timeouts, VenueSession, check_base_url
from markethub_xmp.errors import REST_FAULTS
from markethub_xmp.klines import XmpKlines
from markethub_xmp.limits import REQUESTS_PER_WINDOW, WINDOW_S
from markethub_xmp.names import CODE
from markethub_xmp.parse import parse_server_time

_BASE_URL = "https://api.exchange.example"
_SERVER_TIME = Question(path="/v1/time", weight=1, subject="server time", max_bytes=4096)


class XmpVenue:
    """A Venue: one session and one budget; give each endpoint its own where the venue counts them apart."""

    code: str = CODE
    name: str = "Example Exchange"
    kinds: frozenset[DataKind] = frozenset({DataKind.KLINE})

    def __init__(self, base_url: str, pool: BudgetPool | None) -> None:
        self._budget = WeightBudget(
            f"{CODE} requests",
            limit=REQUESTS_PER_WINDOW,
            margin=0.02,
            max_in_flight=16,
            window_s=WINDOW_S,
            pool=pool,
        )
        session = VenueSession(CODE, base_url, Timeouts(connect_s=10, silence_s=20, total_s=20))
        self._caller = VenueCaller(session, self._budget, REST_FAULTS, RetryPolicy())
        self._clock = ServerClock(self._ask_time, self._budget.sync)
        self._klines = XmpKlines(self._caller, self._clock)
        self.klines: KlineSource = self._klines
        self.kline_archive: KlineArchive | None = None
        self.market: MarketSource | None = None
        self.sessions: Sessions | None = None
        self.costs: Costs | None = None  # a dry run then tells no requests

    def account(self, account: Account, key: ApiKey) -> AccountSource:  # noqa: ARG002
        raise InputError(f"account {account}: no account data of {CODE} is supported")

    async def server_time_ms(self) -> int:
        """The venue's clock, asked now."""
        return await self._clock.measure_ms()

    def limits(self) -> Sequence[VenueLimits]:
        return [self._budget.state()]

    async def close(self) -> None:
        await self._klines.close()
        await self._clock.close()
        await self._caller.close()

    async def _ask_time(self) -> int:
        return parse_server_time(await self._caller.ask(_SERVER_TIME))


def create_venue(options: Mapping[str, str], pool: BudgetPool | None = None) -> Venue:
    """The entry point ``XMP``; InputError names an option that is unknown or wrong, and what is allowed."""
    check_names(options, ["base_url"], CODE)
    return XmpVenue(check_base_url(options.get("base_url", _BASE_URL), f"{CODE} option base_url"), pool)
