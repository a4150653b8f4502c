"""Records of orders, fills and transfers as rows of their tables; pure.

Any records give rows, rejects, or one VenueProtocolError.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

from markethub.domain.symbol import Account
from markethub.tables.fills import FILLS
from markethub.tables.orders import ORDERS
from markethub.venues.okx.ledger_entries import (
    Entry,
    EntryColumns,
    EntryFields,
    Tabulated,
    null_if_empty,
)
from markethub.venues.okx.names import split_name
from markethub.venues.okx.parse import read_time_ms

ORDER_FIELDS: Final = EntryFields(id="ordId", time="cTime", paged_time="cTime")
FILL_FIELDS: Final = EntryFields(id="billId", time="fillTime", paged_time="ts")

_SPOT: Final = MappingProxyType({"SPOT": "spot"})
_SIDES: Final = MappingProxyType({"buy": "buy", "sell": "sell"})
_LIQUIDITY: Final = MappingProxyType({"T": "taker", "M": "maker", "": None})
_STATES: Final = MappingProxyType(
    {
        "filled": "filled",
        "canceled": "canceled",
        "mmp_canceled": "canceled",
        "partially_filled": "partially_filled",
        "live": "live",
    }
)
_SIZE_CURRENCIES: Final = MappingProxyType({"base_ccy": "base", "quote_ccy": "quote", "": None})


def tabulate_orders(entries: Sequence[Entry], account: Account, source: str) -> Tabulated:
    """Rows of ORDERS. Source: "Get order history (last 7 days)" and "(last 3 months)".

    The size of a market buy is in the quote currency unless ``tgtCcy`` says otherwise: "Default is quote_ccy
    for buy". Fee and rebate are as the venue signs them; for a maker's sale ``fee`` is their sum in the quote
    currency and ``rebate`` the part in the base currency.
    """
    columns = EntryColumns(entries, source)
    columns.words("instType", _SPOT)
    values = _place(columns, account)
    types = columns.texts("ordType")
    columns.reject("ordType is empty", [not word for word in types])
    sides = columns.words("side", _SIDES)
    currencies = columns.words("tgtCcy", _SIZE_CURRENCIES)
    size_currencies = [
        currency or ("quote" if (word, side) == ("market", "buy") else "base")
        for currency, word, side in zip(currencies, types, sides, strict=True)
    ]
    values |= {
        "order_id": [entry.id for entry in entries],
        "side": sides,
        "type": types,
        "status": columns.words("state", _STATES),
        "price": columns.price("px"),
        "size": columns.positive("sz"),
        "size_currency": size_currencies,
        "filled_size": columns.at_least_zero("accFillSz"),
        "average_price": columns.price("avgPx"),
        "fee": columns.amounts("fee"),
        "fee_asset": null_if_empty(columns.texts("feeCcy")),
        "rebate": columns.amounts("rebate"),
        "rebate_asset": null_if_empty(columns.texts("rebateCcy")),
        "created_time": [entry.time_ms for entry in entries],
        "updated_time": [read_update_ms(entry, source) for entry in entries],
    }
    return columns.tabulate(ORDERS, values)


def read_update_ms(entry: Entry, source: str) -> int:
    """When an order changed last; VenueProtocolError unless it is a time."""
    return read_time_ms(entry.row.get("uTime"), "uTime", source)


def tabulate_fills(entries: Sequence[Entry], account: Account, source: str) -> Tabulated:
    """Rows of FILLS; ``fill_id`` is the bill id, as trade ids repeat across instruments.

    Source: "Get transaction details (last 3 months)". ``order_id`` is an empty text for block trades.
    """
    columns = EntryColumns(entries, source)
    columns.words("instType", _SPOT)
    values = _place(columns, account) | {
        "fill_id": [entry.id for entry in entries],
        "trade_id": null_if_empty(columns.texts("tradeId")),
        "order_id": columns.texts("ordId"),
        "side": columns.words("side", _SIDES),
        "liquidity": columns.words("execType", _LIQUIDITY),
        "price": columns.positive("fillPx"),
        "size": columns.positive("fillSz"),
        "fee": columns.amounts("fee"),
        "fee_asset": null_if_empty(columns.texts("feeCcy")),
        "time": [entry.time_ms for entry in entries],
        "recorded_time": [entry.paged_ms for entry in entries],
    }
    return columns.tabulate(FILLS, values)


def _place(columns: EntryColumns, account: Account) -> dict[str, Any]:
    """The columns that say whose and where."""
    names = columns.texts("instId")
    symbols = {name: split_name(name) for name in set(names)}
    columns.reject("instId is no name of a pair", [symbols[name] is None for name in names])
    return {
        "account": [str(account)] * len(names),
        "client_order_id": null_if_empty(columns.texts("clOrdId")),
        "symbol": [str(symbols[name]) for name in names],
    }
