"""Yahoo's charts as arrays; pure. Any bytes give a chart or one VenueProtocolError.

The answer is documented nowhere; its shape is what many clients read::

    {"chart": {"error": null, "result": [{
        "meta": {"symbol": "AAPL", "exchangeTimezoneName": "America/New_York", "dataGranularity": "1d", ...},
        "timestamp": [1598880600, ...],
        "events": {"splits": {"1598880600": {"date": 1598880600, "numerator": 4, "denominator": 1, ...}}},
        "indicators": {
            "quote": [{"open": [...], "high": [...], "low": [...], "close": [...], "volume": [...]}],
            "adjclose": [{"adjclose": [...]}]}}]}}

Without any bar, ``timestamp`` is missing and ``quote`` is ``[{}]``.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from markethub.domain.errors import VenueProtocolError
from markethub.venues.stocks.sessions import Integers
from markethub.venues.stocks.yahoo.errors import says_no_data
from markethub.venues.transport.faults import quote_body

Floats = NDArray[np.float64]

FIELDS: Final = ("open", "high", "low", "close", "volume")
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
_LATEST_S: Final = 4_102_444_800  # 2100
_EARLIEST_S: Final = -2_208_988_800  # 1900
_LARGEST_RATIO: Final = 1e6


class Asked(NamedTuple):
    """What an answer must be about."""

    ticker: str
    granularity: str
    zone: str


class Split(NamedTuple):
    """``ratio`` new shares for one old one (0.05 for a reverse split of 1 to 20), from ``time_s`` on."""

    time_s: int
    ratio: float


class Chart(NamedTuple):
    """One answer: ``values`` has a row for each of FIELDS and a column per time, NaN where Yahoo has null.

    Times are as Yahoo sent them, in Unix seconds, never falling. ``adjclose`` is all NaN for minute bars.
    """

    times_s: Integers
    values: Floats
    adjclose: Floats
    splits: tuple[Split, ...]

    def take(self, kept: NDArray[Any]) -> "Chart":
        """The chart with only some of its bars, by position or by flag."""
        return Chart(self.times_s[kept], self.values[:, kept], self.adjclose[kept], self.splits)


def parse_chart(body: bytes, asked: Asked, source: str) -> Chart:
    """Read an answer; VenueProtocolError, starting with ``source``, if it is none to what was asked."""
    if says_no_data(400, body):
        return _EMPTY
    result = _find_result(body, source)
    _check_meta(result.get("meta"), asked, source)
    times = result.get("timestamp")
    splits = _read_splits(result, source)
    if times is None or times == []:
        return _EMPTY._replace(splits=splits)
    times_s = _read_times(times, source)
    match result.get("indicators"):
        case {"quote": [{**quote}], **others}:
            pass
        case _:
            raise VenueProtocolError(f"{source}: a chart without quotes: {quote_body(body)}")
    values = np.stack([_read_column(quote.get(name), len(times_s), name, source) for name in FIELDS])
    adjclose = np.full(len(times_s), np.nan)
    match others:
        case {"adjclose": [{"adjclose": column}]}:
            adjclose = _read_column(column, len(times_s), "adjclose", source)
    return Chart(times_s, values, adjclose, splits)


def _find_result(body: bytes, source: str) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise VenueProtocolError(f"{source}: not JSON: {quote_body(body)}") from error
    match answer:
        case {"chart": {"result": [dict(result)]}}:
            return result
    raise VenueProtocolError(f"{source}: not a chart: {quote_body(body)}")


def _check_meta(meta: object, asked: Asked, source: str) -> None:
    match meta:
        case {"symbol": str(symbol), "dataGranularity": str(granularity), "exchangeTimezoneName": str(zone)}:
            told = Asked(symbol.upper(), granularity, zone)
        case _:
            raise VenueProtocolError(f"{source}: the chart does not say what it shows: {_quote(meta)}")
    if told != asked:
        # Where a span is too long for an interval, Yahoo has been seen to answer with a coarser one.
        raise VenueProtocolError(f"{source}: the chart shows {_quote(tuple(told))}, not {tuple(asked)}")


def _read_times(times: object, source: str) -> Integers:
    if not isinstance(times, list) or set(map(type, times)) != {int}:
        raise VenueProtocolError(f"{source}: times are not whole seconds: {_quote(times)}")
    if not (min(times) >= _EARLIEST_S and max(times) < _LATEST_S):
        raise VenueProtocolError(f"{source}: times outside 1900 to 2100: {_quote(times)}")
    found: Integers = np.array(times, dtype=np.int64)
    if (np.diff(found) < 0).any():
        raise VenueProtocolError(f"{source}: times out of order: {_quote(times)}")
    return found


def _read_column(column: object, length: int, name: str, source: str) -> Floats:
    if not isinstance(column, list) or len(column) != length:
        raise VenueProtocolError(f"{source}: not one {name} for each time: {_quote(column)}")
    if not set(map(type, column)) <= {int, float, type(None)}:
        raise VenueProtocolError(f"{source}: {name} is not all numbers: {_quote(column)}")
    return np.array(column, dtype=np.float64)


def _read_splits(result: dict[str, Any], source: str) -> tuple[Split, ...]:
    match result.get("events"):
        case None:
            return ()
        case {"splits": {**splits}}:
            return tuple(sorted(_read_split(split, source) for split in splits.values()))
        case {**events} if "splits" not in events:
            return ()
    raise VenueProtocolError(f"{source}: events are not an object: {_quote(result['events'])}")


def _read_split(split: object, source: str) -> Split:
    match split:
        case {
            "date": int(time_s),
            "numerator": int() | float() as new,
            "denominator": int() | float() as old,
        }:
            if new > 0 < old and _EARLIEST_S <= time_s < _LATEST_S:
                ratio = new / old
                if 1 / _LARGEST_RATIO <= ratio <= _LARGEST_RATIO:
                    return Split(time_s, ratio)
    raise VenueProtocolError(f"{source}: not a split: {_quote(split)}")


def _quote(value: object) -> str:
    return repr(value)[:200]


_EMPTY: Final = Chart(np.empty(0, np.int64), np.empty((len(FIELDS), 0)), np.empty(0), ())
