"""The two stock markets: what they are called, where their day begins, and how their tickers look."""

import re
from dataclasses import dataclass
from typing import Final

from markethub.domain.errors import SymbolNotListedError
from markethub.domain.interval import SESSION_INTERVALS
from markethub.domain.symbol import Symbol

INTERVALS: Final = SESSION_INTERVALS


@dataclass(frozen=True, slots=True)
class Exchange:
    """One market. ``calendar`` is its name in ``exchange_calendars``, ``zone`` in the IANA time zones.

    ``ticker`` is the form of its tickers and ``example`` one of them.
    """

    code: str
    name: str
    calendar: str
    zone: str
    ticker: re.Pattern[str]
    example: str

    def check(self, symbol: Symbol) -> str:
        """The ticker of a symbol of this market; SymbolNotListedError for any other."""
        if symbol.venue != self.code or self.ticker.fullmatch(symbol.instrument) is None:
            raise SymbolNotListedError(
                f"{symbol} is not a stock of {self.code}, whose tickers look like {self.example}"
            )
        return symbol.instrument


US: Final = Exchange(
    code="US",
    name="US stocks",
    calendar="XNYS",
    zone="America/New_York",
    ticker=re.compile(r"[A-Z][A-Z0-9.\-]*"),
    example="US.AAPL",
)
HK: Final = Exchange(
    code="HK",
    name="Hong Kong stocks",
    calendar="XHKG",
    zone="Asia/Hong_Kong",
    ticker=re.compile(r"[0-9]{5}"),
    example="HK.00700",
)
