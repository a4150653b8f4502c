"""Klines over OKX's REST API."""

from typing import NamedTuple

import pyarrow as pa

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time
from markethub.ports.venue import KlinePage
from markethub.tables.klines import SortedBars, cut_klines, empty_klines
from markethub.tables.rejects import Reject
from markethub.venues.okx.candles import CandleDoors, first_window
from markethub.venues.okx.directory import Directory
from markethub.venues.okx.limits import PAGE_ROWS
from markethub.venues.okx.names import CODE, join_name
from markethub.venues.transport.server_clock import ServerClock

# Several caches stand behind the host, and a later answer may be older than an earlier one. "Market Data" of
# the OKX API v5 guide tells no number: for this long after its close a bar may be absent or unconfirmed.
_SETTLING_MS = 60_000


class _Reading(NamedTuple):
    """The bars of a window and the time up to which they are all there are."""

    bars: pa.Table
    complete_ms: int
    rejected: tuple[Reject, ...] = ()


class OkxKlines:
    """A KlineSource. Sources: "Get candlesticks" and "Get candlesticks history" of the OKX API v5 guide."""

    label: str = "rest"

    def __init__(self, doors: CandleDoors, directory: Directory, clock: ServerClock) -> None:
        self._doors = doors
        self._directory = directory
        self._clock = clock

    async def klines(self, series: Series, span: Span) -> KlinePage:
        """The first page of ``span``: up to 300 bars that were closed before the question was sent.

        One request where the page is full of bars; more where its first bar is missing, because only a
        second look tells a hole from a page cut short. SymbolNotListedError for a pair the venue does not
        know; nothing is asked for a span that has not closed yet.
        """
        join_name(series.symbol)  # refuses a symbol of another venue before anything is asked
        # Read before the question is sent: a bar that closes while it is under way may come back unfinished.
        now_ms = await self._clock.passed_ms(span.end_ms)
        closed = span_or_none(span.start_ms, min(span.end_ms, series.interval.floor(now_ms)))
        if closed is None:
            return KlinePage(empty_klines(), None)
        # Their times are unsigned, and nothing opened before 1970.
        asked = span_or_none(series.interval.ceil(max(closed.start_ms, 1)), closed.end_ms)
        if asked is None:  # too narrow to hold an open time
            return KlinePage(empty_klines(), closed)
        reading = await self._read(series, asked, now_ms)
        if reading is None:
            reading = await self._read_after_gap(series, asked, now_ms)
        covered = span_or_none(closed.start_ms, reading.complete_ms)
        return KlinePage(reading.bars, covered, reading.rejected)

    async def listed(self, symbol: Symbol) -> bool:
        """Whether the venue lists the symbol, trading or suspended, by a listing at most an hour old."""
        return symbol.venue == CODE and symbol in await self._directory.listing()

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:  # noqa: ARG002
        """No wall is documented."""
        return None

    async def _read(
        self, series: Series, asked: Span, now_ms: int, *, only_history: bool = False
    ) -> _Reading | None:
        """The first window of ``asked``; None when it shows no row."""
        window = first_window(asked, series.interval)
        if only_history:
            candles = await self._doors.ask_history(series, window)
        else:
            candles = await self._doors.ask_window(series, window, now_ms)
        parts: list[SortedBars] = []
        open_ms: int | None = None
        # A page that is too long for the server loses its oldest rows: it is whole once it shows the first
        # bar of the window, or once nothing is found before its own first bar.
        while (first_ms := candles.first_ms) is not None:
            parts.append(candles.confirmed)
            if candles.unconfirmed_ms is not None:
                open_ms = candles.unconfirmed_ms
            if first_ms == window.start_ms:
                break
            candles = await self._doors.ask_history(series, Span(window.start_ms, first_ms))
        if not parts:
            return None
        bars = pa.concat_tables([part.bars for part in reversed(parts)])
        rejected = tuple(reject for part in reversed(parts) for reject in part.rejected)
        if open_ms is not None:
            _check_fresh(series, open_ms, now_ms)
            before = span_or_none(window.start_ms, open_ms)
            early = tuple(reject for reject in rejected if reject.span.start_ms < open_ms)
            return _Reading(cut_klines(bars, before) if before else empty_klines(), open_ms, early)
        last_ms = max(part.last_ms for part in parts if part.last_ms is not None)
        # What is missing at the newer end is left to the next page, whose first bar it is.
        return _Reading(bars, min(last_ms + series.interval.width_ms, window.end_ms), rejected)

    async def _read_after_gap(self, series: Series, asked: Span, now_ms: int) -> _Reading:
        """The page of the first bar of ``asked``, however far away, when the first window showed none."""
        start_ms = await self._find_page(series, asked)
        if start_ms >= asked.end_ms:
            settled_ms = series.interval.floor(now_ms - _SETTLING_MS)
            return _Reading(empty_klines(), min(asked.end_ms, max(settled_ms, asked.start_ms)))
        rest = Span(start_ms, asked.end_ms)
        reading = await self._read(series, rest, now_ms, only_history=True)
        if reading is None:
            where = first_window(rest, series.interval)
            raise VenueProtocolError(
                f"OKX candles of {series}: none in {where}, though the history has shown one there"
            )
        return reading

    async def _find_page(self, series: Series, asked: Span) -> int:
        """A time before which ``asked`` has no bar, at most a page before its first one; its end if none.

        Asks by the one cursor whose meaning is beyond doubt: the newest bar before a time.
        """
        width_ms = series.interval.width_ms
        low_ms, high_ms = asked.start_ms, asked.end_ms
        probe_ms = high_ms
        while True:
            newest_ms = await self._doors.newest_before(series, probe_ms)
            if newest_ms is None or newest_ms < low_ms:
                low_ms = probe_ms
            else:
                high_ms = newest_ms + width_ms
            if low_ms >= asked.end_ms or high_ms - low_ms <= PAGE_ROWS * width_ms:
                return low_ms
            probe_ms = series.interval.floor((low_ms + high_ms) // 2)


def _check_fresh(series: Series, open_ms: int, now_ms: int) -> None:
    """Refuse an unconfirmed bar whose time is up for too long to be an old cache's."""
    overdue_ms = now_ms - (open_ms + series.interval.width_ms)
    if overdue_ms > _SETTLING_MS:
        raise VenueProtocolError(
            f"OKX candles of {series}: the bar of {format_time(open_ms)} is still not confirmed "
            f"{overdue_ms // 1000} s after its close"
        )
