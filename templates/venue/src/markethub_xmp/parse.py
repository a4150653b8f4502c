"""The venue's answers as tables; pure. Any bytes give a value or one VenueProtocolError."""

from typing import Any

import orjson
import pyarrow as pa

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.tables.klines import KLINES, SortedBars, no_bars, sort_out_klines
from markethub.venues.transport.faults import quote_body
from markethub.venues.transport.numbers import read_numbers
from markethub_xmp.names import split_name

# Source: "Candles" of the API page. Seconds, then text: open, high, low, close, volume in the base currency.
_ROW_ITEMS = 6
_NUMBERS = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}


def parse_candles(body: bytes, interval: Interval, asked: Span, source: str) -> SortedBars:
    """Read a page of ``/v1/candles``, oldest first; rows whose numbers make no sense are set apart.

    VenueProtocolError, starting with ``source``, for rows that were not asked for, out of order, repeated or
    off the interval's grid, and for whatever is no page of candles.
    """
    rows = _read_json(body, source)
    if not isinstance(rows, list):
        raise VenueProtocolError(f"{source}: not a list of candles: {quote_body(body)}")
    if not rows:
        return no_bars()
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {_ROW_ITEMS}:
        raise VenueProtocolError(f"{source}: candles are not rows of {_ROW_ITEMS} items: {quote_body(body)}")
    table = _to_table(list(zip(*rows, strict=True)), asked, source)
    return sort_out_klines(table, interval, source, lambda at: orjson.dumps(rows[at]).decode())


def _to_table(columns: list[tuple[Any, ...]], asked: Span, source: str) -> pa.Table:
    times, *numbers = columns
    # The type itself: True is an int to isinstance.
    if set(map(type, times)) != {int} or any(set(map(type, column)) != {str} for column in numbers):
        raise VenueProtocolError(f"{source}: a candle is not a time and five numbers in quotes")
    opens_ms = [time * 1000 for time in times]
    if any(open_ms not in asked for open_ms in opens_ms):
        raise VenueProtocolError(f"{source}: open times {min(times)}..{max(times)} were not asked for")
    values = {name: read_numbers(columns[index]) for name, index in _NUMBERS.items()}
    values["open_time"] = pa.array(opens_ms, pa.int64()).cast(KLINES.field("open_time").type)
    return pa.Table.from_arrays(
        # What a venue does not tell is null, never 0.
        [values.get(field.name, pa.nulls(len(times), field.type)) for field in KLINES],
        schema=KLINES,
    )


def parse_pairs(body: bytes) -> frozenset[Symbol]:
    """Read ``/v1/pairs``; pairs that MarketHub cannot write are left out."""
    match _read_json(body, "pairs"):
        case [_, *_] as names if set(map(type, names)) == {str}:
            return frozenset(symbol for name in names if (symbol := split_name(str(name))))
    # An empty listing would unlist everything.
    raise VenueProtocolError(f"pairs: not a list of names: {quote_body(body)}")


def parse_server_time(body: bytes) -> int:
    """Unix milliseconds out of ``/v1/time``."""
    match _read_json(body, "server time"):
        case {"now": int(seconds)} if 1_400_000_000 <= seconds < 4_102_444_800:
            return seconds * 1000
    raise VenueProtocolError(f"server time: not a time: {quote_body(body)}")


def _read_json(body: bytes, source: str) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise VenueProtocolError(f"{source}: not JSON: {quote_body(body)}") from error
