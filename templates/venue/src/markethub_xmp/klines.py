"""Klines over the venue's REST API."""

from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series, Symbol
from markethub.ports.venue import KlinePage
from markethub.tables.klines import empty_klines
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.single_flight import SingleFlight
from markethub_xmp.limits import PAGE_BARS
from markethub_xmp.names import CODE, join_name
from markethub_xmp.parse import parse_candles, parse_pairs


class XmpKlines:
    """A KlineSource. Source: "Candles" of the Example Exchange API page."""

    label: str = "rest"

    def __init__(self, caller: VenueCaller, clock: ServerClock) -> None:
        self._caller = caller
        self._clock = clock
        self._listing = SingleFlight(self._fetch_listing)

    async def klines(self, series: Series, span: Span) -> KlinePage:
        """The first page of ``span``: up to 500 open times, of bars that were closed when asked."""
        name = join_name(series.symbol)
        # Read before the question is sent: a bar that closes while it is under way may come back unfinished.
        now_ms = await self._clock.passed_ms(span.end_ms)
        closed = span_or_none(span.start_ms, min(span.end_ms, series.interval.floor(now_ms)))
        if closed is None:
            return KlinePage(empty_klines(), None)
        asked = span_or_none(series.interval.ceil(closed.start_ms), closed.end_ms)
        if asked is None:  # too narrow to hold an open time
            return KlinePage(empty_klines(), closed)
        width_ms = series.interval.width_ms
        window = Span(asked.start_ms, min(asked.end_ms, asked.start_ms + PAGE_BARS * width_ms))
        subject = f"klines of {series} in {window}"
        question = Question(
            path="/v1/candles",
            params={
                "pair": name,
                "width": width_ms // 1000,
                "from": window.start_ms // 1000,  # inclusive
                "to": -(-window.end_ms // 1000),  # exclusive; rounded up, or a bar at the end is lost
            },
            weight=1,
            subject=subject,
            max_bytes=4 * 1024 * 1024,
        )
        page = parse_candles(await self._caller.ask(question), series.interval, window, f"{CODE} {subject}")
        return KlinePage(page.bars, Span(closed.start_ms, window.end_ms), page.rejected)

    async def listed(self, symbol: Symbol) -> bool:
        """Whether the venue lists the symbol now."""
        return symbol.venue == CODE and symbol in await self._listing.run()

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:  # noqa: ARG002
        """No wall is documented."""
        return None

    async def close(self) -> None:
        await self._listing.close()

    async def _fetch_listing(self) -> frozenset[Symbol]:
        question = Question(path="/v1/pairs", weight=1, subject="pairs", max_bytes=16 * 1024 * 1024)
        return parse_pairs(await self._caller.ask(question))
