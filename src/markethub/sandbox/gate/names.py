"""Gate's names of pairs: base and quote with an underscore between."""

from markethub.sandbox.listings import Listing, SymbolCatalog


class PairNames:
    """Finds pairs by name. A delisted pair stays, untradable; one to be listed is not there yet."""

    def __init__(self, catalog: SymbolCatalog) -> None:
        self._pairs = catalog.by_root

    def listed(self, now_ms: int) -> list[Listing]:
        return [pair for pair in self._pairs.values() if pair.listed_ms <= now_ms]

    def find(self, name: str, now_ms: int) -> Listing | None:
        pair = self._pairs.get(name)
        return pair if pair is not None and pair.listed_ms <= now_ms else None
