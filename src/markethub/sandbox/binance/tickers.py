"""The 24 hour tickers. Source: Binance Spot REST API, "24hr ticker price change statistics"."""

from collections.abc import Mapping
from typing import Final

import orjson

from markethub.sandbox.bars import E8
from markethub.sandbox.binance.names import Pair, PairNames
from markethub.sandbox.binance.parameters import read_pairs
from markethub.sandbox.binance.refusals import refuse
from markethub.sandbox.intervals import DAY_MS
from markethub.sandbox.quotes import DayStats, Quotes
from markethub.sandbox.rows import print_e8

_FULL_ONLY: Final = (
    "priceChange",
    "priceChangePercent",
    "weightedAvgPrice",
    "prevClosePrice",
    "lastQty",
    "bidPrice",
    "bidQty",
    "askPrice",
    "askQty",
)
_NOTHING: Final = print_e8(0)


class Tickers:
    """Answers ``/api/v3/ticker/24hr``, in step with the bars and the books."""

    def __init__(self, names: PairNames, quotes: Quotes) -> None:
        self._names = names
        self._quotes = quotes

    def answer(self, query: Mapping[str, str], now_ms: int) -> bytes:
        """The JSON body, one object for ``symbol`` and a list otherwise; raises the venue's refusals."""
        if {"symbol", "symbols"} <= set(query):
            raise refuse(-1128, "Combination of optional parameters invalid.")
        kind = query.get("type", "FULL")
        if kind not in ("FULL", "MINI"):
            raise refuse(-1139, "Invalid ticker type.")
        if "symbol" in query:
            pairs = [self._names.demand(query["symbol"], now_ms)]
        elif "symbols" in query:
            pairs = read_pairs(query["symbols"], self._names, now_ms)
        else:
            pairs = self._names.listed(now_ms)
        entries = [self._describe(pair, now_ms) for pair in pairs]
        if kind == "MINI":
            entries = [_shorten(entry) for entry in entries]
        return orjson.dumps(entries[0] if "symbol" in query else entries)

    def _describe(self, pair: Pair, now_ms: int) -> dict[str, object]:
        """Zeros up to its end for a pair that stopped trading; what the venue says then is unverified."""
        day = self._quotes.day(pair.listing, now_ms)
        book = self._quotes.book(pair.listing, now_ms, 1)
        end_ms = now_ms if day is not None else pair.listing.delisted_ms or now_ms
        bid = (_NOTHING, _NOTHING) if book is None else _print_top(book.bids.T.tolist())
        ask = (_NOTHING, _NOTHING) if book is None else _print_top(book.asks.T.tolist())
        return {
            "symbol": pair.name,
            **_print_day(day or DayStats(0, 0, 0, 0, 0, 0, 0, (0, 0))),
            "lastQty": print_e8(0 if day is None else pair.listing.lot_e8),
            "bidPrice": bid[0],
            "bidQty": bid[1],
            "askPrice": ask[0],
            "askQty": ask[1],
            "openTime": end_ms - DAY_MS,
            "closeTime": end_ms,
            "firstId": end_ms // 1000 if day else -1,
            "lastId": end_ms // 1000 + day.trades - 1 if day else -1,
            "count": day.trades if day else 0,
        }


def _print_day(day: DayStats) -> dict[str, object]:
    change_e8 = day.last_e8 - day.open_e8
    mean_e8 = day.quote_e8 * E8 // day.volume_e8 if day.volume_e8 else 0
    percent = change_e8 / day.open_e8 * 100 if day.open_e8 else 0.0
    return {
        "priceChange": ("-" if change_e8 < 0 else "") + print_e8(abs(change_e8)),
        "priceChangePercent": f"{percent:.3f}",
        "weightedAvgPrice": print_e8(mean_e8),
        "prevClosePrice": print_e8(day.open_e8),
        "lastPrice": print_e8(day.last_e8),
        "openPrice": print_e8(day.open_e8),
        "highPrice": print_e8(day.high_e8),
        "lowPrice": print_e8(day.low_e8),
        "volume": print_e8(day.volume_e8),
        "quoteVolume": print_e8(day.quote_e8),
    }


def _print_top(levels: list[list[int]]) -> tuple[str, str]:
    if not levels:
        return _NOTHING, _NOTHING
    price_e8, size_e8 = levels[0]
    return print_e8(price_e8), print_e8(size_e8)


def _shorten(entry: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in entry.items() if name not in _FULL_ONLY}
