"""Symbols as Binance writes them: base and quote without anything between."""

from collections.abc import Mapping
from dataclasses import dataclass

from markethub.domain.errors import SymbolNotListedError
from markethub.domain.symbol import Symbol

CODE = "BNC"


def join_name(symbol: Symbol) -> str:
    """``BTCUSDT`` of ``BTC_USDT.BNC``. Only a listing knows the way back: BTCUSDT might be BTCU_SDT."""
    if symbol.venue != CODE:
        raise SymbolNotListedError(f"{symbol} is not a symbol of {CODE}")
    return symbol.base + symbol.quote


@dataclass(frozen=True, slots=True)
class Listing:
    """Every symbol of the venue, by its own name there; includes those whose trading is halted.

    ``trading`` are those whose status is TRADING. Source: "Exchange information" of the Binance Spot REST
    API page; a halted symbol keeps its history.
    """

    symbols: Mapping[str, Symbol]
    trading: frozenset[Symbol] = frozenset()

    def __contains__(self, symbol: Symbol) -> bool:
        return self.symbols.get(join_name(symbol)) == symbol

    def check_name(self, symbol: Symbol) -> str:
        """The venue's name of ``symbol``; SymbolNotListedError when another pair goes by it.

        A name that is not listed at all passes: the venue still answers for some that were.
        """
        name = join_name(symbol)
        owner = self.symbols.get(name, symbol)
        if owner != symbol:
            raise SymbolNotListedError(f"{CODE} does not list {symbol}: its {name} is {owner}")
        return name
