"""The job ``backfill_kline``."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from markethub.domain.errors import VenueError
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.kline_fetch import KlineFetch, NoArchive
from markethub.jobs.kline_plan import KlineBackfill, KlineChunk, align, plan_chunks
from markethub.ports.clock import Clock
from markethub.ports.store import SeriesStore
from markethub.ports.venue import Venue

JOB_NAME = "backfill_kline"


@dataclass(frozen=True, slots=True)
class KlineBackfillHandler:
    """Plans and runs kline backfills against the venues that have an adapter."""

    venues: Mapping[str, Venue]
    store: SeriesStore
    clock: Clock

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """One chunk per series and calendar unit that is not covered; a symbol without adapter fails."""
        backfill = KlineBackfill.from_parameters(execution.parameters)
        orphans = [symbol for symbol in backfill.symbols if symbol.venue not in self.venues]
        served = [symbol for symbol in backfill.symbols if symbol.venue in self.venues]
        chunks: list[NewChunk] = []
        if served:
            wanted = KlineBackfill(tuple(served), backfill.intervals, backfill.span)
            now_ms = self.clock()
            covered = await asyncio.to_thread(self._covered, wanted, now_ms)
            chunks = plan_chunks(wanted, covered, await self._unlisted(served, log), now_ms)
        return Plan(
            chunks=chunks,
            counters={"processed": 0, "inserted": 0, "updated": 0, "unchanged": 0},
            failures={
                str(symbol): f"no adapter for exchange {symbol.venue} is installed" for symbol in orphans
            },
        )

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Fetch what the chunk's span still lacks."""
        work = KlineChunk.from_parameters(chunk.parameters)
        venue = self.venues[work.series.symbol.venue]
        archive = venue.kline_archive or NoArchive()
        fetch = KlineFetch(work.series, venue.klines, archive, self.store, self.clock, log)
        if await venue.klines.listed(work.series.symbol):
            await fetch.fetch(work.span)
        else:
            await fetch.fetch_archived(work.span)
        counters = dict(fetch.counters)
        log.info(
            f"{chunk.key}: {counters.get('inserted', 0)} inserted, {counters.get('updated', 0)} updated, "
            f"{counters.get('unchanged', 0)} unchanged"
        )
        return counters

    def _covered(self, backfill: KlineBackfill, now_ms: int) -> dict[Series, list[Span]]:
        # On the grid: claims cut at an odd end would leave a bar that looks uncovered.
        return {
            series: [claim.span for claim in self.store.covered(series, span)]
            for series in backfill.series()
            if (span := align(backfill.span, series.interval, now_ms))
        }

    async def _unlisted(self, symbols: list[Symbol], log: WorkLog) -> list[Symbol]:
        unlisted = []
        unreachable: set[str] = set()
        for symbol in symbols:
            if symbol.venue in unreachable:
                continue
            try:
                if not await self.venues[symbol.venue].klines.listed(symbol):
                    unlisted.append(symbol)
            except VenueError as error:
                # One venue that is away must not hold up the others: its chunks will find out by themselves.
                log.warning(f"listing of {symbol.venue}: {error}")
                unreachable.add(symbol.venue)
        return unlisted
