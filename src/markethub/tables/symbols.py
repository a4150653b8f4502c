"""Instruments as Arrow columns: what a venue lists now, and what it listed when."""

import pyarrow as pa

from markethub.tables.records import AMOUNT, TIME, RecordTable

_FACTS = [
    pa.field("venue_name", pa.string(), nullable=False),
    pa.field("base", pa.string(), nullable=False),
    pa.field("quote", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False),
    pa.field("venue_status", pa.string(), nullable=False),
    pa.field("tick_size", AMOUNT),
    pa.field("lot_size", AMOUNT),
    pa.field("min_size", AMOUNT),
    pa.field("min_notional", AMOUNT),
    pa.field("listed_time", TIME),
    pa.field("delisted_time", TIME),
]

FACTS = tuple(field.name for field in _FACTS)
"""The columns that a venue tells; a change of one of them begins a new version of the instrument."""

LISTING = pa.schema([pa.field("symbol", pa.string(), nullable=False), *_FACTS])
"""What one venue lists at one moment: one row per instrument, ascending by ``symbol`` (``BTC_USDT.BNC``).

``venue_name`` is the venue's own spelling. ``status`` is ``trading``, ``halted`` (listed, but no trading
now), ``pre_open`` or ``delisting`` (still listed, trading ended or restricted for good); ``venue_status``
the venue's own word. ``tick_size`` is the step of prices and ``min_notional`` a value, both in the quote
currency; ``lot_size`` is the step of quantities and ``min_size`` a quantity, both in the base currency.
Null: the venue has no such rule or does not tell. ``delisted_time`` is the announced or past end of
trading.
"""

SYMBOLS = RecordTable(
    name="symbols",
    schema=pa.schema(
        [
            pa.field("symbol", pa.string(), nullable=False),
            pa.field("seen_from", TIME, nullable=False),
            pa.field("seen_until", TIME),
            *_FACTS,
        ]
    ),
    key=("symbol", "seen_from"),
    time="seen_from",
    owner="symbol",
)
"""Versions of instruments: one row per symbol and set of facts, in force from ``seen_from`` until before
``seen_until``; null there means still in force at the newest listing of its venue.

Both are times of listings of ours: a venue does not tell when it changed a tick. Where a symbol's last
version has an end, the venue no longer lists it. One that comes back begins a new version.
"""
