"""Klines over REST, page by page, and what of them may be claimed."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from markethub.domain.span import Span, merge, span_or_none, subtract
from markethub.domain.symbol import Series
from markethub.ports.store import Coverage
from markethub.ports.venue import KlineSource
from markethub.tables.klines import cut_klines, open_times_ms
from markethub.tables.rejects import Reject

SETTLING_MS = 120_000
"""A bar this young is stored but not yet claimed: the venue's database may lag its last trades, so the next
run asks for it once more. Source: Binance Spot REST API, "Data sources"."""


@dataclass(frozen=True, slots=True)
class KlinePart:
    """All that the venue has of ``span`` over REST: its bars, and those that make no sense."""

    span: Span
    bars: pa.Table
    rejected: Sequence[Reject] = ()

    def vouched(self) -> list[Span]:
        """What of the span may be claimed: not where a bar was kept out."""
        return subtract(self.span, [reject.span for reject in self.rejected])


async def ask_parts(
    source: KlineSource, series: Series, span: Span, horizon_ms: int | None = None
) -> AsyncGenerator[KlinePart, None]:
    """What REST has of ``span``, a part a page, each beginning where the one before ended.

    The last part may end beyond the span, at most at ``horizon_ms``, where REST says that nothing follows for
    longer, as before a listing. The parts end before the span does where no further bar has closed yet by the
    venue's clock.
    """
    cursor = span.start_ms
    asked_until_ms = span.end_ms if horizon_ms is None else horizon_ms
    while cursor < span.end_ms:
        page = await source.klines(series, Span(cursor, asked_until_ms))
        if page.covered is None:
            return
        end_ms = page.covered.end_ms
        if len(page.bars):
            first_ms = open_times_ms(page.bars)[0].as_py()
            end_ms = first_ms if first_ms >= span.end_ms else min(end_ms, span.end_ms)
        part = Span(cursor, end_ms)
        rejected = [reject for reject in page.rejected if reject.span.intersect(part)]
        yield KlinePart(part, cut_klines(page.bars, part), rejected)
        cursor = end_ms


def settled_claims(series: Series, spans: Iterable[Span], source: str, now_ms: int) -> list[Coverage]:
    """The claims that ``spans`` are complete, checked now, without the bars that are still settling."""
    settled_ms = series.interval.floor(now_ms - SETTLING_MS)
    settled = (span_or_none(span.start_ms, min(span.end_ms, settled_ms)) for span in merge(spans))
    return [Coverage(span, source, now_ms) for span in settled if span]
