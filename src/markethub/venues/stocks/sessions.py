"""When stocks trade: sessions, half days, lunch breaks and holidays, by the package exchange_calendars."""

import threading
import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from markethub.domain.errors import MissingExtraError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge, subtract
from markethub.domain.times import from_ms, parse_time
from markethub.venues.stocks.exchanges import Exchange

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_FIRST_DATE: Final = {"XNYS": date(1962, 1, 2), "XHKG": date(1986, 4, 2)}
"""Nobody here has older bars: Yahoo's begin in 1962; Hong Kong's exchanges were united in April 1986."""
_AHEAD: Final = timedelta(days=400)
_LAST_MS: Final = parse_time("2049-01-01")  # exchange_calendars knows lunar holidays up to 2049

_HONG_KONG_LUNCHES: Final = (
    # until this date (exclusive), break from and to, in minutes after midnight in Hong Kong
    ("2011-03-07", 12 * 60 + 30, 14 * 60 + 30),
    ("2012-03-05", 12 * 60, 13 * 60 + 30),
)
"""exchange_calendars has today's break at all times. Source: HKEx news, "Extension of Trading Hours"."""
_HONG_KONG_OFFSET_MS: Final = 8 * 3_600_000


@dataclass(frozen=True, slots=True)
class _Table:
    """Session dates (at 00:00 UTC), the last instant they are known for, and the runs of trading in UTC."""

    dates: Integers
    end_ms: int
    starts: Integers
    ends: Integers


class StockSessions:
    """The trading times of one market; a Sessions (``ports/venue.py``) that knows its bars as well.

    The calendar is read when it is first needed: MissingExtraError where it is not installed. Thread-safe.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._table: _Table | None = None
        self._lock = threading.Lock()

    def closed(self, interval: Interval, span: Span) -> list[Span]:
        """The parts of ``span`` at whose grid points no bar can open, ascending.

        Daily bars are labelled by their session's date at 00:00 UTC, others by the instant they open.
        """
        return subtract(span, self.trading(interval, span))

    def trading(self, interval: Interval, span: Span) -> list[Span]:
        """The parts of ``span`` in which bars open, ascending, not touching; the opposite of ``closed``."""
        starts, ends = self._runs(interval, span)
        low = int(ends.searchsorted(span.start_ms, side="right"))
        high = int(starts.searchsorted(span.end_ms, side="left"))
        runs = (
            Span(max(int(start), span.start_ms), min(int(end), span.end_ms))
            for start, end in zip(starts[low:high], ends[low:high], strict=True)
        )
        return merge(runs)

    def has_bars(self, interval: Interval, open_ms: Integers) -> Flags:
        """For each open time whether a bar of the market can open there."""
        if not len(open_ms):
            return np.zeros(0, dtype=np.bool_)
        starts, ends = self._runs(interval, Span(int(open_ms.min()), int(open_ms.max()) + 1))
        at = starts.searchsorted(open_ms, side="right") - 1
        inside: Flags = (at >= 0) & (open_ms < ends[at])
        return inside

    def load(self) -> None:
        """Read the calendar, which takes a second: call it off the event loop before the first use."""
        self._load_until(0)

    def _runs(self, interval: Interval, span: Span) -> tuple[Integers, Integers]:
        """Starts and ends of the runs in which bars of an interval open; neighbours may touch."""
        table = self._load_until(min(span.end_ms, _LAST_MS))
        width_ms = interval.width_ms
        if interval is Interval.D1:
            return table.dates, table.dates + width_ms
        return table.starts // width_ms * width_ms, -(-table.ends // width_ms) * width_ms

    def _load_until(self, end_ms: int) -> _Table:
        with self._lock:
            if self._table is None or end_ms > self._table.end_ms:
                until_ms = min(max(end_ms, _now_ms()), _LAST_MS)
                self._table = _read_calendar(self._exchange, from_ms(until_ms).date() + _AHEAD)
            return self._table


def _read_calendar(exchange: Exchange, last: date) -> _Table:
    try:
        # Imported late: it brings pandas, and whoever has no stocks need not have it.
        import exchange_calendars  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            f"{exchange.name} need the exchange's calendar: install markethub[stocks]"
        ) from error
    first = _FIRST_DATE[exchange.calendar]
    with warnings.catch_warnings():
        # The package uses names that pandas is about to drop; that is between the two of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar: Any = exchange_calendars.get_calendar(
            exchange.calendar, start=first.isoformat(), end=last.isoformat()
        )
        schedule = calendar.schedule
    dates = _to_ms(schedule.index)
    opens, closes = _to_ms(schedule["open"]), _to_ms(schedule["close"])
    breaks = [_to_ms(schedule[name]) for name in ("break_start", "break_end")]
    if exchange.calendar == "XHKG":
        _correct_lunches(dates, *breaks)
    has_break = breaks[0] > 0
    starts = np.sort(np.concatenate((opens, breaks[1][has_break])))
    ends = np.sort(np.concatenate((closes, breaks[0][has_break])))
    end_ms = int((datetime(last.year, last.month, last.day, tzinfo=UTC)).timestamp() * 1000)
    return _Table(dates, end_ms, starts, ends)


def _correct_lunches(dates: Integers, starts: Integers, ends: Integers) -> None:
    since_ms = 0
    for until, from_minute, to_minute in _HONG_KONG_LUNCHES:
        until_ms = parse_time(until)
        concerned = (starts > 0) & (dates >= since_ms) & (dates < until_ms)
        midnights = dates[concerned] - _HONG_KONG_OFFSET_MS
        starts[concerned] = midnights + from_minute * 60_000
        ends[concerned] = midnights + to_minute * 60_000
        since_ms = until_ms


def _to_ms(times: Any) -> Integers:  # noqa: ANN401 - a pandas index or series, with or without a zone
    """Unix milliseconds; where there is no time (pandas' NaT), a number below 0."""
    whole: Integers = np.asarray(times, dtype="datetime64[ms]").astype(np.int64)
    return whole.copy()


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
