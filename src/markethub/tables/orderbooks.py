"""Order book snapshots as Arrow columns."""

import pyarrow as pa

from markethub.tables.records import TIME, RecordTable

ORDERBOOKS = RecordTable(
    name="orderbooks",
    schema=pa.schema(
        [
            pa.field("symbol", pa.string(), nullable=False),
            pa.field("time", TIME, nullable=False),
            pa.field("depth", pa.int32(), nullable=False),
            pa.field("sequence", pa.int64()),
            pa.field("bid_prices", pa.list_(pa.float64()), nullable=False),
            pa.field("bid_sizes", pa.list_(pa.float64()), nullable=False),
            pa.field("ask_prices", pa.list_(pa.float64()), nullable=False),
            pa.field("ask_sizes", pa.list_(pa.float64()), nullable=False),
        ]
    ),
    key=("symbol", "time", "depth"),
    time="time",
    owner="symbol",
)
"""One row per symbol, moment and asked depth: at most ``depth`` levels a side, best first, prices strictly
descending for bids and ascending for asks, the best bid below the best ask. A side may be empty.

``time`` is the venue's own where it tells one, else a lower bound of its clock when it was asked. Prices are
in the quote currency, sizes (above 0) in the base currency. ``sequence`` is the venue's number of the book's
state, null where there is none.
"""
