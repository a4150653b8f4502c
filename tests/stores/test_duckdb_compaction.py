import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import groupby, product
from pathlib import Path

import duckdb
import pytest

from markethub.domain.errors import StoreError
from markethub.domain.interval import Interval
from markethub.domain.symbol import Series, Symbol
from markethub.ports.clock import system_clock
from markethub.stores.duckdb import compaction, open_duckdb_store
from markethub.stores.duckdb.batch import Write
from markethub.stores.duckdb.commit import Committer
from markethub.stores.duckdb.compaction_steps import Move, Steps, hot_start
from markethub.stores.duckdb.state import Stage
from markethub.testing.store_contract import (
    BTC,
    ETH,
    MINUTE_MS,
    T0,
    bars_at,
    minute_span,
    minutes,
    observe,
    times_of,
)

HOUR_MS = 60 * MINUTE_MS


class Bench:
    """A store with a clock that tests move."""

    def __init__(self, path: Path) -> None:
        self.now_ms = T0
        self.store = open_duckdb_store(path, clock=lambda: self.now_ms)

    @property
    def steps(self) -> Steps:
        """This store's own, to be patched: hubs of other tests may be at work in threads of this process."""
        return self.store._compaction._steps

    def at_minute(self, minute: int) -> None:
        self.now_ms = T0 + minute * MINUTE_MS

    def make_history(self) -> None:
        """Let so much time pass that all minutes of a test are cold."""
        self.at_minute(100_000)
        self.store.maintain()

    def rows_of(self, table: str) -> int:
        return int(self.store._file.connection.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0])  # noqa: S608

    def fragments(self) -> list[tuple[int, int, int]]:
        """Start and end in minutes, and level."""
        rows = self.store._file.connection.sql(
            "SELECT * EXCLUDE interval FROM fragments ORDER BY 1"
        ).fetchall()
        return [((start - T0) // MINUTE_MS, (end - T0) // MINUTE_MS, level) for start, end, level in rows]

    def is_unsorted(self, series: Series) -> bool:
        state = self.store._state.find(series)
        assert state is not None
        return state.unsorted_from_ms is not None

    def cold_times(self, series: Series) -> list[int]:
        """Open times in the order in which they lie in the cold table."""
        state = self.store._state.find(series)
        assert state is not None
        cold = self.store._file.connection.table("klines_1m").filter(f"series = {state.id}")
        return [time for (time,) in cold.project("epoch_ms(open_time)").fetchall()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "bars.duckdb")
    yield bench
    bench.store.close()


def test_the_hot_stretch_starts_a_full_hour_back_and_two_bars_at_least() -> None:
    assert hot_start(Interval.M1, T0 + 90 * MINUTE_MS) == T0
    assert hot_start(Interval.M1, T0 + 120 * MINUTE_MS) == T0 + HOUR_MS
    assert hot_start(Interval.H4, T0 + 13 * HOUR_MS) == T0 + 4 * HOUR_MS
    assert hot_start(Interval.D1, T0 + 60 * HOUR_MS) == T0


def test_new_bars_are_hot_and_become_cold(bench: Bench) -> None:
    for series in (ETH, BTC):
        bench.store.upsert(series, bars_at(minutes(-90, 60))).result()
    assert (bench.rows_of("klines_1m"), bench.rows_of("klines_1m_hot")) == (60, 240)
    assert times_of(bench.store.read(BTC, minute_span(-70, -50))) == minutes(-70, -50)
    bench.at_minute(90)
    bench.store.maintain()
    assert (bench.rows_of("klines_1m"), bench.rows_of("klines_1m_hot")) == (180, 120)
    assert bench.cold_times(BTC) == minutes(-90, 0)
    for start, end in ((-20, 0), (-20, 1), (0, 5), (-20, 20)):
        assert times_of(bench.store.read(BTC, minute_span(start, end))) == minutes(start, end)
    assert bench.fragments() == [(-60, 0, 0)]
    assert not bench.is_unsorted(BTC)
    # A correction of a flushed bar finds it, and later bars are hot again.
    assert bench.store.upsert(BTC, bars_at(minutes(-10, 70), 3.0)).result().updated == 70
    assert times_of(bench.store.read(BTC)) == minutes(-90, 70)


def test_nothing_moves_within_the_hour(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.store.upsert(BTC, bars_at(minutes(0, 10))).result()
    bench.at_minute(59)
    for step in ("flush", "move", "checkpoint"):
        monkeypatch.setattr(bench.steps, step, None)
    bench.store.maintain()


def test_a_flush_of_much_goes_in_steps(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "STEP_ROWS", 50)
    for series in (BTC, ETH):
        bench.store.upsert(series, bars_at(minutes(0, 100))).result()
    before = observe(bench.store)
    bench.at_minute(240)
    bench.store.maintain()
    assert [(start, end) for start, end, _ in bench.fragments()] == [(0, 25), (25, 50), (50, 75), (75, 180)]
    assert bench.rows_of("klines_1m_hot") == 0
    assert observe(bench.store) == before


def test_flushes_become_one_and_so_do_their_merges(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_FLUSHES_PER_MERGE", 3)
    monkeypatch.setattr(compaction, "_MERGES_PER_REWRITE", 3)
    monkeypatch.setattr(compaction, "_FINAL_MS", 9 * HOUR_MS)
    levels = []
    for hour in range(12):
        for series in (BTC, ETH):
            bench.store.upsert(series, bars_at(minutes(hour * 60, hour * 60 + 60, 10)))
        bench.at_minute(hour * 60 + 120)
        bench.store.maintain()
        levels.append("".join(str(level) for _, _, level in bench.fragments()))
    # Three flushes make a merge; three merges and the flush behind them are long enough to be final.
    assert levels == ["0", "00", "1", "10", "100", "11", "110", "1100", "111", "", "0", "00"]
    for series in (BTC, ETH):
        assert times_of(bench.store.read(series)) == minutes(0, 720, 10)
        assert bench.cold_times(series) == minutes(0, 720, 10)
    cold = bench.store._file.connection.table("klines_1m").project("series").fetchall()
    assert [series_id for series_id, _ in groupby(cold)] == [(1,), (2,)] * 3


def test_writes_that_wait_together_are_laid_in_order(bench: Bench) -> None:
    bench.make_history()
    writes = [
        Write(series, bars_at(minutes(start, start + 10)), ())
        for start in (20, 10, 0)
        for series in (ETH, BTC)
    ]
    Committer(bench.store._writer, bench.store._state, system_clock).commit(writes)
    for series in (BTC, ETH):
        assert bench.cold_times(series) == minutes(0, 30)
        assert not bench.is_unsorted(series)


def test_late_history_is_sorted_once_it_is_quiet(bench: Bench) -> None:
    bench.make_history()
    parts = [minutes(start, start + 10) for start in (30, 10, 0, 20)]
    for part in parts[:3]:
        bench.store.upsert(BTC, bars_at(part)).result()
        bench.store.maintain()
    assert bench.cold_times(BTC) == parts[0] + parts[1] + parts[2]
    bench.store.upsert(BTC, bars_at(parts[3])).result()
    bench.store.maintain()
    assert bench.cold_times(BTC)[0] == T0 + 30 * MINUTE_MS, "still being written"
    bench.store.maintain()
    assert bench.cold_times(BTC) == minutes(0, 40)
    assert times_of(bench.store.read(BTC)) == minutes(0, 40)


def test_a_series_larger_than_a_step_is_sorted_piece_by_piece(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "STEP_ROWS", 30)
    moved: list[int] = []
    move = bench.steps.move

    def move_and_note(interval: Interval, moves: Sequence[Move]) -> int:
        moved.append(move(interval, moves))
        return moved[-1]

    monkeypatch.setattr(bench.steps, "move", move_and_note)
    bench.make_history()
    for start in (150, 100, 50, 0, 200):
        bench.store.upsert(BTC, bars_at(minutes(start, start + 40))).result()
        bench.store.upsert(ETH, bars_at(minutes(start, start + 3))).result()
    before = observe(bench.store)
    bench.store.compact()
    assert observe(bench.store) == before
    assert bench.cold_times(BTC) == sorted(bench.cold_times(BTC))
    assert max(moved) <= 30
    assert sum(moved) == 215
    moved.clear()
    bench.store.compact()
    assert moved == []


def test_history_that_comes_while_its_series_is_sorted_stays_marked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "STEP_ROWS", 30)
    bench.make_history()
    for start in (50, 0, 100):
        bench.store.upsert(BTC, bars_at(minutes(start, start + 40))).result()
    move = bench.steps.move

    def move_and_write(interval: Interval, moves: Sequence[Move]) -> int:
        rows = move(interval, moves)
        monkeypatch.setattr(bench.steps, "move", move)
        late.append(bench.store.upsert(BTC, bars_at(minutes(-20, -10))))
        return rows

    late: list[object] = []
    monkeypatch.setattr(bench.steps, "move", move_and_write)
    bench.store.compact()
    assert len(late) == 1
    times = minutes(-20, -10) + minutes(0, 40) + minutes(50, 90) + minutes(100, 140)
    assert times_of(bench.store.read(BTC)) == times
    bench.store.compact()
    assert bench.cold_times(BTC) == times


def test_a_failing_step_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.store.upsert(BTC, bars_at(minutes(0, 60))).result()
    bench.store.upsert(BTC, bars_at(minutes(-300, -200))).result()
    bench.store.upsert(BTC, bars_at(minutes(-400, -300))).result()
    before, cold = observe(bench.store), bench.cold_times(BTC)
    bench.at_minute(300)

    save = Stage.save

    def fail(stage: Stage, connection: duckdb.DuckDBPyConnection) -> None:
        if stage._state is bench.store._state:
            raise duckdb.IOException("disk full")
        save(stage, connection)

    with monkeypatch.context() as broken:
        broken.setattr(Stage, "save", fail)
        with pytest.raises(StoreError, match=r"compacting .*bars\.duckdb: disk full"):
            bench.store.compact()
    assert observe(bench.store) == before
    assert bench.cold_times(BTC) == cold
    assert bench.rows_of("klines_1m_hot") == 60
    bench.store.compact()
    assert observe(bench.store) == before
    assert bench.cold_times(BTC) == minutes(-400, -200) + minutes(0, 60)


def test_writers_and_readers_work_on_while_it_compacts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "STEP_ROWS", 100)
    all_series = [Series(Symbol.parse(f"C{number}_USDT.BNC"), Interval.M1) for number in range(2)]
    is_done = threading.Event()

    def write(series: Series) -> None:
        for block, part in product((3, 1, 4, 0, 2), range(5)):
            start = block * 100 + part * 20
            bench.store.upsert(series, bars_at(minutes(start, start + 20))).result()
            bench.now_ms += 10 * MINUTE_MS

    def read(series: Series) -> None:
        seen: list[int] = []
        while not is_done.is_set():
            times = times_of(bench.store.read(series))
            assert times == sorted({*times, *seen})
            seen = times

    def compact() -> None:
        while not is_done.is_set():
            bench.store.maintain()
            bench.store.compact()

    with ThreadPoolExecutor(5) as pool:
        others = [pool.submit(compact), *(pool.submit(read, series) for series in all_series)]
        wait([pool.submit(write, series) for series in all_series], timeout=60)
        is_done.set()
        for other in others:
            other.result(timeout=60)
    for series in all_series:
        assert bench.store.read(series).to_pylist() == bars_at(minutes(0, 500)).to_pylist()


def test_closing_ends_a_compaction(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "STEP_ROWS", 10)
    bench.make_history()
    for start in range(500, 0, -50):
        bench.store.upsert(BTC, bars_at(minutes(start, start + 40))).result()
    has_begun = threading.Event()
    move = bench.steps.move

    def move_slowly(interval: Interval, moves: Sequence[Move]) -> int:
        has_begun.set()
        return move(interval, moves)

    monkeypatch.setattr(bench.steps, "move", move_slowly)
    with ThreadPoolExecutor(1) as pool:
        compacting = pool.submit(bench.store.compact)
        assert has_begun.wait(20)
        bench.store.close()
        assert compacting.exception(timeout=20) is None or isinstance(compacting.exception(), StoreError)
    store = open_duckdb_store(bench.store._file.path, read_only=True)
    assert len(store.read(BTC)) == 400
    store.close()
