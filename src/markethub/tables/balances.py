"""Balance snapshots as Arrow columns."""

import pyarrow as pa

from markethub.tables.records import AMOUNT, TIME, RecordTable

TRADING, FUNDING = "trading", "funding"
"""The wallets: where orders are paid from (a venue's spot account), and where deposits arrive."""

BALANCES = RecordTable(
    name="balances",
    schema=pa.schema(
        [
            pa.field("account", pa.string(), nullable=False),
            pa.field("wallet", pa.string(), nullable=False),
            pa.field("asset", pa.string(), nullable=False),
            pa.field("time", TIME, nullable=False),
            pa.field("free", AMOUNT, nullable=False),
            pa.field("locked", AMOUNT, nullable=False),
            pa.field("total", AMOUNT, nullable=False),
            pa.field("updated_time", TIME),
        ]
    ),
    key=("account", "wallet", "asset", "time"),
    time="time",
    owner="account",
)
"""One row per account, wallet, asset and moment, in units of the asset; ``total`` is what the venue says, or
``free`` + ``locked`` where it says none.

All wallets of one snapshot carry the same ``time``, a lower bound of the venue's clock when it was asked.
An asset that is absent from a snapshot was zero then; that a snapshot was taken at all, also of an empty
account, is told by the store's claims. ``updated_time`` is the venue's time of the last change, null where
it tells none.
"""
