"""The job ``monitor_gap``: find what the store lacks of subscribed series, and fetch it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markethub.domain.errors import MarketHubError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none, subtract
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series, Symbol
from markethub.engine.handler import Counters, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.asking import asking
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.kline_claims import vouched_spans
from markethub.jobs.kline_fetch import spans_out_of_reach
from markethub.jobs.kline_plan import KlineChunk, calendar_units, cut_chunks
from markethub.jobs.market_access import find_unlisted
from markethub.jobs.sync_targets import SyncTargets

NEWEST_BARS = 3
"""The newest bars are left to the sync, which has yet to fetch or to settle them."""
_LOGGED = 100


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of bars of which nobody has vouched that they are all stored; ``missing`` of them are not.

    ``lost`` is what of it the venue tells no more.
    """

    series: Series
    span: Span
    missing: int
    lost: Sequence[Span] = ()

    def __str__(self) -> str:
        bars = self.span.width_ms // self.series.interval.width_ms
        lost = ", out of the venue's reach" if self.lost else ""
        return f"gap in {self.series}: {self.span}, {self.missing} of {bars} bars are missing{lost}"


@dataclass(frozen=True, slots=True)
class GapMonitorHandler:
    """Compares claims of coverage with what lies between a series' first and newest bars.

    A hole that the venue itself has is claimed, and so is no gap. Gaps are counted by calendar month, of wide
    bars by year: ``gaps_found`` and their ``bars_missing``, ``gaps_out_of_reach`` and ``gaps_repaired``.
    """

    targets: SyncTargets
    backfill: KlineBackfillHandler

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """Tell of the gaps; with ``repair`` (the default) one chunk per series and unit that has some."""
        symbols = await self.targets.symbols(DataKind.KLINE, execution.parameters)
        served = [symbol for symbol in symbols if symbol.venue in self.backfill.venues]
        named: Sequence[str] = execution.parameters.get("intervals", list(Interval))
        gaps = await asyncio.to_thread(self._find_gaps, served, [Interval.parse(text) for text in named])
        self._tell(gaps, log)
        counters = {
            "processed": 0,
            "inserted": 0,
            "updated": 0,
            "unchanged": 0,
            "gaps_found": len(gaps),
            "bars_missing": sum(gap.missing for gap in gaps),
            "gaps_out_of_reach": sum(1 for gap in gaps if gap.lost),
            "gaps_repaired": 0,
        }
        if not execution.parameters.get("repair", True):
            return Plan((), counters)
        missing: dict[Series, list[Span]] = {}
        for gap in gaps:
            missing.setdefault(gap.series, []).extend(subtract(gap.span, gap.lost))
        with asking(execution.trace_id, is_fresh=False):
            unlisted = await find_unlisted(
                self.backfill.venues, dict.fromkeys(series.symbol for series in missing), log
            )
        return Plan(cut_chunks(missing, unlisted), counters)

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Fetch as a backfill does, and count the gaps that are closed thereby."""
        work = KlineChunk.from_parameters(chunk.parameters)
        before = await asyncio.to_thread(self._unclaimed, work.series, work.span)
        try:
            counters = Counter(await self.backfill.run(chunk, log))
        except MarketHubError:
            chunk.counters["gaps_repaired"] += await self._count_closed(work, before)
            raise
        counters["gaps_repaired"] += await self._count_closed(work, before)
        return counters

    async def _count_closed(self, work: KlineChunk, before: Sequence[Span]) -> int:
        open_ = await asyncio.to_thread(self._unclaimed, work.series, work.span)
        return sum(1 for gap in before if subtract(gap, open_) == [gap])

    def _find_gaps(self, symbols: Sequence[Symbol], intervals: Sequence[Interval]) -> list[Gap]:
        wanted, now_ms = frozenset(symbols), self.backfill.clock()
        found: list[Gap] = []
        for stored in self.backfill.store.summaries():
            series = stored.series
            if series.symbol not in wanted or series.interval not in intervals or stored.first_ms is None:
                continue
            newest_ms = series.interval.floor(now_ms) - NEWEST_BARS * series.interval.width_ms
            if watched := span_or_none(stored.first_ms, newest_ms):
                found += self._gaps_of(series, watched, now_ms)
        return found

    def _gaps_of(self, series: Series, watched: Span, now_ms: int) -> list[Gap]:
        venue = self.backfill.venues[series.symbol.venue]
        unclaimed = self._unclaimed(series, watched)
        pieces = [
            piece
            for gap in unclaimed
            for _, unit in calendar_units(gap, series.interval)
            if (piece := gap.intersect(unit))
        ]
        return [
            Gap(
                series,
                piece,
                self._count_missing(series, piece),
                spans_out_of_reach(venue, series, [piece], now_ms),
            )
            for piece in pieces
        ]

    def _unclaimed(self, series: Series, span: Span) -> list[Span]:
        label = self.backfill.venues[series.symbol.venue].klines.label
        return subtract(span, vouched_spans(self.backfill.store.covered(series, span), label))

    def _count_missing(self, series: Series, span: Span) -> int:
        holes = self.backfill.store.holes(series, span)
        return sum(hole.width_ms for hole in holes) // series.interval.width_ms

    def _tell(self, gaps: Sequence[Gap], log: WorkLog) -> None:
        for gap in gaps[:_LOGGED]:
            log.warning(str(gap))
        if len(gaps) > _LOGGED:
            log.warning(f"and {len(gaps) - _LOGGED} more gaps")
        if not gaps:
            log.info("No gap in what is subscribed")
