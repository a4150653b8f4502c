"""Klines over Gate's REST API."""

from markethub.domain.errors import VenueProtocolError, VenueRefusedError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time
from markethub.ports.venue import KlinePage
from markethub.tables.klines import empty_klines
from markethub.venues.gate.directory import Directory
from markethub.venues.gate.limits import DEPTH_BARS, PAGE_BARS
from markethub.venues.gate.names import CODE, join_name
from markethub.venues.gate.parse import Candles, parse_candlesticks
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock

CANDLESTICKS_PATH = "/spot/candlesticks"
_PAGE_BYTES = 4 * 1024 * 1024  # a full page is 91 kB

# A question may wait for its turn while the oldest bars fall out of reach.
_DEPTH_MARGIN_BARS = 20
# What a refusal names can still be asked for when the reader has understood it.
_READER_MARGIN_BARS = 20

# For this long after its close a bar may be absent or still marked as open; the venue tells no number.
_SETTLING_MS = 60_000


class GateKlines:
    """A KlineSource. Source: "Market candlesticks" of the Gate API v4 page."""

    label: str = "rest"

    def __init__(self, caller: VenueCaller, directory: Directory, clock: ServerClock) -> None:
        self._caller = caller
        self._directory = directory
        self._clock = clock

    async def klines(self, series: Series, span: Span) -> KlinePage:
        """The first page of ``span``: the bars at up to 1000 open times that were closed before it was asked.

        VenueRefusedError where ``span`` begins further back than the venue answers for; no request is spent,
        and the message says from when on bars can be had. SymbolNotListedError for a pair the venue does not
        know. Nothing is asked for a span that has not closed yet.
        """
        name = join_name(series.symbol)
        # Read before the question is sent: a bar that closes while it is under way may come back unfinished.
        now_ms = await self._clock.passed_ms(span.end_ms)
        closed = span_or_none(span.start_ms, min(span.end_ms, series.interval.floor(now_ms)))
        if closed is None:
            return KlinePage(empty_klines(), None)
        asked = span_or_none(series.interval.ceil(closed.start_ms), closed.end_ms)
        if asked is None:  # too narrow to hold an open time
            return KlinePage(empty_klines(), closed)
        _check_depth(series, asked, now_ms)
        width_ms = series.interval.width_ms
        window = Span(asked.start_ms, min(asked.end_ms, asked.start_ms + PAGE_BARS * width_ms))
        candles = await self._ask(name, series, window)
        complete_ms = _complete_ms(candles, series, window, now_ms)
        covered = span_or_none(closed.start_ms, complete_ms)
        return KlinePage(candles.closed.bars, covered, candles.closed.rejected)

    async def listed(self, symbol: Symbol) -> bool:
        """Whether the venue lists the symbol, tradable or not, by a listing at most an hour old."""
        return symbol.venue == CODE and symbol in await self._directory.listing()

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:
        """The venue answers for the last 10,000 bars only, of which the oldest go while one asks."""
        return _first_answered_ms(interval, now_ms) + _READER_MARGIN_BARS * interval.width_ms

    async def _ask(self, name: str, series: Series, window: Span) -> Candles:
        subject = f"klines of {series} in {window}"
        question = Question(
            path=CANDLESTICKS_PATH,
            params={
                "currency_pair": name,
                "interval": series.interval.value,
                # In seconds, both inclusive; a limit beside them would be refused.
                "from": window.start_ms // 1000,
                "to": series.interval.floor(window.end_ms - 1) // 1000,
            },
            weight=1,
            subject=subject,
            max_bytes=_PAGE_BYTES,
        )
        body = await self._caller.ask(question)
        return parse_candlesticks(body, series.interval, window, f"{CODE} {subject}")


def _check_depth(series: Series, asked: Span, now_ms: int) -> None:
    """Refuse what the venue is known to refuse."""
    interval = series.interval
    first_ms = _first_answered_ms(interval, now_ms)
    if asked.start_ms < first_ms:
        from_ms = first_ms + _READER_MARGIN_BARS * interval.width_ms
        raise VenueRefusedError(
            f"{CODE} klines of {series} in {asked}: the venue answers only for the last {DEPTH_BARS} bars; "
            f"{interval} bars can be had from {format_time(from_ms)} on"
        )


def _first_answered_ms(interval: Interval, now_ms: int) -> int:
    return interval.floor(now_ms) - (DEPTH_BARS - _DEPTH_MARGIN_BARS) * interval.width_ms


def _complete_ms(candles: Candles, series: Series, window: Span, now_ms: int) -> int:
    """The time up to which the bars of a page are all there are in its window."""
    if candles.open_ms is not None:
        _check_fresh(series, candles.open_ms, now_ms)
        return candles.open_ms
    if candles.closed.last_ms is not None:
        # What is missing at the newer end is left to the next page, which asks for it alone.
        return min(candles.closed.last_ms + series.interval.width_ms, window.end_ms)
    settled_ms = series.interval.floor(now_ms - _SETTLING_MS)
    return min(window.end_ms, max(settled_ms, window.start_ms))


def _check_fresh(series: Series, open_ms: int, now_ms: int) -> None:
    """Refuse a bar that is marked as open long after its time is up."""
    overdue_ms = now_ms - (open_ms + series.interval.width_ms)
    if overdue_ms > _SETTLING_MS:
        raise VenueProtocolError(
            f"{CODE} klines of {series}: the bar of {format_time(open_ms)} is still marked as open "
            f"{overdue_ms // 1000} s after its close"
        )
