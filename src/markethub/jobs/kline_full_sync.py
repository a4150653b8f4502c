"""Which bars a full sync of klines asks for; pure."""

from collections.abc import Callable, Sequence

from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge, span_or_none, subtract
from markethub.domain.symbol import Series
from markethub.domain.times import parse_time
from markethub.jobs.kline_plan import align

CRYPTO_START_MS = parse_time("2017-01-01")
"""The exchanges here have no older bars worth a question. Their own dates of listing are no help: OKX tells
later ones than those of the first bars."""
STOCK_DAYS_START_MS = parse_time("1962-01-01")
"""Nobody here has older sessions."""
STOCK_MINUTES_START_MS = parse_time("2010-01-01")


def default_start_ms(series: Series) -> int:
    """Where a full sync begins that was told no start and finds no older bar stored."""
    if not series.symbol.is_stock:
        return CRYPTO_START_MS
    return STOCK_DAYS_START_MS if series.interval is Interval.D1 else STOCK_MINUTES_START_MS


def find_history(
    series: Series,
    start_ms: int | None,
    first_ms: int | None,
    *,
    covered: Callable[[Span], Sequence[Span]],
    now_ms: int,
) -> list[Span]:
    """What a full sync asks of a series whose first stored bar opened at ``first_ms``; ascending.

    That is every closed bar from ``start_ms`` on, without one from the first bar or the default start,
    whichever is older. What ``covered`` tells to be complete without a bar before the first one is not asked
    again: what was before a listing does not change.
    """
    if start_ms is None:
        start_ms = default_start_ms(series)
        start_ms = start_ms if first_ms is None else min(start_ms, first_ms)
    closed_ms = series.interval.floor(now_ms)
    whole = align(Span(start_ms, closed_ms), series.interval, now_ms) if start_ms < closed_ms else None
    if whole is None:
        return []
    before = None if first_ms is None else span_or_none(whole.start_ms, min(first_ms, whole.end_ms))
    return merge(subtract(whole, covered(before) if before else ()))
