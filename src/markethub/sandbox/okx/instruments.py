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
    "instFamily",
    "optType",
    "settleCcy",
    "stk",
    "uly",
)
_MOST = "9999999999"
# An announced pair has nothing but its name, state and listing time until then.
_COMPLETE_AHEAD_MS = 300_000


def describe(pair: Pair, now_ms: int) -> bytes:
    """One entry as JSON; every value is text."""
    listing = pair.listing
    end_ms = pair.announced_end_ms(now_ms)
    entry = dict.fromkeys(_EMPTY, "") | {
        "baseCcy": listing.base,
        "category": "1",
        "expTime": "" if end_ms is None else str(end_ms),
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
        "state": pair.state(now_ms) or "",
        "tickSz": _print_step(listing.tick_e8),
    }
    if now_ms < listing.listed_ms - _COMPLETE_AHEAD_MS:
        told = ("instType", "instId", "listTime", "state")
        entry = {name: text if name in told else "" for name, text in entry.items()}
    return orjson.dumps(dict(sorted(entry.items())))


def _print_step(step_e8: int) -> str:
    return print_e8(step_e8).rstrip("0").rstrip(".")
