"""OKX's names of pairs, and how they differ from the same pairs elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from markethub.sandbox.intervals import DAY_MS
from markethub.sandbox.listings import Listing, SymbolCatalog

# Venues agree on a price only so far. The noise is a pair's, so that its prices move together everywhere:
# another seed would make another market.
_PRICE_RATIO = 1.0004
_TURNOVER_RATIO = 0.6

# How long before it opens a pair is shown, its end is announced, and a pair that ended is still shown.
_SHOWN_AHEAD_MS = 3 * DAY_MS
_ANNOUNCED_MS = 7 * DAY_MS
_SHOWN_AFTER_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A listing under its OKX name, ``BTC-USDT``."""

    name: str
    listing: Listing

    def state(self, now_ms: int) -> str | None:
        """The venue's word; None while the pair is not shown at all."""
        listed_ms, delisted_ms = self.listing.listed_ms, self.listing.delisted_ms
        if now_ms < listed_ms:
            return "preopen" if now_ms >= listed_ms - _SHOWN_AHEAD_MS else None
        if delisted_ms is None or now_ms < delisted_ms:
            return "live"
        return "suspend" if now_ms < delisted_ms + _SHOWN_AFTER_MS else None

    def announced_end_ms(self, now_ms: int) -> int | None:
        """When trading ends, once that is known."""
        end_ms = self.listing.delisted_ms
        return end_ms if end_ms is not None and now_ms >= end_ms - _ANNOUNCED_MS else None


class PairNames:
    """Finds pairs by name."""

    def __init__(self, catalog: SymbolCatalog) -> None:
        self._pairs = {
            pair.name: pair
            for listing in catalog.by_root.values()
            for pair in [Pair(f"{listing.base}-{listing.quote}", _as_traded_here(listing))]
        }

    def listed(self, now_ms: int) -> list[Pair]:
        """Those the venue shows, trading or not."""
        return [pair for pair in self._pairs.values() if pair.state(now_ms) is not None]

    def all_of(self, names: Iterable[str]) -> list[Pair]:
        """The pairs of these names, whether they are shown now or not; KeyError for a name of none."""
        return [self._pairs[name] for name in names]

    def find_listed(self, name: str, now_ms: int) -> Pair | None:
        pair = self._pairs.get(name)
        return pair if pair is not None and pair.state(now_ms) is not None else None

    def find(self, name: str, now_ms: int) -> Pair | None:
        """The pair if it has begun to trade and is still shown: one that opens soon has no data."""
        pair = self.find_listed(name, now_ms)
        return pair if pair is not None and pair.listing.listed_ms <= now_ms else None


def _as_traded_here(listing: Listing) -> Listing:
    return replace(listing, price=listing.price * _PRICE_RATIO, turnover=listing.turnover * _TURNOVER_RATIO)
