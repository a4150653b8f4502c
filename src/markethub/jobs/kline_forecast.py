"""What a chunk of a kline backfill will take; pure, and by the rules that ``kline_fetch`` follows."""

from collections.abc import Iterable, Sequence

from markethub.domain.span import Span, span_or_none, subtract
from markethub.jobs.forecast import Forecast
from markethub.jobs.kline_claims import vouched_spans
from markethub.jobs.kline_fetch import NoArchive, files_inside
from markethub.jobs.kline_plan import KlineChunk
from markethub.ports.costs import Cost
from markethub.ports.store import Coverage
from markethub.ports.venue import Venue


def foresee_klines(
    work: KlineChunk, claims: Iterable[Coverage], venue: Venue, now_ms: int, *, is_listed: bool
) -> Forecast:
    """The forecast of one chunk, whose span has the stored ``claims``.

    Over REST it is what the venue's pages cost of an instrument that traded all the time. Where archive files
    come first it may be more: what they turn out to lack is asked over REST.
    """
    gaps = [work.span] if work.again else subtract(work.span, vouched_spans(claims, venue.klines.label))
    files, asked = _sources(work, gaps, venue, now_ms, is_listed=is_listed)
    cost = None
    if venue.costs is not None:
        cost = sum((venue.costs.klines(work.series.interval, span) for span in asked), Cost())
    width_ms = work.series.interval.width_ms
    rows = sum(gap.width_ms // width_ms for gap in gaps)
    return Forecast(work.span, rows, files, cost, is_least=files > 0 and is_listed)


def _sources(
    work: KlineChunk, gaps: Sequence[Span], venue: Venue, now_ms: int, *, is_listed: bool
) -> tuple[int, list[Span]]:
    """How many archive files are taken for the gaps, and what is asked over REST."""
    archive = venue.kline_archive or NoArchive()
    if not is_listed:
        return sum(len(archive.files(work.series, gap, now_ms)) for gap in gaps), []
    reach_ms = venue.klines.reach_ms(work.series.interval, now_ms)
    files, asked = 0, []
    for gap in gaps:
        start_ms = gap.start_ms if reach_ms is None else max(gap.start_ms, reach_ms)
        if old := span_or_none(gap.start_ms, min(start_ms, gap.end_ms)):
            files += len(archive.files(work.series, old, now_ms))
        if recent := span_or_none(start_ms, gap.end_ms):
            inside = files_inside(archive, work.series, recent, now_ms)
            files += len(inside)
            asked += subtract(recent, [file.span for file in inside])
    return files, asked
