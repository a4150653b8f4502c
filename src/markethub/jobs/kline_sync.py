"""The job ``sync_kline``: keep series up to the last closed bar, or fetch their whole history again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from markethub.domain.span import Span, subtract
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series
from markethub.domain.task import TaskType
from markethub.domain.times import format_time
from markethub.engine.handler import (
    Counters,
    NewChunk,
    Parameters,
    Plan,
    RunningChunk,
    RunningExecution,
    WorkLog,
)
from markethub.jobs.asking import asking
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.kline_batch import BatchFetch
from markethub.jobs.kline_claims import vouched_spans
from markethub.jobs.kline_fetch import spans_out_of_reach
from markethub.jobs.kline_full_sync import find_history
from markethub.jobs.kline_plan import cut_chunks
from markethub.jobs.kline_sync_plan import KlineBatch, KlineSync, find_wanted, plan_batches, series_of
from markethub.jobs.market_access import find_unlisted
from markethub.jobs.sync_targets import SyncTargets
from markethub.jobs.whole_market import MarketSymbols, list_markets

CLOSE_GRACE_MS = 3_000
"""A bar is not asked for sooner after its close: a job of the full hour would often find it still open, by a
clock of the venue's that is behind ours, and would store it an hour late."""
NO_BARS: Counters = {"processed": 0, "inserted": 0, "updated": 0, "unchanged": 0, "symbols": 0}
"""What a sync counts; ``symbols`` are those of which at least one series is asked for."""

_Missing = dict[Series, Sequence[Span]]


