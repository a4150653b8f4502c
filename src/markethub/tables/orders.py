"""Orders of an account as Arrow columns."""

import pyarrow as pa

from markethub.tables.records import AMOUNT, TIME, RecordTable

ORDERS = RecordTable(
    name="orders",
    schema=pa.schema(
        [
            pa.field("account", pa.string(), nullable=False),
            pa.field("order_id", pa.string(), nullable=False),
            pa.field("client_order_id", pa.string()),
            pa.field("symbol", pa.string(), nullable=False),
            pa.field("side", pa.string(), nullable=False),
            pa.field("type", pa.string(), nullable=False),
            pa.field("status", pa.string(), nullable=False),
            pa.field("price", AMOUNT),
            pa.field("size", AMOUNT, nullable=False),
            pa.field("size_currency", pa.string(), nullable=False),
            pa.field("filled_size", AMOUNT, nullable=False),
            pa.field("average_price", AMOUNT),
            pa.field("fee", AMOUNT),
            pa.field("fee_asset", pa.string()),
            pa.field("rebate", AMOUNT),
            pa.field("rebate_asset", pa.string()),
            pa.field("created_time", TIME, nullable=False),
            pa.field("updated_time", TIME, nullable=False),
        ]
    ),
    key=("account", "order_id"),
    time="created_time",
    owner="account",
)
"""One row per order, as it stood when it was last fetched.

``side`` is ``buy`` or ``sell``; ``type`` the venue's own word (``limit``, ``market``, ``post_only``, ...);
``status`` is ``filled``, ``canceled`` (a part may be filled), ``partially_filled`` or ``live``. Prices are in
the quote currency, null for a market order or without a fill; ``size`` is in the base currency where
``size_currency`` is ``base``, in the quote currency where it is ``quote`` (a market buy by value);
``filled_size`` is always in the base currency. ``fee`` and ``rebate`` are changes of the account in units of
their asset: a fee that was paid is negative. Null where the venue tells none.
"""
