"""OKX's answers as tables; pure. Any bytes give a value or one VenueProtocolError."""

from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.tables.klines import KLINES, SortedBars, check_times, no_bars, open_times_ms, sort_out_klines
from markethub.venues.okx.names import split_name
from markethub.venues.transport.faults import quote_body, quote_value
from markethub.venues.transport.numbers import read_numbers, read_times_ms

# Sources: "Get candlesticks" and "Get candlesticks history" of the OKX API v5 guide. The fields are the open
# time, then these, then volCcyQuote (the same as volCcy for spot) and confirm.
_NUMBERS = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 6}
_ROW_ITEMS, _OPEN_TIME, _CONFIRM = 9, 0, 8
_LONGEST_TIME = 18  # digits: what always fits into 64 bits

_EARLIEST_MS = 1_483_228_800_000  # 2017: no clock of this venue can say less
_LATEST_MS = 4_102_444_800_000  # 2100


class Candles(NamedTuple):
    """What one answer holds.

    ``confirmed`` are the bars before the first that is not; ``first_ms`` is the open time of the oldest row,
    ``unconfirmed_ms`` that of the oldest unconfirmed one.
    """

    confirmed: SortedBars
    first_ms: int | None
    unconfirmed_ms: int | None


def parse_candles(body: bytes, interval: Interval, asked: Span, source: str) -> Candles:
    """Read a page of either candle endpoint, newest row first as the venue sends it.

    Rows whose numbers make no sense are set apart. VenueProtocolError, starting with ``source``, for rows
    whose open time is not in ``asked`` or not on the interval's grid in UTC, out of order or repeated, and
    for any that are no candles.
    """
    rows = read_data(body, source)
    if not rows:
        return Candles(no_bars(), None, None)
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {_ROW_ITEMS}:
        raise VenueProtocolError(f"{source}: candles are not rows of {_ROW_ITEMS} items: {_quote(rows)}")
    columns = list(zip(*reversed(rows), strict=True))
    table = _to_table(columns, asked, source)
    times_ms: list[int] = open_times_ms(table).to_pylist()
    confirms = columns[_CONFIRM]
    if not set(confirms) <= {"0", "1"}:
        raise VenueProtocolError(f"{source}: confirm is neither 0 nor 1: {_quote(sorted(set(confirms)))}")
    confirmed = confirms.index("0") if "0" in confirms else len(rows)
    unconfirmed_ms = times_ms[confirmed] if confirmed < len(rows) else None
    check_times(table, interval, source)  # of unconfirmed bars as well

    def quote_row(position: int) -> str:
        return orjson.dumps([column[position] for column in columns]).decode()

    before = sort_out_klines(table.slice(0, confirmed), interval, source, quote_row)
    return Candles(before, times_ms[0], unconfirmed_ms)


def _to_table(columns: list[tuple[Any, ...]], asked: Span, source: str) -> pa.Table:
    for column in columns:
        if set(map(type, column)) != {str}:
            raise VenueProtocolError(f"{source}: a candle's items are not all in quotes: {_quote(column)}")
    opens = read_times_ms(columns[_OPEN_TIME], 1, _LONGEST_TIME)
    if opens is None:
        raise VenueProtocolError(f"{source}: open times are no times: {_quote(columns[_OPEN_TIME])}")
    earliest, latest = pc.min_max(opens).as_py().values()
    if earliest not in asked or latest not in asked:
        raise VenueProtocolError(f"{source}: open times {earliest}..{latest} were not asked for")
    length = len(opens)
    values = {"open_time": opens.cast(KLINES.field("open_time").type)}
    for name, index in _NUMBERS.items():
        values[name] = read_numbers(columns[index])
    # The venue counts neither trades nor who took.
    return pa.Table.from_arrays(
        [values[field.name] if field.name in values else pa.nulls(length, field.type) for field in KLINES],
        schema=KLINES,
    )


def parse_server_time(body: bytes) -> int:
    """Unix milliseconds out of ``/api/v5/public/time``. Source: "Get system time"."""
    match read_data(body, "server time"):
        case [{"ts": text}]:
            return read_time_ms(text, "ts", "server time")
    raise VenueProtocolError(f"server time: not a time: {quote_body(body)}")


def read_time_ms(text: object, name: str, source: str) -> int:
    """Unix milliseconds as the venue writes them; VenueProtocolError unless from 2017 on and before 2100."""
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIME:
        time_ms = int(text)
        if _EARLIEST_MS <= time_ms < _LATEST_MS:
            return time_ms
    raise VenueProtocolError(f"{source}: {name} {_quote(text)} is not a time")


def parse_instruments(body: bytes) -> frozenset[Symbol]:
    """The symbols of ``read_instruments``: suspended pairs are listed, delisted ones are not."""
    return frozenset(symbol for symbol, _ in read_instruments(body))


def read_instruments(body: bytes) -> list[tuple[Symbol, dict[str, Any]]]:
    """The entries of ``/api/v5/public/instruments`` of spot with their symbols, in the venue's order.

    Names that MarketHub cannot write are left out. A pair that is only announced may lack everything but its
    name, state and listing time. Source: "Get instruments".
    """
    source = "instruments"
    entries = read_data(body, source)
    if not entries:
        # An empty listing would unlist everything.
        raise VenueProtocolError(f"{source}: none: {quote_body(body)}")
    pairs: list[tuple[Symbol, dict[str, Any]]] = []
    for entry in entries:
        match entry:
            case {"instType": "SPOT", "instId": str(name), "baseCcy": str(base), "quoteCcy": str(quote)}:
                pass
            case _:
                raise VenueProtocolError(f"{source}: not a spot pair: {_quote(entry)}")
        symbol = split_name(name)
        if symbol is not None and (base, quote) in ((symbol.base, symbol.quote), ("", "")):
            pairs.append((symbol, entry))
    return pairs


def read_data(body: bytes, source: str) -> list[Any]:
    """What a successful answer holds; VenueProtocolError, starting with ``source``, for any other."""
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise VenueProtocolError(f"{source}: not JSON: {quote_body(body)}") from error
    match envelope:
        case {"code": "0", "data": list(data)}:
            return data
    raise VenueProtocolError(f"{source}: not a success with data: {quote_body(body)}")


def _quote(value: object) -> str:
    return quote_value(value)
