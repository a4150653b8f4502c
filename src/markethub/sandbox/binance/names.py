"""Binance's names of pairs: base and quote run together."""

from dataclasses import dataclass
from typing import Final

from markethub.sandbox.binance.refusals import invalid_symbol, refuse_illegal, refuse_missing
from markethub.sandbox.listings import Listing, SymbolCatalog

LEGAL_SYMBOL: Final = r"^[\\w\\-._&&[^a-z]]{1,50}$"
"""The pattern as the venue prints it, in its own regular expression language."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A listing under its Binance name, ``BTCUSDT``."""

    name: str
    listing: Listing

    def status(self, now_ms: int) -> str:
        delisted_ms = self.listing.delisted_ms
        return "BREAK" if delisted_ms is not None and now_ms >= delisted_ms else "TRADING"


class PairNames:
    """Finds pairs by name. A pair whose listing lies in the future does not exist yet."""

    def __init__(self, catalog: SymbolCatalog) -> None:
        self._pairs = {
            pair.name: pair
            for listing in catalog.by_root.values()
            for pair in [Pair(listing.base + listing.quote, listing)]
        }

    def listed(self, now_ms: int) -> list[Pair]:
        return [pair for pair in self._pairs.values() if pair.listing.listed_ms <= now_ms]

    def find(self, name: str, now_ms: int) -> Pair | None:
        pair = self._pairs.get(name)
        return pair if pair is not None and pair.listing.listed_ms <= now_ms else None

    def demand(self, name: str | None, now_ms: int) -> Pair:
        """The pair of a request's ``symbol``; raises the venue's refusal."""
        if not name:
            raise refuse_missing("symbol")
        if len(name) > 50 or not all(_is_legal(letter) for letter in name):
            raise refuse_illegal("symbol", LEGAL_SYMBOL)
        if (pair := self.find(name, now_ms)) is None:
            raise invalid_symbol()
        return pair


def _is_legal(letter: str) -> bool:
    return (letter.isalnum() and not "a" <= letter <= "z") or letter in "-._"
