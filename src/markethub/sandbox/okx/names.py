"""OKX's names of pairs, and how they differ from the same pairs elsewhere."""

from dataclasses import dataclass, replace

from markethub.sandbox.listings import Listing, SymbolCatalog

# Venues agree on a price only so far. The noise is a pair's, so that its prices move together everywhere:
# another seed would make another market.
_PRICE_RATIO = 1.0004
_TURNOVER_RATIO = 0.6


@dataclass(frozen=True, slots=True)
class Pair:
    """A listing under its OKX name, ``BTC-USDT``."""

    name: str
    listing: Listing


class PairNames:
    """Finds pairs by name. A delisted pair has vanished; one whose listing lies ahead is not there yet."""

    def __init__(self, catalog: SymbolCatalog) -> None:
        self._pairs = {
            pair.name: pair
            for listing in catalog.by_root.values()
            for pair in [Pair(f"{listing.base}-{listing.quote}", _as_traded_here(listing))]
        }

    def listed(self, now_ms: int) -> list[Pair]:
        return [pair for pair in self._pairs.values() if _trades(pair.listing, now_ms)]

    def find(self, name: str, now_ms: int) -> Pair | None:
        pair = self._pairs.get(name)
        return pair if pair is not None and _trades(pair.listing, now_ms) else None


def _as_traded_here(listing: Listing) -> Listing:
    return replace(listing, price=listing.price * _PRICE_RATIO, turnover=listing.turnover * _TURNOVER_RATIO)


def _trades(listing: Listing, now_ms: int) -> bool:
    return listing.listed_ms <= now_ms and (listing.delisted_ms is None or now_ms < listing.delisted_ms)
