"""What OKX lists, kept for an hour."""

import time
from collections.abc import Callable

import pyarrow as pa

from markethub.domain.symbol import Symbol
from markethub.venues.okx.limits import INSTRUMENTS
from markethub.venues.okx.market_parse import parse_listing
from markethub.venues.okx.parse import parse_instruments
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.single_flight import SingleFlight

_FRESH_S = 3600.0

_INSTRUMENTS = Question(
    path=INSTRUMENTS.path,
    params={"instType": "SPOT"},
    weight=1,
    subject="instruments",
    max_bytes=64 * 1024 * 1024,
)


class Directory:
    """The venue's listing, asked for at most once at a time. Source: "Get instruments"."""

    def __init__(self, caller: VenueCaller, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._caller = caller
        self._monotonic = monotonic
        self._listing: frozenset[Symbol] | None = None
        self._read_s = 0.0
        self._flight = SingleFlight(self._fetch)

    async def listing(self) -> frozenset[Symbol]:
        """Every spot pair that is listed, trading or suspended; at most an hour old."""
        if self._listing is None or self._monotonic() - self._read_s >= _FRESH_S:
            return await self._flight.run()
        return self._listing

    async def listing_now(self) -> pa.Table:
        """The same with all that is told of each pair, schema LISTING, asked now."""
        asked_s = self._monotonic()
        body = await self._caller.ask(_INSTRUMENTS)
        table = parse_listing(body)
        self._listing, self._read_s = parse_instruments(body), asked_s
        return table

    async def close(self) -> None:
        await self._flight.close()

    async def _fetch(self) -> frozenset[Symbol]:
        asked_s = self._monotonic()
        listing = parse_instruments(await self._caller.ask(_INSTRUMENTS))
        self._listing, self._read_s = listing, asked_s
        return listing
