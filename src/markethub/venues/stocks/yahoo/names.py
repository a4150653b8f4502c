"""Tickers as Yahoo writes them."""

from markethub.domain.errors import SymbolNotListedError
from markethub.domain.symbol import Symbol
from markethub.venues.stocks.exchanges import HK, Exchange


def join_name(exchange: Exchange, symbol: Symbol) -> str:
    """``BRK-B`` of ``US.BRK.B``, ``0700.HK`` of ``HK.00700``; SymbolNotListedError for one of another market.

    Yahoo has no dot in American tickers, and at least four digits in those of Hong Kong.
    """
    ticker = exchange.check(symbol)
    if exchange is HK:
        number = int(ticker)
        if number == 0:
            raise SymbolNotListedError(f"{symbol} is no stock: Hong Kong's codes begin at 00001")
        return f"{number:04d}.HK"
    return ticker.replace(".", "-")
