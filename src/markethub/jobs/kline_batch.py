"""Ask the newest bars of many series side by side, and store them in one write."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import pyarrow as pa

from markethub.domain.errors import (
    MarketHubError,
    VenueError,
    VenueThrottledError,
    VenueUnavailableError,
)
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series
from markethub.engine.handler import WorkLog
from markethub.jobs.kline_claims import ADJUSTED, adjustment_of, check_adjustment
from markethub.jobs.kline_paging import KlinePart, ask_parts, settled_claims
from markethub.jobs.kline_restating import PRICES, are_restated
from markethub.jobs.quarantine import Quarantine
from markethub.ports.clock import Clock
from markethub.ports.store import SeriesStore, SeriesWrite
from markethub.ports.venue import KlineSource

_AT_ONCE = 16
_GIVE_UP_AFTER = 5
_NAMED = 10


@dataclass(slots=True)
class BatchFetch:
    """The way of many series from one venue into the store; good for one ``run``.

    ``counters`` tells what reached the store and what was spent, and ``series_failed``. ``restate`` is asked
    to put a series of adjusted prices in place as a whole where stored bars have other prices by now: its new
    bars alone, after a dividend, would stand beside old ones on another scale.
    """

    source: KlineSource
    store: SeriesStore
    clock: Clock
    log: WorkLog
    quarantine: Quarantine
    counters: Counter[str]
    restate: Callable[[Series], Awaitable[None]]
    _parts: dict[Series, list[KlinePart]] = field(default_factory=dict)
    _failures: dict[Series, MarketHubError] = field(default_factory=dict)
    _unanswered: int = 0

    async def run(self, tails: Mapping[Series, Sequence[Span]]) -> None:
        """Store every closed bar of the spans, asked again whether covered or not.

        A series that fails does not keep the others from being stored, nor its own pages before the failure.
        VenueError names those that failed at the end; it may be retried if one of them may.
        """
        turns = asyncio.Semaphore(_AT_ONCE)

        async def fetch_in_turn(series: Series, spans: Sequence[Span]) -> None:
            async with turns:
                await self._fetch(series, spans)

        async with asyncio.TaskGroup() as group:
            for series, spans in tails.items():
                group.create_task(fetch_in_turn(series, spans))
        restated = await asyncio.to_thread(self._hold_back_restated)
        await self._write()
        for series in restated:
            try:
                await self.restate(series)
            except MarketHubError as error:
                self._failures[series] = error
        if self._failures:
            self.counters["series_failed"] += len(self._failures)
            raise self._sum_up(len(tails))

    async def _fetch(self, series: Series, spans: Sequence[Span]) -> None:
        if self._unanswered >= _GIVE_UP_AFTER:
            self._failures[series] = VenueUnavailableError("not asked, since the venue answers nobody")
            return
        try:
            if adjustment_of(self.source.label) is not None:
                await asyncio.to_thread(check_adjustment, self.store, series, self.source.label)
            for span in spans:
                async with aclosing(ask_parts(self.source, series, span)) as parts:
                    async for part in parts:
                        self.counters["rest_pages"] += 1
                        self._parts.setdefault(series, []).append(part)
            self._unanswered = 0
        except MarketHubError as error:
            self._failures[series] = error
            is_away = isinstance(error, VenueUnavailableError | VenueThrottledError)
            self._unanswered = self._unanswered + 1 if is_away else 0

    def _hold_back_restated(self) -> list[Series]:
        # Before anything of them is written: a process that dies later finds them as they were.
        if adjustment_of(self.source.label) != ADJUSTED:
            return []
        restated = [series for series, parts in self._parts.items() if self._is_restated(series, parts)]
        for series in restated:
            del self._parts[series]
        return restated

    def _is_restated(self, series: Series, parts: Sequence[KlinePart]) -> bool:
        told = pa.concat_tables([part.bars for part in parts])
        stored = self.store.read(
            series, Span(parts[0].span.start_ms, parts[-1].span.end_ms), columns=("open_time", *PRICES)
        )
        return are_restated(stored, told)

    async def _write(self) -> None:
        """Store what has come, in one transaction, and tell of bars that the venue has amended."""
        if not self._parts:
            return
        for series, parts in self._parts.items():
            await self._keep_out(series, parts)
        writes = [self._to_write(series, parts) for series, parts in self._parts.items()]
        # In a thread: it checks every row, and waits while the store's queue is full.
        written = await asyncio.wrap_future(await asyncio.to_thread(self.store.upsert_many, writes))
        for write, counts in zip(writes, written, strict=True):
            self.counters["processed"] += len(write.bars)
            self.counters["inserted"] += counts.inserted
            self.counters["updated"] += counts.updated
            self.counters["unchanged"] += counts.unchanged
            if counts.updated:
                self.log.warning(f"{write.series}: the venue has amended {counts.updated} stored bars")

    async def _keep_out(self, series: Series, parts: Sequence[KlinePart]) -> None:
        rejected = [reject for part in parts for reject in part.rejected]
        await self.quarantine.keep(
            DataKind.KLINE,
            str(series),
            rejected,
            source=self.source.label,
            log=self.log,
            counters=self.counters,
        )

    def _to_write(self, series: Series, parts: Sequence[KlinePart]) -> SeriesWrite:
        vouched = [span for part in parts for span in part.vouched()]
        claims = settled_claims(series, vouched, self.source.label, self.clock())
        bars = parts[0].bars if len(parts) == 1 else pa.concat_tables([part.bars for part in parts])
        return SeriesWrite(series, bars, claims)

    def _sum_up(self, total: int) -> VenueError:
        for series, error in self._failures.items():
            self.log.error(f"{series}: {error}")
        told = "; ".join(f"{series}: {error}" for series, error in list(self._failures.items())[:_NAMED])
        more = f"; and {len(self._failures) - _NAMED} more" if len(self._failures) > _NAMED else ""
        text = f"{len(self._failures)} of {total} series failed: {told}{more}"
        errors = self._failures.values()
        waits_s = [error.retry_after_s for error in errors if isinstance(error, VenueThrottledError)]
        if waits_s:
            return VenueThrottledError(text, max(waits_s))
        if any(error.retryable for error in errors):
            return VenueUnavailableError(text)
        return VenueError(text)
