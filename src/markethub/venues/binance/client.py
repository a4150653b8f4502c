"""Klines over Binance's REST API."""

from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series, Symbol
from markethub.ports.venue import KlinePage
from markethub.tables.klines import SortedBars, empty_klines
from markethub.venues.binance.directory import Directory
from markethub.venues.binance.limits import KLINES_PAGE_ROWS, KLINES_WEIGHT
from markethub.venues.binance.names import CODE
from markethub.venues.binance.parse import parse_klines
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock

_PAGE_BYTES = 4 * 1024 * 1024  # a full page is 180 kB


class BinanceKlines:
    """A KlineSource. Source: "Kline/Candlestick data" of the Binance Spot REST API page."""

    label: str = "rest"

    def __init__(self, caller: VenueCaller, directory: Directory, clock: ServerClock) -> None:
        self._caller = caller
        self._directory = directory
        self._clock = clock

    async def klines(self, series: Series, span: Span) -> KlinePage:
        """The first page of ``span``: up to 1000 bars that were closed before the question was sent.

        SymbolNotListedError for a pair the venue does not know; nothing is asked for a span that has not
        closed yet.
        """
        name = await self._directory.name(series.symbol)
        # Read before the question is sent: a bar that closes while it is under way may come back unfinished.
        now_ms = await self._clock.passed_ms(span.end_ms)
        closed = span_or_none(span.start_ms, min(span.end_ms, series.interval.floor(now_ms)))
        if closed is None:
            return KlinePage(empty_klines(), None)
        asked = span_or_none(series.interval.ceil(closed.start_ms), closed.end_ms)
        if asked is None:  # too narrow to hold an open time
            return KlinePage(empty_klines(), closed)
        page = await self._ask(name, series, asked)
        return KlinePage(page.bars, _covered(page, closed, series.interval), page.rejected)

    async def listed(self, symbol: Symbol) -> bool:
        """Whether the venue lists the symbol, trading or halted, by a listing at most an hour old."""
        return symbol.venue == CODE and symbol in await self._directory.listing()

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:  # noqa: ARG002
        """No wall is documented."""
        return None

    async def _ask(self, name: str, series: Series, asked: Span) -> SortedBars:
        subject = f"klines of {series} in {asked}"
        question = Question(
            path="/api/v3/klines",
            params={
                "symbol": name,
                "interval": series.interval.value,
                "startTime": asked.start_ms,
                "endTime": asked.end_ms - 1,  # theirs is inclusive
                "limit": KLINES_PAGE_ROWS,
            },
            weight=KLINES_WEIGHT,
            subject=subject,
            max_bytes=_PAGE_BYTES,
        )
        body = await self._caller.ask(question)
        return parse_klines(body, series.interval, asked, f"BNC {subject}")


def _covered(page: SortedBars, closed: Span, interval: Interval) -> Span:
    """A page answers for all of ``closed``, unless it is full: then up to its last bar.

    Going on from the last bar and not from a count of bars is what carries the paging over the venue's holes.
    """
    if page.last_ms is None or page.rows < KLINES_PAGE_ROWS:
        return closed
    return Span(closed.start_ms, min(page.last_ms + interval.width_ms, closed.end_ms))
