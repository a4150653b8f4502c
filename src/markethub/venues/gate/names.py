"""Symbols as Gate writes them, which is how MarketHub does. Intervals are spelled alike, too."""

from markethub.domain.errors import InputError, SymbolNotListedError
from markethub.domain.symbol import Symbol

CODE = "GIO"


def join_name(symbol: Symbol) -> str:
    """``BTC_USDT`` of ``BTC_USDT.GIO``; SymbolNotListedError for a symbol of another venue."""
    if symbol.venue != CODE:
        raise SymbolNotListedError(f"{symbol} is not a symbol of {CODE}")
    return symbol.instrument


def split_name(name: str) -> Symbol | None:
    """``BTC_USDT.GIO`` of ``BTC_USDT``; None for a name that MarketHub cannot write."""
    try:
        return Symbol(CODE, name)
    except InputError:
        return None
