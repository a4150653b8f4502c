"""A store in memory: for tests and trials, and the measure that other stores are held to."""

from collections.abc import Generator, Sequence
from concurrent.futures import Future

import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.domain.span import Span, merge
from markethub.domain.symbol import Series
from markethub.ports.clock import Clock, system_clock
from markethub.ports.store import EVER, Change, Coverage, SeriesSummary, SeriesWrite, UpsertCounts
from markethub.stores.admission import admit_writes
from markethub.stores.claims import ClaimRule, add_claims, cut_claims
from markethub.stores.memory_records import MemoryRecords, SharedLife
from markethub.stores.memory_replica import MemoryReplica
from markethub.stores.memory_tables import StoredSeries
from markethub.stores.questions import align, check_columns, check_distinct, check_limit
from markethub.tables.klines import KLINES, open_times_ms, place_bars


class MemorySeriesStore:
    """A ``DataStore`` of plain dictionaries.

    Rows are Python objects, so keep it to some million bars.
    """

    def __init__(self, clock: Clock = system_clock) -> None:
        self._life = SharedLife(clock)
        self._series: dict[Series, StoredSeries] = {}
        self._changes: list[Change] = []
        self.records = MemoryRecords(self._life)
        self.replica = MemoryReplica(self._life, self._series, self._changes, self.records, self._write)

    def upsert(
        self, series: Series, bars: pa.Table, covered: Sequence[Coverage] = ()
    ) -> "Future[UpsertCounts]":
        future: Future[UpsertCounts] = Future()
        written = self.upsert_many([SeriesWrite(series, bars, covered)])
        if (error := written.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(written.result()[0])
        return future

    def upsert_many(self, writes: Sequence[SeriesWrite]) -> "Future[list[UpsertCounts]]":
        future: Future[list[UpsertCounts]] = Future()
        with self._life.open():
            try:
                admitted = admit_writes(writes)
            except StoreError as error:
                future.set_exception(error)
            else:
                future.set_result([self._write(one) for one in admitted])
        return future

    def read(
        self,
        series: Series,
        span: Span | None = None,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> pa.Table:
        names = check_columns(columns)
        check_limit(limit)
        with self._life.open():
            return self._bars_of(series, span, limit=limit, newest=newest).select(names)

    def count_many(self, series: Sequence[Series], span: Span | None = None) -> int:
        check_distinct(series)
        asked = span or EVER
        with self._life.open():
            stored = [self._series[one] for one in series if one in self._series]
            return sum(time_ms in asked for one in stored for time_ms in one.bars)

    def read_many(
        self, series: Sequence[Series], span: Span | None = None, *, columns: Sequence[str] | None = None
    ) -> Generator[pa.RecordBatch]:
        names = check_columns(columns)
        check_distinct(series)
        return self._read_many(series, span, names)

    def _read_many(
        self, series: Sequence[Series], span: Span | None, names: list[str]
    ) -> Generator[pa.RecordBatch]:
        with self._life.open():
            found = [self._bars_of(one, span).select(names) for one in series]
        for place, bars in enumerate(found):
            if len(bars):
                yield place_bars(bars, pa.array([place] * len(bars), pa.int32()))

    def _bars_of(
        self, series: Series, span: Span | None, *, limit: int | None = None, newest: bool = False
    ) -> pa.Table:
        stored = self._series.get(series, StoredSeries())
        times = sorted(time_ms for time_ms in stored.bars if time_ms in (span or EVER))
        if limit is not None:
            times = times[max(len(times) - limit, 0) :] if newest else times[:limit]
        rows = [stored.bars[time_ms] for time_ms in times]
        by_column = zip(*rows, strict=True) if rows else [()] * len(KLINES.names)
        arrays = [pa.array(values, kind) for values, kind in zip(by_column, KLINES.types, strict=True)]
        return pa.Table.from_arrays(arrays, schema=KLINES)

    def covered(self, series: Series, span: Span) -> list[Coverage]:
        with self._life.open():
            return cut_claims(self._series.get(series, StoredSeries()).claims, span)

    def holes(self, series: Series, span: Span) -> list[Span]:
        width = series.interval.width_ms
        grid = align(series, span)
        with self._life.open():
            stored = self._series.get(series, StoredSeries())
            points = range(grid.start_ms, grid.end_ms, width) if grid else ()
            return merge(Span(time_ms, time_ms + width) for time_ms in points if time_ms not in stored.bars)

    def summaries(self) -> list[SeriesSummary]:
        with self._life.open():
            return [
                SeriesSummary(
                    series,
                    len(stored.bars),
                    min(stored.bars, default=None),
                    max(stored.bars, default=None),
                    stored.revision,
                )
                for series, stored in sorted(self._series.items(), key=lambda item: item[0])
            ]

    def changes(self, after_revision: int, limit: int) -> list[Change]:
        check_limit(limit)
        with self._life.open():
            return [change for change in self._changes if change.revision > after_revision][:limit]

    def revision(self) -> int:
        with self._life.open():
            return self._life.revision

    def compact(self) -> None:
        with self._life.open():
            pass  # rows are sorted when they are read

    def close(self) -> None:
        self._life.close()

    def _write(self, write: SeriesWrite, claim_rule: ClaimRule = add_claims) -> UpsertCounts:
        series, bars = write.series, write.bars
        stored = self._series.get(series, StoredSeries())
        columns = [open_times_ms(bars), *bars.columns[1:]]
        rows = {row[0]: row for row in zip(*(column.to_pylist() for column in columns), strict=True)}
        new = {time_ms: row for time_ms, row in rows.items() if time_ms not in stored.bars}
        changed = {time_ms: row for time_ms, row in rows.items() if stored.bars.get(time_ms, row) != row}
        touched = [Span(time_ms, time_ms + series.interval.width_ms) for time_ms in (*new, *changed)]
        kept, news = claim_rule(stored.claims, write.covered)
        touched += news
        if touched:
            self._life.take_revision()
            hull = Span(min(span.start_ms for span in touched), max(span.end_ms for span in touched))
            self._changes.append(Change(self._life.revision, series, hull))
            stored.bars.update(new | changed)
            claims = [claim for claim in kept if claim not in stored.claims]
            stored.claims = kept
            stored.stamp([*new, *changed, *claims], self._life.revision)
            self._series[series] = stored
        unchanged = len(rows) - len(new) - len(changed)
        return UpsertCounts(len(new), len(changed), unchanged, self._life.revision)
