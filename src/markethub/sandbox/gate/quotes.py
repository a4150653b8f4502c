"""Tickers and order books as Gate prints them. Sources: Gate API v4, "Retrieve ticker information" and
"Retrieve order book"."""

import orjson

from markethub.sandbox.bars import Integers
from markethub.sandbox.gate.currency_pairs import print_short
from markethub.sandbox.listings import Listing
from markethub.sandbox.quotes import Quotes
from markethub.sandbox.rows import print_e8


def print_ticker(quotes: Quotes, listing: Listing, now_ms: int, *, with_sizes: bool) -> bytes | None:
    """One entry as JSON; None for a pair that does not trade. Only a single pair is told with sizes."""
    day = quotes.day(listing, now_ms)
    top = quotes.book(listing, now_ms, 1)
    if day is None or top is None:
        return None
    asks, bids = top.asks, top.bids
    entry = {
        "currency_pair": listing.root,
        "last": print_short(day.last_e8),
        "lowest_ask": print_short(int(asks[0, 0])) if asks.size else "",
        "highest_bid": print_short(int(bids[0, 0])) if bids.size else "",
    }
    if with_sizes:
        entry["lowest_size"] = print_short(int(asks[1, 0])) if asks.size else ""
        entry["highest_size"] = print_short(int(bids[1, 0])) if bids.size else ""
    entry |= {
        "change_percentage": _percent(day.last_e8, day.open_e8),
        "change_utc0": _percent(day.last_e8, day.opens[0]),
        "change_utc8": _percent(day.last_e8, day.opens[1]),
        "base_volume": print_e8(day.volume_e8),
        "quote_volume": print_e8(day.quote_e8),
        "high_24h": print_short(day.high_e8),
        "low_24h": print_short(day.low_e8),
    }
    return orjson.dumps(entry)


def print_book(quotes: Quotes, listing: Listing, now_ms: int, depth: int, *, with_id: bool) -> bytes:
    """The book as JSON; empty for a pair that does not trade."""
    book = quotes.book(listing, now_ms, depth)
    entry: dict[str, object] = {"current": now_ms, "update": now_ms, "asks": [], "bids": []}
    if book is not None:
        entry |= {"update": book.updated_ms, "asks": _print_side(book.asks), "bids": _print_side(book.bids)}
    if with_id:
        entry = {"id": 0 if book is None else book.sequence} | entry
    return orjson.dumps(entry)


def _print_side(levels: Integers) -> list[list[str]]:
    return [[print_short(price), print_short(size)] for price, size in levels.T.tolist()]


def _percent(now_e8: int, then_e8: int) -> str:
    """The change in percent with two decimals, without trailing zeros."""
    text = f"{(now_e8 - then_e8) / then_e8 * 100:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
