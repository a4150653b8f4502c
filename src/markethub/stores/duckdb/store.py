"""The embedded store: one DuckDB file, one writer thread, a cursor per read."""

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.ports.clock import Clock
from markethub.ports.store import Change, Coverage, SeriesSummary, SeriesWrite, UpsertCounts
from markethub.stores.admission import admit_bars, admit_claims, admit_writes
from markethub.stores.claims import cut_claims
from markethub.stores.duckdb.batch import Entry, Write, WriteSet
from markethub.stores.duckdb.claim_rows import SERIES_CLAIMS, read_claims
from markethub.stores.duckdb.commit import AnyWrite, Committer
from markethub.stores.duckdb.compaction import Compaction
from markethub.stores.duckdb.compaction_steps import Steps
from markethub.stores.duckdb.frames import transaction, translated
from markethub.stores.duckdb.many_reading import count_wanted, find_wanted, group_wanted, read_group
from markethub.stores.duckdb.open_file import OpenFile
from markethub.stores.duckdb.reading import count_bars, read_bars, read_limited
from markethub.stores.duckdb.records import DuckdbRecords
from markethub.stores.duckdb.replica import DuckdbReplica
from markethub.stores.duckdb.state import SeriesState, StoreState
from markethub.stores.duckdb.write_queue import WriteQueue
from markethub.stores.questions import align, check_columns, check_distinct, check_limit
from markethub.tables.klines import empty_klines, missing_bars

T = TypeVar("T")

# One transaction's worth. Fewer rows leave many small row groups, which every checkpoint rewrites.
_BATCH_ROWS = 1_000_000
_BATCH_WRITES = 4096
_QUEUED_ROWS = 500_000


