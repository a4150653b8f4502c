"""A source of hourly klines that answers as a test scripts it."""

import asyncio
from dataclasses import dataclass, field

from markethub.domain.errors import MarketHubError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series, Symbol
from markethub.jobs.kline_paging import SETTLING_MS
from markethub.ports.venue import KlinePage
from tests.flat_bars import flat_bars

HOUR = 3_600_000
NOW = 500_000 * HOUR + SETTLING_MS
PAGE = 4


@dataclass
class Source:
    """Has every hour up to ``closed_ms``; ``errors`` are raised from the page of that number on."""

    closed_ms: int = NOW
    errors: dict[str, tuple[int, MarketHubError]] = field(default_factory=dict)
    label: str = "rest"
    asked: list[tuple[str, Span]] = field(default_factory=list)
    side_by_side: int = 0
    most: int = 0

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:
        return None

    async def listed(self, symbol: Symbol) -> bool:
        return True

    async def klines(self, series: Series, span: Span) -> KlinePage:
        name = series.symbol.base
        self.side_by_side += 1
        self.most = max(self.most, self.side_by_side)
        await asyncio.sleep(0)
        self.side_by_side -= 1
        pages = sum(1 for other, _ in self.asked if other == name)
        self.asked.append((name, span))
        after, error = self.errors.get(name, (0, None))
        if error is not None and pages >= after:
            raise error
        closed = span_or_none(span.start_ms, min(span.end_ms, self.closed_ms // HOUR * HOUR))
        if closed is None:
            return KlinePage(flat_bars([]), None)
        page = Span(closed.start_ms, min(closed.end_ms, closed.start_ms + PAGE * HOUR))
        return KlinePage(flat_bars(range(page.start_ms, page.end_ms, HOUR)), page)