@dataclass(frozen=True, slots=True)
class KlineSyncHandler:
    """Goes on from the last stored bar of each series, and asks for the newest stored ones again; a full sync
    asks for all there is.

    Series that are little behind are asked in batches, one write each. One that is far behind, after a
    downtime, is caught up with as by a backfill. Holes before its last bar are the gap monitor's work, or a
    full sync's. Series of adjusted prices are replaced as a whole wherever their old bars have other prices
    by now.
    """

    targets: SyncTargets
    backfill: KlineBackfillHandler
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """One chunk per venue, interval and hundred series, and those of series that are far behind.

        Of a full sync those of the whole history. A symbol without adapter fails, and one that its venue does
        not list. Nothing subscribed is a plan without chunks.
        """
        sync = KlineSync.from_parameters(execution.parameters)
        with asking(execution.trace_id, is_fresh=sync.task_type is not TaskType.FULL_SYNC):
            chosen = await self._choose(execution.parameters, sync, log)
        if not chosen.symbols:
            exchanges = ", ".join(self.targets.exchanges(DataKind.KLINE, execution.parameters))
            if not chosen.failures:
                whence = "listed" if execution.parameters.get("whole_market") else "subscribed"
                log.info(f"Nothing to sync: no symbol is {whence} on {exchanges}")
            return Plan((), NO_BARS, chosen.failures)
        find = self._find_history if sync.task_type is TaskType.FULL_SYNC else self._find_behind
        chunks, asked = await asyncio.to_thread(find, series_of(chosen.symbols, sync.intervals), sync, log)
        symbols = len({series.symbol for series in asked})
        return Plan(chunks, {**NO_BARS, "symbols": symbols}, chosen.failures)

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Ask and store a batch; the others as a backfill does."""
        if not KlineBatch.is_in(chunk.parameters):
            return await self.backfill.run(chunk, log)
        batch = KlineBatch.from_parameters(chunk.parameters)
        backfill, counters = self.backfill, chunk.counters

        async def restate(series: Series) -> None:
            log.info(f"{series}: its prices are adjusted anew, so all of it is asked for")
            await backfill.restating(chunk, log).run(series, batch.tails[series][-1])

        source = backfill.venues[chunk.queue].klines
        fetch = BatchFetch(
            source, backfill.store, backfill.clock, log, backfill.quarantine, counters, restate
        )
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

    async def _choose(self, parameters: Parameters, sync: KlineSync, log: WorkLog) -> MarketSymbols:
        """The symbols that can be asked for, and the others with the reason."""
        venues = self.backfill.venues
        if parameters.get("whole_market"):
            # What does not trade has no new bars, and goes on where it ended when it does.
            is_whole = sync.task_type is TaskType.FULL_SYNC
            codes = self.targets.exchanges(DataKind.KLINE, parameters)
            listed = await list_markets(venues, codes, with_idle=is_whole)
            log.info(f"{', '.join(codes)}: {len(listed.symbols)} symbols are listed")
            return listed
        chosen = MarketSymbols()
        for symbol in await self.targets.symbols(DataKind.KLINE, parameters):
            if symbol.venue in venues:
                chosen.symbols.append(symbol)
            else:
                chosen.failures[str(symbol)] = f"no adapter for exchange {symbol.venue} is installed"
        # No source of stocks has a list to look into: there it would be a question a symbol, before its bars
        # are.
        in_lists = [symbol for symbol in chosen.symbols if not symbol.is_stock]
        unlisted = frozenset(await find_unlisted(venues, in_lists, log))
        chosen.failures |= {str(symbol): f"{symbol.venue} does not list {symbol}" for symbol in unlisted}
        chosen.symbols = [symbol for symbol in chosen.symbols if symbol not in unlisted]
        return chosen

    def _find_behind(
        self, wanted: Sequence[Series], sync: KlineSync, log: WorkLog
    ) -> tuple[list[NewChunk], set[Series]]:
        """Chunks from the last stored bar of each series on, and the series that have some."""
        stored = {one.series: one.last_ms for one in self.backfill.store.summaries()}
        now_ms = self.backfill.clock()
        tails: _Missing = {}
        behind: _Missing = {}
        replaced: _Missing = {}
        for series in wanted:
            source = self.backfill.venues[series.symbol.venue].klines
            is_adjusted = self.backfill.is_adjusted(series.symbol.venue)
            # Adjusted prices go on only where they ended if those before them are what they were.
            recheck_bars = max(sync.recheck_bars, 1) if is_adjusted else sync.recheck_bars
            found = find_wanted(
                series,
                stored.get(series),
                replace(sync, recheck_bars=recheck_bars),
                reach_ms=source.reach_ms(series.interval, now_ms),
                covered=partial(self._covered, series),
                now_ms=now_ms,
            )
            if found.missed:
                log.info(f"{series} is far behind: catching up from {found.missed[0]} on")
            if found.missed and is_adjusted:
                replaced[series] = found.missed
            else:
                tails[series], behind[series] = found.tail, found.missed
        asked = {series for part in (tails, behind, replaced) for series, spans in part.items() if spans}
        stocks = {series.symbol for series in replaced}
        chunks = [*plan_batches(tails), *cut_chunks(behind), *cut_chunks(replaced, stocks, again=True)]
        return chunks, asked

    def _find_history(
        self, wanted: Sequence[Series], sync: KlineSync, log: WorkLog
    ) -> tuple[list[NewChunk], set[Series]]:
        """Chunks of the whole history of each series, and the series that have some."""
        stored = {one.series: one.first_ms for one in self.backfill.store.summaries()}
        now_ms = self.backfill.clock()
        missing: _Missing = {}
        lost: set[str] = set()
        for series in wanted:
            venue = self.backfill.venues[series.symbol.venue]
            history = find_history(
                series,
                sync.start_ms,
                stored.get(series),
                covered=partial(self._covered, series),
                now_ms=now_ms,
            )
            out = spans_out_of_reach(venue, series, history, now_ms)
            missing[series] = [part for span in history for part in subtract(span, out)]
            reach_ms = venue.klines.reach_ms(series.interval, now_ms)
            if out and reach_ms is not None:
                lost.add(f"{venue.name} tells {series.interval} bars only from {format_time(reach_ms)} on")
        for text in sorted(lost):
            log.info(f"{text}: older ones stay as they are stored")
        stocks = {series.symbol for series in wanted if series.symbol.is_stock}
        asked = {series for series, spans in missing.items() if spans}
        return cut_chunks(missing, stocks, again=True), asked

    async def _wait_for_close(self, batch: KlineBatch) -> None:
        newest_ms = max(spans[-1].end_ms for spans in batch.tails.values())
        wait_ms = newest_ms + CLOSE_GRACE_MS - self.backfill.clock()
        if 0 < wait_ms <= CLOSE_GRACE_MS:
            await self.sleep(wait_ms / 1000)

    def _covered(self, series: Series, span: Span) -> list[Span]:
        label = self.backfill.venues[series.symbol.venue].klines.label
        return vouched_spans(self.backfill.store.covered(series, span), label)
