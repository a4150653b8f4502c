import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.store import Coverage, SeriesWrite
from markethub.stores.duckdb import compaction, open_duckdb_store
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.store_contract import (
    BTC,
    BTC_HOURS,
    ETH,
    MINUTE_MS,
    T0,
    bars_at,
    observe,
)
from tests.drawn_cases import drawn

series_ = st.sampled_from([BTC, ETH, BTC_HOURS])
places = st.integers(0, 300)


class StoreMachine(RuleBasedStateMachine):
    """The DuckDB store beside the one in memory, through writes, upkeep, crashes of a kind, and time."""

    @initialize(hours=st.integers(-2, 6))
    def open(self, hours: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="store-machine-"))
        self.now_ms = T0 + hours * 60 * MINUTE_MS
        self.model = MemorySeriesStore()
        self._open()

    def _open(self) -> None:
        self.store = open_duckdb_store(self.folder / "bars.duckdb", clock=lambda: self.now_ms)

    @rule(
        at_once=st.booleans(),
        writes=st.lists(
            st.tuples(
                series_,
                st.sets(places, max_size=40) | st.builds(range, places, st.integers(0, 330)),
                st.sampled_from([1.0, 2.0]),
                st.none() | st.tuples(places, st.integers(1, 60), st.sampled_from(["rest", "archive:x"])),
            ),
            min_size=1,
            max_size=6,
        ),
    )
    def write(
        self,
        at_once: bool,
        writes: list[tuple[Series, set[int] | range, float, tuple[int, int, str] | None]],
    ) -> None:
        futures = []
        expected = []
        together = []
        for series, at, price, claimed in writes:
            width = series.interval.width_ms
            bars = bars_at(sorted(T0 + place * width for place in at), price)
            claims = []
            if claimed:
                start, length, source = claimed
                span = Span(T0 + start * width, T0 + (start + length) * width)
                claims = [Coverage(span, source, self.now_ms)]
            if at_once:
                together.append(SeriesWrite(series, bars, claims))
            else:
                futures.append(self.store.upsert(series, bars, claims))
            expected.append(self.model.upsert(series, bars, claims).result())
        found = [future.result() for future in futures]
        if at_once:
            found = self.store.upsert_many(together).result()
        assert [(one.inserted, one.updated, one.unchanged) for one in found] == [
            (one.inserted, one.updated, one.unchanged) for one in expected
        ]

    @rule(hours=st.integers(1, 30))
    def let_time_pass(self, hours: int) -> None:
        self.now_ms += hours * 60 * MINUTE_MS

    @rule()
    def compact(self) -> None:
        self.store.compact()

    @rule()
    def maintain(self) -> None:
        self.store.maintain()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self._open()

    @rule()
    def copy_while_open(self) -> None:
        """What another process would find after a kill: the file and its log as they are now."""
        folder = Path(tempfile.mkdtemp(prefix="store-machine-"))
        for file in self.folder.glob("bars.duckdb*"):
            shutil.copy(file, folder)
        copy = open_duckdb_store(folder / "bars.duckdb", clock=lambda: self.now_ms)
        try:
            assert observe(copy)["bars"] == observe(self.model)["bars"]
        finally:
            copy.close()
            shutil.rmtree(folder)

    @rule(
        series=series_,
        start=places,
        length=st.integers(1, 200),
        limit=st.integers(0, 50),
        newest=st.booleans(),
    )
    def read(self, series: Series, start: int, length: int, limit: int, newest: bool) -> None:
        width = series.interval.width_ms
        span = Span(T0 + start * width, T0 + (start + length) * width)
        for one_limit in (None, limit):
            found, expected = (
                store.read(series, span, limit=one_limit, newest=newest) for store in (self.store, self.model)
            )
            assert found.equals(expected)
        assert self.store.holes(series, span) == self.model.holes(series, span)
        assert self.store.covered(series, span) == self.model.covered(series, span)

    @precondition(lambda self: hasattr(self, "store"))
    @invariant()
    def agree(self) -> None:
        found, expected = observe(self.store), observe(self.model)
        # Writes that share a transaction may take their revisions in another order.
        assert found["revision"] == expected["revision"]
        assert {(one.series, one.rows, one.first_ms, one.last_ms) for one in found["summaries"]} == {
            (one.series, one.rows, one.first_ms, one.last_ms) for one in expected["summaries"]
        }
        assert sorted((str(one.series), one.span) for one in found["changes"]) == sorted(
            (str(one.series), one.span) for one in expected["changes"]
        )
        assert [one.revision for one in found["changes"]] == list(range(1, found["revision"] + 1))
        assert found["bars"] == expected["bars"]
        assert found["coverage"] == expected["coverage"]
        for state in (self.store._state.find(series) for series in (BTC, ETH, BTC_HOURS)):
            if state is not None and state.unsorted_from_ms is None:
                self._check_cold_is_sorted(state.series, state.id)

    def _check_cold_is_sorted(self, series: Series, series_id: int) -> None:
        cold = self.store._file.connection.table(f"klines_{series.interval}")
        times = cold.filter(f"series = {series_id}").project("open_time").fetchall()
        assert times == sorted(times)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "STEP_ROWS", 50)
    monkeypatch.setattr(compaction, "_CHECKPOINT_ROWS", 200)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=drawn(10), stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
