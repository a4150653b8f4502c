"""OKX's answers as tables; pure. Any bytes give a value or one VenueProtocolError."""

from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.tables.klines import KLINES, check_klines, empty_klines, open_times_ms
from markethub.venues.okx.names import split_name
from markethub.venues.transport.faults import quote_body

# Sources: "Get candlesticks" and "Get candlesticks history" of the OKX API v5 guide. The fields are the open
# time, then these, then volCcyQuote (the same as volCcy for spot) and confirm.
_NUMBERS = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 6}
_ROW_ITEMS, _OPEN_TIME, _CONFIRM = 9, 0, 8
_LONGEST_TIME = 18  # digits: what always fits into 64 bits

_EARLIEST_MS = 1_483_228_800_000  # 2017: no clock of this venue can say less
_LATEST_MS = 4_102_444_800_000  # 2100


class Candles(NamedTuple):
    """What one answer holds.

    ``bars`` (schema KLINES, ascending, checked) are the confirmed ones before the first that is not;
    ``first_ms`` is the open time of the oldest row, ``unconfirmed_ms`` that of the oldest unconfirmed one.
    """

    bars: pa.Table
    first_ms: int | None
    unconfirmed_ms: int | None


def parse_candles(body: bytes, interval: Interval, asked: Span, source: str) -> Candles:
    """Read a page of either candle endpoint, newest row first as the venue sends it.

    VenueProtocolError, starting with ``source``, for rows whose open time is not in ``asked`` or not on the
    interval's grid in UTC, out of order, repeated, inconsistent, or not numbers.
    """
    rows = _read_data(body, source)
    if not rows:
        return Candles(empty_klines(), None, None)
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {_ROW_ITEMS}:
        raise VenueProtocolError(f"{source}: candles are not rows of {_ROW_ITEMS} items: {_quote(rows)}")
    columns = list(zip(*reversed(rows), strict=True))
    table = check_klines(_to_table(columns, asked, source), interval, source)
    times_ms: list[int] = open_times_ms(table).to_pylist()
    confirms = columns[_CONFIRM]
    if not set(confirms) <= {"0", "1"}:
        raise VenueProtocolError(f"{source}: confirm is neither 0 nor 1: {_quote(sorted(set(confirms)))}")
    confirmed = confirms.index("0") if "0" in confirms else len(rows)
    unconfirmed_ms = times_ms[confirmed] if confirmed < len(rows) else None
    return Candles(table.slice(0, confirmed), times_ms[0], unconfirmed_ms)


def _to_table(columns: list[tuple[Any, ...]], asked: Span, source: str) -> pa.Table:
    for column in columns:
        if set(map(type, column)) != {str}:
            raise VenueProtocolError(f"{source}: a candle's items are not all in quotes: {_quote(column)}")
    for text in columns[_OPEN_TIME]:
        if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIME and int(text) in asked):
            raise VenueProtocolError(f"{source}: open time {text[:40]!r} was not asked for")
    opens = pa.array(map(int, columns[_OPEN_TIME]), pa.int64())
    length = len(opens)
    values = {"open_time": opens.cast(KLINES.field("open_time").type)}
    for name, index in _NUMBERS.items():
        values[name] = _to_numbers(columns[index], source, name)
    # The venue counts neither trades nor who took.
    return pa.Table.from_arrays(
        [values[field.name] if field.name in values else pa.nulls(length, field.type) for field in KLINES],
        schema=KLINES,
    )


def _to_numbers(column: tuple[str, ...], source: str, name: str) -> pa.Array:
    try:
        return pa.array(column, pa.string()).cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise VenueProtocolError(f"{source}: {name}: {str(error)[:200]}") from error


def parse_server_time(body: bytes) -> int:
    """Unix milliseconds out of ``/api/v5/public/time``. Source: "Get system time"."""
    match _read_data(body, "server time"):
        case [{"ts": str(text)}] if text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIME:
            if _EARLIEST_MS <= int(text) < _LATEST_MS:
                return int(text)
    raise VenueProtocolError(f"server time: not a time: {quote_body(body)}")


def parse_instruments(body: bytes) -> frozenset[Symbol]:
    """Read ``/api/v5/public/instruments`` of spot; names that MarketHub cannot write are left out.

    Source: "Get instruments". Suspended pairs are listed, delisted ones are not.
    """
    source = "instruments"
    entries = _read_data(body, source)
    if not entries:
        # An empty listing would unlist everything.
        raise VenueProtocolError(f"{source}: none: {quote_body(body)}")
    symbols: set[Symbol] = set()
    for entry in entries:
        match entry:
            case {"instType": "SPOT", "instId": str(name), "baseCcy": str(base), "quoteCcy": str(quote)}:
                pass
            case _:
                raise VenueProtocolError(f"{source}: not a spot pair: {_quote(entry)}")
        symbol = split_name(name)
        if symbol is not None and (symbol.base, symbol.quote) == (base, quote):
            symbols.add(symbol)
    return frozenset(symbols)


def _read_data(body: bytes, source: str) -> list[Any]:
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise VenueProtocolError(f"{source}: not JSON: {quote_body(body)}") from error
    match envelope:
        case {"code": "0", "data": list(data)}:
            return data
    raise VenueProtocolError(f"{source}: not a success with data: {quote_body(body)}")


def _quote(value: object) -> str:
    return repr(value)[:200]
