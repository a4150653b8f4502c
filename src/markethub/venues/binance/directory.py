"""What Binance tells about itself, kept for an hour."""

import asyncio
import time
from collections.abc import Callable

from markethub.domain.symbol import Symbol
from markethub.venues.binance.limits import EXCHANGE_INFO_WEIGHT
from markethub.venues.binance.names import Listing
from markethub.venues.binance.parse import ExchangeInfo, parse_exchange_info
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.single_flight import SingleFlight

_FRESH_S = 3600.0

# Source: "Exchange information" of the Binance Spot REST API page; the permission sets triple the answer.
_EXCHANGE_INFO = Question(
    path="/api/v3/exchangeInfo",
    params={"showPermissionSets": "false"},
    weight=EXCHANGE_INFO_WEIGHT,
    subject="exchange information",
    max_bytes=64 * 1024 * 1024,
)


class Directory:
    """The venue's listing, asked for at most once at a time; what it tells of limits goes to the budget."""

    def __init__(
        self, caller: VenueCaller, budget: WeightBudget, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._caller = caller
        self._budget = budget
        self._monotonic = monotonic
        self._listing: Listing | None = None
        self._read_s = 0.0
        self._flight = SingleFlight(self.ask)

    async def listing(self, oldest_s: float = _FRESH_S) -> Listing:
        """The listing, younger than ``oldest_s``."""
        if self._listing is None or self._monotonic() - self._read_s >= oldest_s:
            return (await self._flight.run()).listing
        return self._listing

    async def name(self, symbol: Symbol) -> str:
        """The venue's name of ``symbol``; SymbolNotListedError when another pair goes by it.

        A listing of any age will do: names are not given to other pairs.
        """
        listing = self._listing or (await self._flight.run()).listing
        return listing.check_name(symbol)

    async def ask(self) -> ExchangeInfo:
        """What the venue tells about itself now; the listing is kept for the others."""
        asked_s = self._monotonic()
        body = await self._caller.ask(_EXCHANGE_INFO)
        info = await asyncio.to_thread(parse_exchange_info, body)  # thousands of symbols take a moment
        if info.weight_limit is not None:
            self._budget.set_limit(info.weight_limit.limit, info.weight_limit.window_s)
            self._caller.count_header = info.weight_limit.header
        self._listing, self._read_s = info.listing, asked_s
        return info

    async def close(self) -> None:
        await self._flight.close()
