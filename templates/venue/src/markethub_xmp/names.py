"""Symbols as Example Exchange writes them: ``BTC-USDT``."""

from markethub.domain.errors import InputError, SymbolNotListedError
from markethub.domain.symbol import Symbol

CODE = "XMP"


def join_name(symbol: Symbol) -> str:
    """``BTC-USDT`` of ``BTC_USDT.XMP``; SymbolNotListedError for a symbol of another venue."""
    if symbol.venue != CODE:
        raise SymbolNotListedError(f"{symbol} is not a symbol of {CODE}")
    return f"{symbol.base}-{symbol.quote}"


def split_name(name: str) -> Symbol | None:
    """``BTC_USDT.XMP`` of ``BTC-USDT``; None for a name that MarketHub cannot write."""
    base, _, quote = name.partition("-")
    try:
        return Symbol(CODE, f"{base}_{quote}")
    except InputError:
        return None
