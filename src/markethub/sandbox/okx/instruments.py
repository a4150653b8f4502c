"""Entries of the listing endpoint. Source: OKX API v5 guide, "Get instruments"."""

import orjson

from markethub.sandbox.okx.names import Pair
from markethub.sandbox.rows import print_e8

# What means nothing for a spot pair is an empty text.
_EMPTY = (
    "alias",
    "contTdSwTime",
    "ctMult",
    "ctType",
    "ctVal",
    "ctValCcy",
    "expTime",
    "instFamily",
    "optType",
    "settleCcy",
    "stk",
    "uly",
)
_MOST = "9999999999"


def describe(pair: Pair) -> bytes:
    """One entry as JSON; every value is text."""
    listing = pair.listing
    entry = dict.fromkeys(_EMPTY, "") | {
        "baseCcy": listing.base,
        "category": "1",
        "instId": pair.name,
        "instType": "SPOT",
        "lever": "10",
        "listTime": str(listing.listed_ms),
        "lotSz": _print_step(listing.lot_e8),
        "maxIcebergSz": _MOST,
        "maxLmtSz": _MOST,
        "maxMktSz": "1000000",
        "maxStopSz": "1000000",
        "maxTriggerSz": _MOST,
        "maxTwapSz": _MOST,
        "minSz": _print_step(listing.lot_e8),
        "quoteCcy": listing.quote,
        "state": "live",
        "tickSz": _print_step(listing.tick_e8),
    }
    return orjson.dumps(dict(sorted(entry.items())))


def _print_step(step_e8: int) -> str:
    return print_e8(step_e8).rstrip("0").rstrip(".")
