"""Binance's answers as tables; pure. Any bytes give a value or one VenueProtocolError."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from markethub.domain.errors import InputError, VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.tables.klines import KLINES, SortedBars, no_bars, sort_out_klines
from markethub.venues.binance.names import CODE, Listing
from markethub.venues.transport.faults import quote_body
from markethub.venues.transport.numbers import read_numbers

# Source: "Kline/Candlestick data" of the Binance Spot REST API page.
_ROW_ITEMS = 12
_OPEN_TIME, _CLOSE_TIME, _TRADES = 0, 6, 8
_NUMBERS = {
    "open": 1,
    "high": 2,
    "low": 3,
    "close": 4,
    "volume": 5,
    "quote_volume": 7,
    "taker_volume": 9,
    "taker_quote_volume": 10,
}

EARLIEST_MS = 1_483_228_800_000  # 2017: no clock of this venue can say less
LATEST_MS = 4_102_444_800_000  # 2100


_INTERVALS_S = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400}


class WeightLimit(NamedTuple):
    """``limit`` of request weight in windows of ``number`` ``interval`` s (``SECOND`` to ``DAY``)."""

    limit: int
    interval: str
    number: int

    @property
    def window_s(self) -> int:
        return self.number * _INTERVALS_S[self.interval]

    @property
    def header(self) -> str:
        """Which header tells what was used. Source: "IP Limits" of the Binance Spot REST API page."""
        return f"X-MBX-USED-WEIGHT-{self.number}{self.interval[0]}"


class ExchangeInfo(NamedTuple):
    """The listing, the limit of request weight where the venue told it, and for each symbol of the
    listing its entry as the venue sent it, of which only the names are checked."""

    listing: Listing
    weight_limit: WeightLimit | None
    entries: Mapping[Symbol, Mapping[str, Any]]


def parse_klines(body: bytes, interval: Interval, asked: Span, source: str) -> SortedBars:
    """Read a page of ``/api/v3/klines``; rows whose numbers make no sense are set apart.

    VenueProtocolError, starting with ``source``, for rows whose open time is not in ``asked``, off the
    grid, out of order or repeated, and for any that are no rows of klines. ``asked`` must end before the
    bar still open: then that is refused as well.
    """
    rows = read_json(body, source)
    if not isinstance(rows, list):
        raise VenueProtocolError(f"{source}: not a list of klines: {quote_body(body)}")
    if not rows:
        return no_bars()
    table = _to_table(rows, interval, asked, source)
    return sort_out_klines(table, interval, source, lambda position: orjson.dumps(rows[position]).decode())


def _to_table(rows: list[Any], interval: Interval, asked: Span, source: str) -> pa.Table:
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {_ROW_ITEMS}:
        raise VenueProtocolError(f"{source}: klines are not rows of {_ROW_ITEMS} items: {_quote(rows)}")
    columns = list(zip(*rows, strict=True))
    opens = _to_integers(columns[_OPEN_TIME], source, "open time")
    closes = _to_integers(columns[_CLOSE_TIME], source, "close time")
    trades = _to_integers(columns[_TRADES], source, "number of trades")
    # The range first: it keeps the sum below from overflowing.
    outside = (opens < asked.start_ms) | (opens >= asked.end_ms)
    if outside.any():
        raise VenueProtocolError(f"{source}: not asked for: {_quote(rows[outside.argmax()])}")
    # A bar cut short by an outage may close early, as long as it closes inside its own width.
    wrong = (closes < opens) | (closes >= opens + interval.width_ms)
    if wrong.any():
        row = _quote(rows[wrong.argmax()])
        raise VenueProtocolError(f"{source}: close time is not that of a {interval}: {row}")
    values: dict[str, pa.Array] = {
        "open_time": pa.array(opens).cast(KLINES.field("open_time").type),
        "trades": pa.array(trades),
    }
    for name, index in _NUMBERS.items():
        values[name] = _to_numbers(columns[index], source, name)
    return pa.Table.from_arrays([values[name] for name in KLINES.names], schema=KLINES)


def _to_integers(column: tuple[Any, ...], source: str, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    if set(map(type, column)) != {int}:  # the type itself: True is an int to isinstance
        raise VenueProtocolError(f"{source}: {name} is not a whole number")
    try:
        return np.array(column, dtype=np.int64)
    except OverflowError as error:
        raise VenueProtocolError(f"{source}: {name} out of range") from error


def _to_numbers(column: tuple[Any, ...], source: str, name: str) -> pa.Array:
    if set(map(type, column)) != {str}:
        raise VenueProtocolError(f"{source}: {name} is not a decimal in quotes")
    return read_numbers(column)


def parse_server_time(body: bytes) -> int:
    """Unix milliseconds out of ``/api/v3/time``."""
    match read_json(body, "server time"):
        case {"serverTime": int(time_ms)} if EARLIEST_MS <= time_ms < LATEST_MS:
            return time_ms
    raise VenueProtocolError(f"server time: not a time: {quote_body(body)}")


def parse_exchange_info(body: bytes) -> ExchangeInfo:
    """Read ``/api/v3/exchangeInfo``; symbols that MarketHub cannot name are left out."""
    source = "exchange information"
    info = read_json(body, source)
    match info:
        case {"symbols": [_, *_] as entries}:
            pass
        case _:
            # An empty listing would unlist everything.
            raise VenueProtocolError(f"{source}: no symbols: {quote_body(body)}")
    symbols: dict[str, Symbol] = {}
    kept: dict[Symbol, Mapping[str, Any]] = {}
    for entry in entries:
        match entry:
            case {"symbol": str(name), "baseAsset": str(base), "quoteAsset": str(quote)}:
                pass
            case _:
                raise VenueProtocolError(f"{source}: not a symbol: {_quote(entry)}")
        if name in symbols:
            raise VenueProtocolError(f"{source}: {name} is listed twice")
        if name != base + quote:
            continue
        try:
            symbol = Symbol(CODE, f"{base}_{quote}")
        except InputError:
            continue
        symbols[name] = symbol
        kept[symbol] = entry
    trading = frozenset(symbol for symbol, entry in kept.items() if entry.get("status") == "TRADING")
    return ExchangeInfo(Listing(symbols, trading), _read_weight_limit(info), kept)


def _read_weight_limit(info: dict[str, Any]) -> WeightLimit | None:
    rules = info.get("rateLimits")
    for rule in rules if isinstance(rules, list) else []:
        match rule:
            case {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": str(interval),
                "intervalNum": int(number),
                "limit": int(limit),
            } if interval in _INTERVALS_S and _is_count(number, 1_000) and _is_count(limit, 2**31):
                return WeightLimit(limit, interval, number)
    return None


def _is_count(value: int, end: int) -> bool:
    return value is not True and 0 < value < end


def read_json(body: bytes, source: str) -> Any:  # noqa: ANN401 - JSON may be anything
    """The document in ``body``; VenueProtocolError, starting with ``source``, if it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise VenueProtocolError(f"{source}: not JSON: {quote_body(body)}") from error


def _quote(value: object) -> str:
    return repr(value)[:200]
