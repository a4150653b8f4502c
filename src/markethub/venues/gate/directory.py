"""What Gate lists, kept for an hour."""

import time
from collections.abc import Callable

from markethub.domain.symbol import Symbol
from markethub.venues.gate.parse import parse_currency_pairs
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question, Signer
from markethub.venues.transport.single_flight import SingleFlight

_FRESH_S = 3600.0

CURRENCY_PAIRS = Question(
    path="/spot/currency_pairs",
    weight=1,
    subject="currency pairs",
    max_bytes=64 * 1024 * 1024,
)
"""Source: "List all currency pairs supported" of the Gate API v4 page."""


class Directory:
    """The venue's listing, asked for at most once at a time."""

    def __init__(self, caller: VenueCaller, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._caller = caller
        self._monotonic = monotonic
        self._listing: frozenset[Symbol] | None = None
        self._read_s = 0.0
        self._flight = SingleFlight(self._fetch)

    async def listing(self) -> frozenset[Symbol]:
        """Every spot pair that is listed, tradable or not; at most an hour old."""
        if self._listing is None or self._monotonic() - self._read_s >= _FRESH_S:
            return await self._flight.run()
        return self._listing

    async def ask(self, signer: Signer | None = None) -> bytes:
        """The venue's answer, asked now; the listing that is kept is this one from then on."""
        asked_s = self._monotonic()
        body = await self._caller.ask(CURRENCY_PAIRS, signer)
        self._listing, self._read_s = parse_currency_pairs(body), asked_s
        return body

    async def close(self) -> None:
        await self._flight.close()

    async def _fetch(self) -> frozenset[Symbol]:
        await self.ask()
        return self._listing or frozenset()
