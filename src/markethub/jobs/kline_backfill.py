"""The job ``backfill_kline``."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from markethub.domain.span import Span, describe_spans, subtract
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.jobs.asking import asking, is_fresh
from markethub.jobs.forecast import Forecast
from markethub.jobs.kline_claims import ADJUSTED, adjustment_of, vouched_spans
from markethub.jobs.kline_fetch import KlineFetch, NoArchive, spans_out_of_reach
from markethub.jobs.kline_forecast import foresee_klines
from markethub.jobs.kline_plan import KlineBackfill, KlineChunk, align, plan_chunks
from markethub.jobs.kline_restating import KlineRestating
from markethub.jobs.market_access import find_unlisted
from markethub.jobs.quarantine import Quarantine
from markethub.ports.clock import Clock
from markethub.ports.data_store import DataStore
from markethub.ports.venue import Venue


@dataclass(frozen=True, slots=True)
class KlineBackfillHandler:
    """Plans and runs kline backfills against the venues that have an adapter."""

    venues: Mapping[str, Venue]
    store: DataStore
    clock: Clock
    quarantine: Quarantine

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        """One chunk per series and calendar unit that is not covered; a symbol without adapter fails.

        With mode ``all`` covered or not, with ``failed`` what of it failed before.
        """
        backfill = KlineBackfill.from_parameters(execution.parameters)
        orphans: list[Symbol] = []
        served: list[Symbol] = []
        for symbol in backfill.chosen_symbols():
            (served if symbol.venue in self.venues else orphans).append(symbol)
        failures = {str(symbol): f"no adapter for exchange {symbol.venue} is installed" for symbol in orphans}
        chunks: list[NewChunk] = []
        if served:
            wanted = replace(backfill, symbols=tuple(served))
            now_ms = self.clock()
            covered = await asyncio.to_thread(self._covered, wanted, now_ms)
            with asking(execution.trace_id, is_fresh=is_fresh(backfill.span, now_ms)):
                unlisted = await find_unlisted(self.venues, served, log)
            for series, lost in self._out_of_reach(covered, unlisted, wanted.span, now_ms).items():
                failures[str(series)] = self._describe_reach(series, lost, now_ms)
                covered[series] = [*covered[series], *lost]  # asking for it would only be refused
            if backfill.choice.asks_again:
                # What is stored from before the venue's reach stays as it is.
                covered = self._out_of_reach(dict.fromkeys(covered, ()), unlisted, wanted.span, now_ms)
            chunks = await asyncio.to_thread(plan_chunks, wanted, covered, unlisted, now_ms)
        return Plan(
            chunks=chunks,
            counters={"processed": 0, "inserted": 0, "updated": 0, "unchanged": 0},
            failures=failures,
        )

    async def foresee(self, chunks: Sequence[NewChunk], log: WorkLog) -> list[Forecast]:
        """What each chunk will ask of archive and REST, its gaps taken from the store as it is now."""
        works = [KlineChunk.from_parameters(chunk.parameters) for chunk in chunks]
        symbols = dict.fromkeys(work.series.symbol for work in works)
        unlisted = await find_unlisted(self.venues, symbols, log)
        return await asyncio.to_thread(self._foresee_all, works, unlisted, self.clock())

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        """Fetch what the chunk's span still lacks, or all of it where the plan says so.

        A series of adjusted prices is replaced as a whole: what it lacks is on today's scale only.
        """
        work = KlineChunk.from_parameters(chunk.parameters)
        venue = self.venues[work.series.symbol.venue]
        if self.is_adjusted(work.series.symbol.venue):
            with asking(chunk.trace_id, is_fresh=is_fresh(work.span, self.clock())):
                await self.restating(chunk, log).run(work.series, work.span)
            return chunk.counters
        archive = venue.kline_archive or NoArchive()
        counters = chunk.counters
        fetch = KlineFetch(
            work.series,
            venue.klines,
            archive,
            self.store,
            self.clock,
            log,
            self.quarantine,
            counters,
            work.again,
        )
        with asking(chunk.trace_id, is_fresh=is_fresh(work.span, self.clock())):
            if await venue.klines.listed(work.series.symbol):
                await fetch.fetch(work.span)
            else:
                await fetch.fetch_archived(work.span)
        log.info(
            f"{chunk.key}: {counters['inserted']} inserted, {counters['updated']} updated, "
            f"{counters['unchanged']} unchanged"
        )
        return counters

    def is_adjusted(self, venue: str) -> bool:
        """Whether the prices of a venue are scaled by every later split and dividend."""
        return adjustment_of(self.venues[venue].klines.label) == ADJUSTED

    def restating(self, chunk: RunningChunk, log: WorkLog) -> KlineRestating:
        """What replaces series of the chunk's venue as a whole."""
        source = self.venues[chunk.queue].klines
        return KlineRestating(source, self.store, self.clock, log, self.quarantine, chunk.counters)

    def _foresee_all(
        self, works: Sequence[KlineChunk], unlisted: Sequence[Symbol], now_ms: int
    ) -> list[Forecast]:
        not_listed = frozenset(unlisted)
        spans: dict[Series, Span] = {}
        for work in works:
            known = spans.setdefault(work.series, work.span)
            spans[work.series] = Span(
                min(known.start_ms, work.span.start_ms), max(known.end_ms, work.span.end_ms)
            )
        claims = {series: self.store.covered(series, span) for series, span in spans.items()}
        return [
            foresee_klines(
                work,
                claims[work.series],
                self.venues[work.series.symbol.venue],
                now_ms,
                is_listed=work.series.symbol not in not_listed,
            )
            for work in works
        ]

    def _covered(self, backfill: KlineBackfill, now_ms: int) -> dict[Series, list[Span]]:
        # On the grid: claims cut at an odd end would leave a bar that looks uncovered.
        return {
            series: [
                *vouched_spans(
                    self.store.covered(series, span), self.venues[series.symbol.venue].klines.label
                ),
                *backfill.choice.left_out(str(series), span),
            ]
            for series in backfill.series()
            if (span := align(backfill.span, series.interval, now_ms))
        }

    def _out_of_reach(
        self, covered: Mapping[Series, Sequence[Span]], unlisted: Sequence[Symbol], span: Span, now_ms: int
    ) -> dict[Series, list[Span]]:
        """What of each series the venue tells no more. Of one that is not listed only its archive knows."""
        found: dict[Series, list[Span]] = {}
        for series, known in covered.items():
            closed = align(span, series.interval, now_ms)
            if closed is None or series.symbol in unlisted:
                continue
            venue = self.venues[series.symbol.venue]
            if lost := spans_out_of_reach(venue, series, subtract(closed, known), now_ms):
                found[series] = lost
        return found

    def _describe_reach(self, series: Series, lost: Sequence[Span], now_ms: int) -> str:
        venue = self.venues[series.symbol.venue]
        reach_ms = venue.klines.reach_ms(series.interval, now_ms)
        since = "" if reach_ms is None else f" from {format_time(reach_ms)} on"
        return (
            f"{venue.name} tells {series.interval} bars of {series.symbol} over REST only{since}: "
            f"{describe_spans(lost)} cannot be had; start there, ask for a wider interval, or switch on the "
            "venue's bulk files if it has some"
        )
