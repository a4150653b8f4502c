"""Which stocks the sandbox has, with their splits, and how their made-up bars behave."""

from datetime import date
from types import MappingProxyType
from typing import Final, NamedTuple

from markethub.domain.times import parse_time
from markethub.sandbox.bars import E8
from markethub.sandbox.listings import Listing
from markethub.sandbox.yahoo.trading_days import HONG_KONG, NEW_YORK, Place


class Split(NamedTuple):
    """``numerator`` new shares for ``denominator`` old ones, from the opening of ``date`` on."""

    date: date
    numerator: int
    denominator: int

    @property
    def ratio(self) -> float:
        return self.numerator / self.denominator


class Stock(NamedTuple):
    """One stock by Yahoo's ticker. Made-up bars begin at ``first_date``, or after the recorded ones.

    ``listing`` is what bars are made up from, in today's shares. ``is_thin`` leaves out every tenth minute,
    which Yahoo shows as nulls.
    """

    ticker: str
    place: Place
    first_date: date
    listing: Listing
    splits: tuple[Split, ...] = ()
    is_thin: bool = False


def _stock(ticker: str, place: Place, first: str, price: float, *splits: Split, thin: bool = False) -> Stock:
    listing = Listing(
        base=ticker,
        quote=place.currency,
        listed_ms=parse_time(first),
        delisted_ms=None,
        tick_e8=E8 // 100,
        lot_e8=E8,
        price=price,
        turnover=price * 40_000,
    )
    return Stock(ticker, place, date.fromisoformat(first), listing, splits, thin)


_AFTER_RECORDINGS: Final = "2013-03-04"
_STOCKS: Final = (
    _stock(
        "AAPL",
        NEW_YORK,
        _AFTER_RECORDINGS,
        190.0,
        Split(date(2000, 6, 21), 2, 1),
        Split(date(2005, 2, 28), 2, 1),
        Split(date(2014, 6, 9), 7, 1),
        Split(date(2020, 8, 31), 4, 1),
    ),
    _stock("MSFT", NEW_YORK, _AFTER_RECORDINGS, 400.0, Split(date(2003, 2, 18), 2, 1)),
    # A spin-off that Yahoo lists as a split.
    _stock("IBM", NEW_YORK, _AFTER_RECORDINGS, 180.0, Split(date(2021, 11, 4), 1046, 1000)),
    _stock("GOOG", NEW_YORK, _AFTER_RECORDINGS, 150.0, Split(date(2022, 7, 18), 20, 1)),
    # Not recorded, and there before: whoever asks for the time asks for it.
    _stock("SPY", NEW_YORK, "2000-01-03", 500.0),
    _stock("BRK-B", NEW_YORK, _AFTER_RECORDINGS, 410.0),
    # The last three are made up altogether.
    _stock("REVS", NEW_YORK, "2018-01-02", 8.0, Split(date(2025, 6, 10), 1, 20)),
    _stock("THIN", NEW_YORK, "2018-01-02", 12.0, thin=True),
    _stock("NEWC", NEW_YORK, "2025-06-05", 30.0),
    _stock("0700.HK", HONG_KONG, "2018-01-02", 380.0),
    _stock("0005.HK", HONG_KONG, "2018-01-02", 65.0),
    _stock("2800.HK", HONG_KONG, "2018-01-02", 19.0),
)

STOCKS: Final = MappingProxyType({stock.ticker: stock for stock in _STOCKS})
"""By Yahoo's ticker."""
