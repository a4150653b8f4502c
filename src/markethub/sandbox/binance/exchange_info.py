"""The listing endpoint in its present shape.

Source: Binance Spot REST API, "Exchange information" and "Filters".
"""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from markethub.sandbox.binance.names import Pair, PairNames
from markethub.sandbox.binance.parameters import read_flag, read_list, read_pairs
from markethub.sandbox.binance.refusals import refuse
from markethub.sandbox.binance.weights import weight_interval
from markethub.sandbox.listings import Listing
from markethub.sandbox.rows import print_e8
from markethub.sandbox.settings import SandboxSettings

_STATUSES: Final = ("TRADING", "HALT", "BREAK")
_PERMISSIONS: Final = ("SPOT", "MARGIN")
# What the venue prints where it limits nothing.
_UNLIMITED: Final = 10**9
# Shown for symbols that trade in these; the smallest order's worth.
_MIN_NOTIONAL: Final[Mapping[str, str]] = {"BTC": "0.00010000", "ETH": "0.00100000"}


class ExchangeInfo:
    """Answers ``/api/v3/exchangeInfo``."""

    def __init__(self, names: PairNames, settings: SandboxSettings) -> None:
        self._names = names
        interval, number = weight_interval(settings.weight_window_s)
        self._rate_limits = [
            _rate_limit("REQUEST_WEIGHT", interval, number, settings.weight_per_window),
            _rate_limit("ORDERS", "SECOND", 10, 100),
            _rate_limit("ORDERS", "DAY", 1, 200_000),
            _rate_limit("RAW_REQUESTS", "MINUTE", 5, settings.raw_requests_per_5_minutes),
        ]

    def answer(self, query: Mapping[str, str], now_ms: int) -> bytes:
        """The JSON body; raises the venue's refusal of wrong parameters."""
        pairs = self._choose(query, now_ms)
        show_sets = read_flag(query, "showPermissionSets", usual=True)
        return orjson.dumps(
            {
                "timezone": "UTC",
                "serverTime": now_ms,
                "rateLimits": self._rate_limits,
                "exchangeFilters": [],
                "symbols": [_describe(pair, now_ms, show_sets=show_sets) for pair in pairs],
            }
        )

    def _choose(self, query: Mapping[str, str], now_ms: int) -> list[Pair]:
        chosen = [name for name in ("symbol", "symbols", "permissions") if name in query]
        status = query.get("symbolStatus")
        if len(chosen) > 1 or (status is not None and {"symbol", "symbols"} & set(chosen)):
            raise refuse(-1128, "Combination of optional parameters invalid.")
        if status is not None and status not in _STATUSES:
            raise refuse(-1122, "Invalid symbolStatus.")
        if "symbol" in query:
            return [self._names.demand(query["symbol"], now_ms)]
        if "symbols" in query:
            return read_pairs(query["symbols"], self._names, now_ms)
        wanted = _read_permissions(query.get("permissions"))
        if not wanted & set(_PERMISSIONS):
            return []
        return [pair for pair in self._names.listed(now_ms) if status in (None, pair.status(now_ms))]


def _read_permissions(text: str | None) -> set[str]:
    if text is None:
        return set(_PERMISSIONS)
    return set(read_list(text, "permissions")) if text.startswith("[") else {text}


def _rate_limit(kind: str, interval: str, number: int, limit: int | None) -> dict[str, object]:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": _UNLIMITED if limit is None else limit,
    }


def _describe(pair: Pair, now_ms: int, *, show_sets: bool) -> dict[str, object]:
    listing = pair.listing
    entry: dict[str, object] = {
        "symbol": pair.name,
        "status": pair.status(now_ms),
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [
            "LIMIT",
            "LIMIT_MAKER",
            "MARKET",
            "STOP_LOSS",
            "STOP_LOSS_LIMIT",
            "TAKE_PROFIT",
            "TAKE_PROFIT_LIMIT",
        ],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": _filters(listing),
        "permissions": [],
        "permissionSets": [list(_PERMISSIONS)],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"],
    }
    if not show_sets:
        del entry["permissionSets"]
    return entry


def _filters(listing: Listing) -> Sequence[dict[str, object]]:
    tick, lot = print_e8(listing.tick_e8), print_e8(listing.lot_e8)
    most = print_e8(listing.lot_e8 * 900_000_000)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": print_e8(listing.tick_e8 * 100_000_000),
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": most, "stepSize": lot},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": most, "stepSize": "0.00000000"},
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": _MIN_NOTIONAL.get(listing.quote, "5.00000000"),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]