class DuckdbSeriesStore:
    """A ``DataStore`` in a DuckDB file.

    ``open_duckdb_store`` makes it.

    Writes of all threads go through one queue and share transactions: a future ends when the transaction that
    holds its write is on disk. ``upsert`` waits while half a million rows are queued, so never call it from a
    callback of such a future: that runs on the writer thread itself. Reads run side by side, large ones as
    many at once as there are processors.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        *,
        read_only: bool,
        clock: Clock,
        on_close: Callable[[], None],
    ) -> None:
        self._file = OpenFile(connection, path, read_only=read_only, on_close=on_close)
        self._state = StoreState.load(connection)
        self._compaction_lock = threading.Lock()
        self._writer = connection.cursor()
        committer = Committer(self._writer, self._state, clock)
        self._queue: WriteQueue[AnyWrite] = WriteQueue(
            committer.commit,
            name=f"store-writer {path.name}",
            batch_rows=_BATCH_ROWS,
            batch_writes=_BATCH_WRITES,
            queued_rows=_QUEUED_ROWS,
        )
        self._planner = connection.cursor()
        self._compaction = Compaction(
            self._planner, Steps(self._writer, self._state), self._state, self._run_on_writer, clock
        )
        self.records = DuckdbRecords(self._file, self._state, self._queue.put)
        self.replica = DuckdbReplica(self._file, self._state, committer, self._call_writer)

    def upsert(
        self, series: Series, bars: pa.Table, covered: Sequence[Coverage] = ()
    ) -> "Future[UpsertCounts]":
        self._file.check_writable()
        try:
            write = Write(series, admit_bars(series, bars), admit_claims(series, covered))
        except StoreError as error:
            refused: Future[UpsertCounts] = Future()
            refused.set_exception(error)
            return refused
        self._queue.put(write)
        return write.future

    def upsert_many(self, writes: Sequence[SeriesWrite]) -> "Future[list[UpsertCounts]]":
        self._file.check_writable()
        future: Future[list[UpsertCounts]] = Future()
        try:
            admitted = admit_writes(writes)
        except StoreError as error:
            future.set_exception(error)
            return future
        self._queue.put(WriteSet([Entry(one.series, one.bars, one.covered) for one in admitted], future))
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
        with self._file.cursor(f"reading {series}") as cursor:
            state = self._state.find(series)
            if state is None:
                return empty_klines().select(names)
            most_rows = _most_rows(state, span)
            with self._file.turn(most_rows if limit is None else min(most_rows, limit)):
                if limit is None or most_rows <= limit:
                    is_cold = span is not None and span.end_ms <= self._state.hot_from_ms[series.interval]
                    bars = read_bars(cursor, series, state.id, span, names, is_cold_only=is_cold)
                    if limit is None or len(bars) <= limit:
                        return bars
                return read_limited(cursor, series, state.id, span, names, limit=limit, newest=newest)

    def count_many(self, series: Sequence[Series], span: Span | None = None) -> int:
        check_distinct(series)
        with self._file.cursor(f"counting bars of {len(series)} series") as cursor, transaction(cursor):
            return count_wanted(cursor, find_wanted(cursor, series, span))

    def read_many(
        self, series: Sequence[Series], span: Span | None = None, *, columns: Sequence[str] | None = None
    ) -> Generator[pa.RecordBatch]:
        names = check_columns(columns)
        check_distinct(series)
        return self._read_many(series, span, names)

    def _read_many(
        self, series: Sequence[Series], span: Span | None, names: list[str]
    ) -> Generator[pa.RecordBatch]:
        with self._file.cursor(f"reading {len(series)} series") as cursor, transaction(cursor):
            for group in group_wanted(find_wanted(cursor, series, span)):
                # A turn for each query: who takes the answer slowly must not hold it.
                with self._file.turn(group.most_rows):
                    batch = read_group(cursor, group, names)
                if batch is not None:
                    yield batch

    def covered(self, series: Series, span: Span) -> list[Coverage]:
        with self._file.cursor(f"reading the coverage of {series}") as cursor:
            state = self._state.find(series)
            if state is None:
                return []
            return cut_claims(read_claims(cursor, SERIES_CLAIMS, (state.id,), span), span)

    def holes(self, series: Series, span: Span) -> list[Span]:
        grid = align(series, span)
        with self._file.cursor(f"looking for holes in {series}") as cursor:
            if grid is None:
                return []
            state = self._state.find(series)
            if state is None:
                return [grid]
            # Every bar is on the grid and no key is there twice: so a full count means no hole.
            if count_bars(cursor, series, state.id, grid) == grid.width_ms // series.interval.width_ms:
                return []
            bars = read_bars(cursor, series, state.id, grid, ["open_time"])
        return missing_bars(bars, grid, series.interval)

    def summaries(self) -> list[SeriesSummary]:
        with self._file.cursor("listing series") as cursor:
            rows = cursor.sql(
                "SELECT symbol, interval, rows, first_ms, last_ms, revision FROM series"
            ).fetchall()
        return sorted(
            (
                SeriesSummary(Series(Symbol.parse(symbol), Interval(interval)), *counts)
                for symbol, interval, *counts in rows
            ),
            key=lambda summary: summary.series,
        )

    def changes(self, after_revision: int, limit: int) -> list[Change]:
        check_limit(limit)
        with self._file.cursor("reading the change log") as cursor:
            rows = cursor.sql(
                "SELECT c.revision, s.symbol, s.interval, c.start_ms, c.end_ms "
                "FROM changes c JOIN series s ON c.series = s.id "
                "WHERE c.revision > ? ORDER BY c.revision LIMIT ?",
                params=[after_revision, limit],
            ).fetchall()
        return [
            Change(revision, Series(Symbol.parse(symbol), Interval(interval)), Span(start_ms, end_ms))
            for revision, symbol, interval, start_ms, end_ms in rows
        ]

    def revision(self) -> int:
        with self._file.use():
            return self._state.revision

    def compact(self) -> None:
        self._file.check_writable()
        with self._file.use(), self._compaction_lock, translated(f"compacting {self._file.path}"):
            self._compaction.run_all()

    def maintain(self) -> None:
        """Do the upkeep that is due: a flush each hour, merges each day and month, sorting where it is quiet.

        Call it every minute or so from a thread of its own; it returns at once when nothing is due or a
        compaction is running.
        """
        self._file.check_writable()
        if not self._compaction_lock.acquire(blocking=False):
            return
        try:
            with self._file.use(), translated(f"maintaining {self._file.path}"):
                self._compaction.run_due()
        finally:
            self._compaction_lock.release()

    def close(self) -> None:
        if self._file.begin_close():
            # A compaction under way ends at its next step, when the queue refuses it.
            self._queue.close()
            self._file.end_close(self._planner, self._writer)

    def _call_writer(self, step: Callable[[], T]) -> "Future[T]":
        return self._queue.call(step)

    def _run_on_writer(self, step: Callable[[], T]) -> T:
        return self._call_writer(step).result()


def _most_rows(state: SeriesState, span: Span | None) -> int:
    if span is None:
        return state.rows
    return min(state.rows, -(-span.width_ms // state.series.interval.width_ms))
