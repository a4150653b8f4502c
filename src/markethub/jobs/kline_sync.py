"""The job ``sync_kline``: keep subscribed series up to the last closed bar."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series, Symbol
from markethub.engine.handler import Counters, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.asking import asking
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.kline_batch import BatchFetch
from markethub.jobs.kline_claims import vouched_spans
from markethub.jobs.kline_plan import cut_chunks
from markethub.jobs.kline_sync_plan import (
    KlineBatch,
    KlineSync,
    Wanted,
    find_wanted,
    plan_batches,
    series_of,
)
from markethub.jobs.market_access import find_unlisted
from markethub.jobs.sync_targets import SyncTargets
from markethub.ports.store import SeriesSummary

CLOSE_GRACE_MS = 3_000
"""A bar is not asked for sooner after its close: a job of the full hour would often find it still open, by a
clock of the venue's that is behind ours, and would store it an hour late."""
NO_BARS: Counters = {"processed": 0, "inserted": 0, "updated": 0, "unchanged": 0}


@dataclass(frozen=True, slots=True)
class KlineSyncHandler:
    """Goes on from the last stored bar of each series, and asks for the newest stored ones again.

    Series that are little behind are asked in batches, one write each. One that is far behind, after a
    downtime, is caught up with as by a backfill. Holes before its last bar are the gap monitor's work.
    """

    targets: SyncTargets
    backfill: KlineBackfillHandler
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """One chunk per venue, interval and hundred series, and those of series that are far behind.

        A symbol without adapter fails, and one that its venue does not list. Nothing subscribed is a plan
        without chunks.
        """
        sync = KlineSync.from_parameters(execution.parameters)
        symbols = await self.targets.symbols(DataKind.KLINE, execution.parameters)
        if not symbols:
            exchanges = ", ".join(self.targets.exchanges(DataKind.KLINE, execution.parameters))
            log.info(f"Nothing to sync: no symbol is subscribed on {exchanges}")
            return Plan((), NO_BARS)
        served = [symbol for symbol in symbols if symbol.venue in self.backfill.venues]
        failures = {
            str(symbol): f"no adapter for exchange {symbol.venue} is installed"
            for symbol in symbols
            if symbol.venue not in self.backfill.venues
        }
        with asking(execution.trace_id, is_fresh=True):
            unlisted = frozenset(await find_unlisted(self.backfill.venues, served, log))
        failures |= {str(symbol): f"{symbol.venue} does not list {symbol}" for symbol in unlisted}
        listed = [symbol for symbol in served if symbol not in unlisted]
        wanted = await asyncio.to_thread(self._find_wanted, listed, sync)
        behind = {series: one.missed for series, one in wanted.items() if one.missed}
        for series, missed in behind.items():
            log.info(f"{series} is far behind: catching up from {missed[0]} on")
        chunks = plan_batches({series: one.tail for series, one in wanted.items()})
        return Plan([*chunks, *cut_chunks(behind)], NO_BARS, failures)

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Ask and store a batch; the others as a backfill does."""
        if not KlineBatch.is_in(chunk.parameters):
            return await self.backfill.run(chunk, log)
        batch = KlineBatch.from_parameters(chunk.parameters)
        backfill, counters = self.backfill, chunk.counters
        source = backfill.venues[chunk.queue].klines
        fetch = BatchFetch(source, backfill.store, backfill.clock, log, backfill.quarantine, counters)
        await self._wait_for_close(batch)
        try:
            with asking(chunk.trace_id, is_fresh=True):
                await fetch.run(batch.tails)
        finally:
            log.info(
                f"{chunk.key}: {len(batch.tails)} series, {counters['inserted']} inserted, "
                f"{counters['updated']} updated, {counters['unchanged']} unchanged"
            )
        return counters

    async def _wait_for_close(self, batch: KlineBatch) -> None:
        newest_ms = max(spans[-1].end_ms for spans in batch.tails.values())
        wait_ms = newest_ms + CLOSE_GRACE_MS - self.backfill.clock()
        if 0 < wait_ms <= CLOSE_GRACE_MS:
            await self.sleep(wait_ms / 1000)

    def _find_wanted(self, symbols: Sequence[Symbol], sync: KlineSync) -> dict[Series, Wanted]:
        stored: dict[Series, SeriesSummary] = {one.series: one for one in self.backfill.store.summaries()}
        now_ms = self.backfill.clock()
        wanted: dict[Series, Wanted] = {}
        for series in series_of(symbols, sync.intervals):
            source = self.backfill.venues[series.symbol.venue].klines
            wanted[series] = find_wanted(
                series,
                stored[series].last_ms if series in stored else None,
                sync,
                reach_ms=source.reach_ms(series.interval, now_ms),
                covered=partial(self._covered, series, source.label),
                now_ms=now_ms,
            )
        return wanted

    def _covered(self, series: Series, label: str, span: Span) -> list[Span]:
        return vouched_spans(self.backfill.store.covered(series, span), label)
