"""Entries of the listing endpoint. Source: Gate API v4, "List all currency pairs supported"."""

from collections.abc import Mapping
from typing import Final

import orjson

from markethub.sandbox.bars import E8
from markethub.sandbox.listings import Listing
from markethub.sandbox.rows import print_e8

# The smallest order's worth in quote currencies other than a dollar's.
_MIN_QUOTE: Final[Mapping[str, str]] = {"BTC": "0.0001", "ETH": "0.001"}


def describe(listing: Listing, now_ms: int) -> bytes:
    """One entry as JSON. Precisions are counts of digits, times seconds; an unknown time is 0."""
    delisted_ms = listing.delisted_ms
    is_tradable = delisted_ms is None or now_ms < delisted_ms
    entry = {
        "id": listing.root,
        "base": listing.base,
        "base_name": listing.base,
        "quote": listing.quote,
        "quote_name": listing.quote,
        "fee": "0.2",
        "min_base_amount": print_short(listing.lot_e8),
        "min_quote_amount": _MIN_QUOTE.get(listing.quote, "3"),
        "amount_precision": _count_digits(listing.lot_e8),
        "precision": _count_digits(listing.tick_e8),
        "trade_status": "tradable" if is_tradable else "untradable",
        "sell_start": listing.listed_ms // 1000,
        "buy_start": listing.listed_ms // 1000,
        "delisting_time": 0 if delisted_ms is None else delisted_ms // 1000,
        "type": "normal",
        "st_tag": False,
    }
    return orjson.dumps(entry)


def print_short(amount_e8: int) -> str:
    """One non-negative amount without trailing zeros."""
    return print_e8(amount_e8).rstrip("0").rstrip(".")


def _count_digits(step_e8: int) -> int:
    """How many decimals a multiple of the step has at most."""
    digits = 0
    while step_e8 * 10**digits % E8:
        digits += 1
    return digits
