"""Fills (own trades) of an account as Arrow columns."""

import pyarrow as pa

from markethub.tables.records import AMOUNT, TIME, RecordTable

FILLS = RecordTable(
    name="fills",
    schema=pa.schema(
        [
            pa.field("account", pa.string(), nullable=False),
            pa.field("fill_id", pa.string(), nullable=False),
            pa.field("trade_id", pa.string()),
            pa.field("order_id", pa.string(), nullable=False),
            pa.field("client_order_id", pa.string()),
            pa.field("symbol", pa.string(), nullable=False),
            pa.field("side", pa.string(), nullable=False),
            pa.field("liquidity", pa.string()),
            pa.field("price", AMOUNT, nullable=False),
            pa.field("size", AMOUNT, nullable=False),
            pa.field("fee", AMOUNT),
            pa.field("fee_asset", pa.string()),
            pa.field("time", TIME, nullable=False),
            pa.field("recorded_time", TIME, nullable=False),
        ]
    ),
    key=("account", "fill_id"),
    time="time",
    owner="account",
)
"""One row per fill; ``fill_id`` is unique in the account (on OKX the bill id: trade ids repeat across
instruments).

``side`` is ``buy`` or ``sell``, ``liquidity`` ``maker`` or ``taker``. ``price`` is in the quote currency,
``size`` in the base currency; ``fee`` is a change of the account in units of ``fee_asset``: one that was paid
is negative. ``time`` is when it traded, ``recorded_time`` when the venue booked it, some milliseconds later.
"""
