"""What Binance documents about its limits.

Sources: "General API Information" and "LIMITS" of the Binance Spot REST API page, and the endpoints' own
sections for their weights; "Request limit on the API endpoints" of the Binance developers' forum for what
lies below ``/sapi``, and "Funding Wallet" and "Get API Key Permission" of the Wallet pages.
"""

from collections.abc import Sequence

REQUEST_WEIGHT_PER_MINUTE = 6_000
"""Per address, not per key. ``exchangeInfo`` tells the present one in ``rateLimits``.

RAW_REQUESTS (300,000 per 5 minutes) cannot bind: at 2 weight a request it is 20 times what the weight allows.
"""

USED_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"

TIME_WEIGHT = 1
EXCHANGE_INFO_WEIGHT = 20
KLINES_WEIGHT = 2
"""Whatever the number of rows, so the largest page is always the one to ask for."""

KLINES_PAGE_ROWS = 1_000

ACCOUNT_WEIGHT = 20

TICKERS_MOST = 100
"""Symbols in one question by name; for more, the question for all of them costs less or nothing more."""

_TICKERS_WEIGHTS = ((20, 2), (TICKERS_MOST, 40))
_ALL_TICKERS_WEIGHT = 80

BOOK_LEVELS_MOST = 1_000
_BOOK_WEIGHTS = ((100, 5), (500, 25), (BOOK_LEVELS_MOST, 50))

SAPI_WEIGHT_PER_MINUTE = 12_000
"""Per address for each endpoint below ``/sapi`` that is limited by address, independent of ``/api``.

We count the endpoints together, which is on the safe side. What is limited by account instead (180,000 a
minute) is not used here.
"""

SAPI_USED_WEIGHT_HEADER = "X-SAPI-USED-IP-WEIGHT-1M"

FUNDING_WEIGHT = 1
RIGHTS_WEIGHT = 1


def weigh_tickers(symbol_count: int | None) -> int:
    """The weight of 24 hour tickers for so many symbols by name, None for all of them."""
    if symbol_count is None:
        return _ALL_TICKERS_WEIGHT
    return next((weight for most, weight in _TICKERS_WEIGHTS if symbol_count <= most), _ALL_TICKERS_WEIGHT)


def weigh_book(levels: int) -> int:
    """The weight of an order book of so many levels a side, 1 to 1000."""
    return next(weight for most, weight in _BOOK_WEIGHTS if levels <= most)


def split_tickers(names: Sequence[str]) -> list[Sequence[str]] | None:
    """The cheapest questions that ask for all ``names`` by name, None where asking for everything is.

    No more than 100 names are ever cut in two: one answer is one moment.
    """
    parts = [names[start : start + TICKERS_MOST] for start in range(0, len(names), TICKERS_MOST)]
    by_name = sum(weigh_tickers(len(part)) for part in parts)
    return parts if by_name < _ALL_TICKERS_WEIGHT else None
