"""How many pages a span of bars is."""

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.ports.costs import Cost


def cost_pages(interval: Interval, span: Span, page_bars: int, weight: int = 1) -> Cost:
    """The cost of every bar that opens in ``span``, ``page_bars`` of them a request of ``weight``."""
    bars = (interval.ceil(span.end_ms) - interval.ceil(span.start_ms)) // interval.width_ms
    pages = -(-bars // page_bars)
    return Cost(pages, pages * weight)
