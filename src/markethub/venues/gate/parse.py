"""Gate's answers as tables; pure. Any bytes give a value or one VenueProtocolError."""

from itertools import zip_longest
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.tables.klines import KLINES, SortedBars, check_times, no_bars, open_times_ms, sort_out_klines
from markethub.venues.gate.names import split_name
from markethub.venues.transport.faults import quote_body
from markethub.venues.transport.numbers import read_numbers, read_times_ms

# Source: "Market candlesticks" of the Gate API v4 page. Not the usual order of open, high, low, close.
_OPEN_TIME, _CLOSED = 0, 7
_NUMBERS = {"quote_volume": 1, "close": 2, "high": 3, "low": 4, "open": 5, "volume": 6}
_ROW_ITEMS = {7, 8}  # older answers, and the page's own example, lack the last one
_LONGEST_TIME = 12  # digits of a time in seconds

EARLIEST_MS = 1_483_228_800_000  # 2017: no clock of this venue can say less
LATEST_MS = 4_102_444_800_000  # 2100


class Candles(NamedTuple):
    """What one answer holds.

    ``closed`` are the bars before the first that the venue calls open; ``open_ms`` is the open time of that
    one, if there is one.
    """

    closed: SortedBars
    open_ms: int | None


def parse_candlesticks(body: bytes, interval: Interval, asked: Span, source: str) -> Candles:
    """Read an answer of ``/spot/candlesticks``; no order is documented, so the newest may come first.

    ``asked`` must end before the bar still open: rows that do not say whether they are closed are taken as
    closed. Rows whose numbers make no sense are set apart. VenueProtocolError, starting with ``source``,
    for rows whose open time is not in ``asked`` or not on the interval's grid, out of order or repeated,
    and for any that are no candlesticks.
    """
    rows = read_json(body, source)
    if not isinstance(rows, list):
        raise VenueProtocolError(f"{source}: not a list of candlesticks: {quote_body(body)}")
    if not rows:
        return Candles(no_bars(), None)
    if set(map(type, rows)) != {list} or not set(map(len, rows)) <= _ROW_ITEMS:
        raise VenueProtocolError(f"{source}: candlesticks are not rows of 7 or 8 items: {_quote(rows)}")
    columns = _to_columns(rows, source)
    table = _to_table(columns, asked, source)
    flags = columns[_CLOSED] if len(columns) > _CLOSED else ()
    if not set(flags) <= {"true", "false"}:
        raise VenueProtocolError(f"{source}: closed is neither true nor false: {_quote(sorted(set(flags)))}")
    check_times(table, interval, source)  # of the open bar as well

    def quote_row(position: int) -> str:
        return orjson.dumps([column[position] for column in columns]).decode()

    if "false" not in flags:
        return Candles(sort_out_klines(table, interval, source, quote_row), None)
    closed = flags.index("false")
    before = sort_out_klines(table.slice(0, closed), interval, source, quote_row)
    return Candles(before, open_times_ms(table)[closed].as_py())


def _to_columns(rows: list[list[Any]], source: str) -> list[tuple[str, ...]]:
    """The items of all rows by position, oldest row first."""
    columns = list(zip_longest(*rows, fillvalue="true"))
    for column in columns:
        if set(map(type, column)) != {str}:
            raise VenueProtocolError(
                f"{source}: a candlestick's items are not all in quotes: {_quote(column)}"
            )
    first, last = columns[_OPEN_TIME][0], columns[_OPEN_TIME][-1]
    newest_first = (len(first), first) > (len(last), last)  # as numbers, if they are any
    return [column[::-1] for column in columns] if newest_first else columns


def _to_table(columns: list[tuple[str, ...]], asked: Span, source: str) -> pa.Table:
    opens = read_times_ms(columns[_OPEN_TIME], 1000, _LONGEST_TIME)
    if opens is None:
        raise VenueProtocolError(f"{source}: open times are no seconds: {_quote(columns[_OPEN_TIME])}")
    earliest, latest = pc.min_max(opens).as_py().values()
    if earliest not in asked or latest not in asked:
        raise VenueProtocolError(f"{source}: open times {earliest}..{latest} were not asked for")
    values = {"open_time": opens.cast(KLINES.field("open_time").type)}
    for name, index in _NUMBERS.items():
        values[name] = read_numbers(columns[index])
    # The venue counts neither trades nor who took.
    return pa.Table.from_arrays(
        [
            values[field.name] if field.name in values else pa.nulls(len(opens), field.type)
            for field in KLINES
        ],
        schema=KLINES,
    )


def parse_server_time(body: bytes) -> int:
    """Unix milliseconds out of ``/spot/time``. Source: "Get server current time"."""
    match read_json(body, "server time"):
        case {"server_time": int(time_ms)} if EARLIEST_MS <= time_ms < LATEST_MS:
            return time_ms
    raise VenueProtocolError(f"server time: not a time: {quote_body(body)}")


def parse_currency_pairs(body: bytes) -> frozenset[Symbol]:
    """Read ``/spot/currency_pairs``; pairs that MarketHub cannot write are left out.

    Source: "List all currency pairs supported". Pairs that cannot be traded now are listed as well.
    """
    return frozenset(read_pairs(body))


def read_pairs(body: bytes) -> dict[Symbol, dict[str, Any]]:
    """The entries of ``/spot/currency_pairs`` by symbol, as they were sent but for ``id``, ``base`` and
    ``quote``, which were read; VenueProtocolError where there is none, or one pair twice."""
    source = "currency pairs"
    match read_json(body, source):
        case [_, *_] as entries:
            pass
        case _:
            # An empty listing would unlist everything.
            raise VenueProtocolError(f"{source}: none: {quote_body(body)}")
    pairs: dict[Symbol, dict[str, Any]] = {}
    for entry in entries:
        match entry:
            case {"id": str(name), "base": str(base), "quote": str(quote)}:
                pass
            case _:
                raise VenueProtocolError(f"{source}: not a pair: {_quote(entry)}")
        symbol = split_name(name)
        if symbol is None or (symbol.base, symbol.quote) != (base, quote):
            continue
        if symbol in pairs:
            raise VenueProtocolError(f"{source}: more than one {name}")
        pairs[symbol] = entry
    return pairs


def read_json(body: bytes, source: str) -> Any:  # noqa: ANN401 - JSON may be anything
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise VenueProtocolError(f"{source}: not JSON: {quote_body(body)}") from error


def _quote(value: object) -> str:
    return repr(value)[:200]
