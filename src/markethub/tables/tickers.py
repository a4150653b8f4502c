"""Ticker snapshots as Arrow columns."""

import pyarrow as pa

from markethub.tables.records import TIME, RecordTable

TICKERS = RecordTable(
    name="tickers",
    schema=pa.schema(
        [
            pa.field("symbol", pa.string(), nullable=False),
            pa.field("time", TIME, nullable=False),
            pa.field("last", pa.float64()),
            pa.field("bid", pa.float64()),
            pa.field("bid_size", pa.float64()),
            pa.field("ask", pa.float64()),
            pa.field("ask_size", pa.float64()),
            pa.field("open_24h", pa.float64()),
            pa.field("high_24h", pa.float64()),
            pa.field("low_24h", pa.float64()),
            pa.field("volume_24h", pa.float64()),
            pa.field("quote_volume_24h", pa.float64()),
        ]
    ),
    key=("symbol", "time"),
    time="time",
    owner="symbol",
)
"""One row per symbol and moment; the 24 hours end at ``time``.

``time`` is the venue's own where it tells one, else a lower bound of its clock when it was asked. Prices are
in the quote currency; sizes and ``volume_24h`` in the base currency, ``quote_volume_24h`` in the quote
currency. Null where a venue does not tell, or has none (an empty side of the book, no trade yet).
"""
