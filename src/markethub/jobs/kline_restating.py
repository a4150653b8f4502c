"""Replace a series of adjusted prices as a whole, so that all of it is on the scale of one day."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.domain.span import Span, describe_spans, merge, span_or_none
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series
from markethub.domain.times import format_time, from_ms
from markethub.engine.handler import WorkLog
from markethub.jobs.kline_claims import check_adjustment
from markethub.jobs.kline_paging import KlinePart, ask_parts, settled_claims
from markethub.jobs.quarantine import Quarantine
from markethub.ports.clock import Clock
from markethub.ports.data_store import DataStore
from markethub.ports.replication import Patch, SeriesPatch
from markethub.ports.venue import KlineSource
from markethub.tables.klines import cut_klines, open_times_ms

PRICES = ("open", "high", "low", "close")
_NAMED = 10


def are_restated(stored: pa.Table, told: pa.Table) -> bool:
    """Whether a price of a bar that both tables have differs; volumes are amended often, and alone."""
    old, new = (
        one.filter(pc.is_in(one.column("open_time"), other.column("open_time").combine_chunks()))
        for one, other in ((stored, told), (told, stored))
    )
    return not old.select(PRICES).equals(new.select(PRICES))


@dataclass(slots=True)
class KlineRestating:
    """The way of whole series of adjusted prices from their venue into the store.

    Each dividend and split changes every adjusted price before it. So a series is asked for from end to end
    and written in one transaction: nobody reads half of it on the old scale. A stored bar that the venue does
    not tell any more goes, since what it would be on the new scale nobody knows. ``counters`` tells what
    reached the store, and ``removed``.
    """

    source: KlineSource
    store: DataStore
    clock: Clock
    log: WorkLog
    quarantine: Quarantine
    counters: Counter[str]

    async def run(self, series: Series, span: Span) -> None:
        """Ask for every closed bar of ``span``, and of what is stored around it, and put them in place.

        What lies before the venue's reach keeps the scale it has, which the log says.

        Raises:
            ConflictError: the series holds prices of another adjustment; nothing is asked.
            VenueProtocolError: the venue tells less than half of what is stored; nothing is changed.
        """
        await asyncio.to_thread(check_adjustment, self.store, series, self.source.label)
        stored = await asyncio.to_thread(self.store.read, series, columns=["open_time"])
        whole = span
        if len(stored):
            first_ms, last_ms = (open_times_ms(stored)[at].as_py() for at in (0, -1))
            end_ms = last_ms + series.interval.width_ms
            whole = Span(min(span.start_ms, first_ms), max(span.end_ms, end_ms))
        parts: list[KlinePart] = []
        if reached := self._reach(series, whole, stored):
            async with aclosing(ask_parts(self.source, series, reached)) as asked:
                async for part in asked:
                    self.counters["rest_pages"] += 1
                    parts.append(part)
        if parts:
            await self._replace(series, parts, stored)

    def _reach(self, series: Series, whole: Span, stored: pa.Table) -> Span | None:
        reach_ms = self.source.reach_ms(series.interval, self.clock())
        if reach_ms is None or reach_ms <= whole.start_ms:
            return whole
        if len(stored) and open_times_ms(stored)[0].as_py() < reach_ms:
            self.log.warning(
                f"{series}: bars before {format_time(reach_ms)} are out of the venue's reach, and keep the "
                "adjustment of the day they were fetched"
            )
        return span_or_none(reach_ms, whole.end_ms)

    async def _replace(self, series: Series, parts: Sequence[KlinePart], stored: pa.Table) -> None:
        bars = pa.concat_tables([part.bars for part in parts])
        told = merge(part.span for part in parts)
        rejected = [reject for part in parts for reject in part.rejected]
        gone = _find_gone(stored, bars, told)
        if len(gone) * 2 > sum(len(cut_klines(stored, span)) for span in told):
            raise VenueProtocolError(
                f"{series}: {len(gone)} of the bars stored for {describe_spans(told)} are not told any more; "
                "that is most of them, which is not believed, and nothing was changed"
            )
        label = self.source.label
        await self.quarantine.keep(
            DataKind.KLINE, str(series), rejected, source=label, log=self.log, counters=self.counters
        )
        patch = SeriesPatch(
            series,
            bars,
            settled_claims(series, (span for part in parts for span in part.vouched()), label, self.clock()),
            cleared=told,
            unclaimed=merge(reject.span for reject in rejected),
        )
        # In a thread: it checks every row, and waits while the store's queue is full.
        written = await asyncio.to_thread(self.store.replica.apply_patch, Patch([patch]))
        counts = await asyncio.wrap_future(written)
        self.counters["processed"] += len(bars)
        self.counters["inserted"] += counts.inserted
        self.counters["updated"] += counts.updated
        self.counters["unchanged"] += counts.unchanged
        if gone:
            self.counters["removed"] += counts.deleted
            named = ", ".join(str(from_ms(time_ms).date()) for time_ms in gone[:_NAMED])
            more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
            self.log.warning(
                f"{series}: removed {len(gone)} bars that the venue tells no more, of {named}{more}"
            )
        self.log.info(
            f"{series}: put in place as a whole, {counts.inserted} inserted, {counts.updated} updated, "
            f"{counts.unchanged} unchanged"
        )


def _find_gone(stored: pa.Table, bars: pa.Table, told: Sequence[Span]) -> list[int]:
    new = frozenset(open_times_ms(bars).to_pylist())
    return [
        time_ms
        for span in told
        for time_ms in open_times_ms(cut_klines(stored, span)).to_pylist()
        if time_ms not in new
    ]
