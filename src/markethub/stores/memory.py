"""A store in memory: for tests and trials, and the measure that other stores are held to."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.domain.span import Span, merge
from markethub.domain.symbol import Series
from markethub.ports.store import Change, Coverage, SeriesSummary, UpsertCounts
from markethub.stores.admission import FIRST_MS, LAST_MS, admit_bars, admit_claims
from markethub.stores.claims import add_claim, cut_claims
from markethub.stores.memory_records import MemoryRecords, SharedLife
from markethub.stores.questions import align, check_columns, check_limit
from markethub.tables.klines import KLINES, open_times_ms

_ALWAYS = Span(FIRST_MS, LAST_MS)

Row = tuple[Any, ...]


@dataclass(slots=True)
class _Stored:
    bars: dict[int, Row] = field(default_factory=dict)
    claims: list[Coverage] = field(default_factory=list)
    revision: int = 0


class MemorySeriesStore:
    """A ``SeriesStore`` of plain dictionaries, and a ``RecordStore`` as ``records``.

    Rows are Python objects, so keep it to some million bars.
    """

    def __init__(self) -> None:
        self._life = SharedLife()
        self._series: dict[Series, _Stored] = {}
        self._changes: list[Change] = []
        self.records = MemoryRecords(self._life)

    def upsert(
        self, series: Series, bars: pa.Table, covered: Sequence[Coverage] = ()
    ) -> "Future[UpsertCounts]":
        future: Future[UpsertCounts] = Future()
        with self._life.open():
            try:
                admitted = admit_bars(series, bars)
                claims = admit_claims(series, covered)
            except StoreError as error:
                future.set_exception(error)
            else:
                future.set_result(self._write(series, admitted, claims))
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
            stored = self._series.get(series, _Stored())
            times = sorted(time_ms for time_ms in stored.bars if time_ms in (span or _ALWAYS))
            if limit is not None:
                times = times[max(len(times) - limit, 0) :] if newest else times[:limit]
            rows = [stored.bars[time_ms] for time_ms in times]
        by_column = zip(*rows, strict=True) if rows else [()] * len(KLINES.names)
        arrays = [pa.array(values, kind) for values, kind in zip(by_column, KLINES.types, strict=True)]
        return pa.Table.from_arrays(arrays, schema=KLINES).select(names)

    def covered(self, series: Series, span: Span) -> list[Coverage]:
        with self._life.open():
            return cut_claims(self._series.get(series, _Stored()).claims, span)

    def holes(self, series: Series, span: Span) -> list[Span]:
        width = series.interval.width_ms
        grid = align(series, span)
        with self._life.open():
            stored = self._series.get(series, _Stored())
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

    def _write(self, series: Series, bars: pa.Table, claims: Sequence[Coverage]) -> UpsertCounts:
        stored = self._series.get(series, _Stored())
        columns = [open_times_ms(bars), *bars.columns[1:]]
        rows = {row[0]: row for row in zip(*(column.to_pylist() for column in columns), strict=True)}
        new = {time_ms: row for time_ms, row in rows.items() if time_ms not in stored.bars}
        changed = {time_ms: row for time_ms, row in rows.items() if stored.bars.get(time_ms, row) != row}
        touched = [Span(time_ms, time_ms + series.interval.width_ms) for time_ms in (*new, *changed)]
        kept = stored.claims
        for claim in claims:
            after = add_claim(kept, claim)
            if after != kept:
                touched.append(claim.span)
                kept = after
        if touched:
            self._life.revision += 1
            hull = Span(min(span.start_ms for span in touched), max(span.end_ms for span in touched))
            self._changes.append(Change(self._life.revision, series, hull))
            stored.bars.update(new | changed)
            stored.claims, stored.revision = kept, self._life.revision
            self._series[series] = stored
        unchanged = len(rows) - len(new) - len(changed)
        return UpsertCounts(len(new), len(changed), unchanged, self._life.revision)
