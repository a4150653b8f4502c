"""Symbols and intervals as OKX writes them."""

from collections.abc import Mapping

from markethub.domain.errors import InputError, SymbolNotListedError
from markethub.domain.interval import Interval
from markethub.domain.symbol import Symbol

CODE = "OKX"

# Source: "Get candlesticks" of the OKX API v5 guide. Plain 1D opens at midnight of UTC+8.
BARS: Mapping[Interval, str] = {
    Interval.M1: "1m",
    Interval.M5: "5m",
    Interval.M15: "15m",
    Interval.M30: "30m",
    Interval.H1: "1H",
    Interval.H4: "4H",
    Interval.D1: "1Dutc",
}


def join_name(symbol: Symbol) -> str:
    """``BTC-USDT`` of ``BTC_USDT.OKX``; SymbolNotListedError for a symbol of another venue."""
    if symbol.venue != CODE:
        raise SymbolNotListedError(f"{symbol} is not a symbol of {CODE}")
    return f"{symbol.base}-{symbol.quote}"


def split_name(name: str) -> Symbol | None:
    """``BTC_USDT.OKX`` of ``BTC-USDT``; None for a name that MarketHub cannot write."""
    base, _, quote = name.partition("-")
    try:
        return Symbol(CODE, f"{base}_{quote}")
    except InputError:
        return None
