"""Order books as the venue prints them. Source: Binance Spot REST API, "Order book"."""

import orjson

from markethub.sandbox.bars import Integers
from markethub.sandbox.quotes import Book
from markethub.sandbox.rows import print_e8


def print_book(book: Book | None) -> bytes:
    """The JSON of ``/api/v3/depth``, which has no time; empty for a pair that does not trade."""
    if book is None:
        return orjson.dumps({"lastUpdateId": 0, "bids": [], "asks": []})
    return orjson.dumps(
        {"lastUpdateId": book.sequence, "bids": _print_side(book.bids), "asks": _print_side(book.asks)}
    )


def _print_side(levels: Integers) -> list[tuple[str, str]]:
    return [(print_e8(price), print_e8(size)) for price, size in levels.T.tolist()]
