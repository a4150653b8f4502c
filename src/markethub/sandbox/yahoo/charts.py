"""Charts as JSON, in Yahoo's shape and with Yahoo's single-precision noise."""

import math
from typing import Any, Final

import numpy as np
import orjson

from markethub.domain.span import Span
from markethub.sandbox.yahoo.history import Floats, Rows, splits_known
from markethub.sandbox.yahoo.stocks import Stock
from markethub.sandbox.yahoo.trading_days import HONG_KONG

_NAMES: Final = ("open", "high", "low", "close")


def print_chart(
    stock: Stock, rows: Rows, interval: str, *, events: Span | None, first_ms: int, now_ms: int
) -> bytes:
    """The reply; ``events`` is the span whose splits are told, None where they were not asked for."""
    offset_s = 8 * 3600 if stock.place is HONG_KONG else -5 * 3600
    result: dict[str, Any] = {
        "meta": {
            "currency": stock.place.currency,
            "symbol": stock.ticker,
            "exchangeName": stock.place.exchange,
            "instrumentType": "EQUITY",
            "firstTradeDate": first_ms // 1000,
            "regularMarketTime": now_ms // 1000,
            "gmtoffset": offset_s,
            "exchangeTimezoneName": stock.place.zone,
            "priceHint": 2,
            "dataGranularity": interval,
        }
    }
    quote: dict[str, list[float | None]] = {}
    if rows.times_s:
        result["timestamp"] = rows.times_s
        quote = {name: _prices(rows.values[at]) for at, name in enumerate(_NAMES)}
        quote["volume"] = [None if math.isnan(volume) else round(volume) for volume in rows.values[4]]
    splits = splits_known(stock, now_ms) if events is not None else []
    told = {
        str(open_ms // 1000): {
            "date": open_ms // 1000,
            "numerator": split.numerator,
            "denominator": split.denominator,
            "splitRatio": f"{split.numerator}:{split.denominator}",
        }
        for open_ms, split in splits
        if events is not None and open_ms in events
    }
    if told:
        result["events"] = {"splits": told}
    result["indicators"] = {"quote": [quote]}
    if interval == "1d":
        adjusted = {"adjclose": _prices(rows.adj_close)} if rows.times_s else {}
        result["indicators"]["adjclose"] = [adjusted]
    return orjson.dumps({"chart": {"result": [result], "error": None}})


def _prices(column: Floats) -> list[float | None]:
    return [None if math.isnan(price) else price for price in column.astype(np.float32).tolist()]
