"""What ``upsert_many`` of every ``SeriesStore`` must do; a subclass of ``SeriesStoreContract`` for one store
has a sibling of this::

class TestMyStoreInBulk(BulkWriteContract):
    @pytest.fixture
    def store(self) -> Iterator[SeriesStore]:
        ...
"""

# ruff: noqa: S101 - assert is how pytest speaks

import pytest

from markethub.domain.errors import StoreError
from markethub.domain.interval import Interval
from markethub.domain.symbol import Series, Symbol
from markethub.ports.store import Coverage, SeriesStore, SeriesWrite, UpsertCounts
from markethub.testing.store_contract import (
    APPLE_DAYS,
    BAD_TABLES,
    BTC,
    BTC_HOURS,
    ETH,
    MINUTE_MS,
    T0,
    bars_at,
    minute_span,
    minutes,
    observe,
    times_of,
)


class BulkWriteContract:
    """The suite; every test starts with an empty store."""

    @pytest.fixture
    def store(self) -> SeriesStore:
        raise NotImplementedError("a subclass overrides the fixture `store`")

    def test_writes_of_many_series_are_one(self, store: SeriesStore) -> None:
        all_series = [Series(Symbol.parse(f"C{n}_USDT.BNC"), Interval.M1) for n in range(12)]
        store.upsert(all_series[3], bars_at(minutes(0, 3), 5.0)).result()
        writes = [
            SeriesWrite(series, bars_at(minutes(0, 4)), [Coverage(minute_span(0, 4), "rest", T0)])
            for series in all_series
        ]
        counts = store.upsert_many(writes).result()
        expected = [UpsertCounts(4, 0, 0, number + 2) for number in range(12)]
        expected[3] = UpsertCounts(1, 3, 0, 5)
        assert counts == expected
        for series in all_series:
            assert store.read(series).to_pylist() == bars_at(minutes(0, 4)).to_pylist()
            assert store.covered(series, minute_span(0, 9)) == [Coverage(minute_span(0, 4), "rest", T0)]
        assert [one.revision for one in store.changes(0, 99)] == list(range(1, 14))
        again = store.upsert_many(writes).result()
        assert [(one.unchanged, one.revision) for one in again] == [(4, 13)] * 12

    def test_a_series_may_come_twice_in_one_write(self, store: SeriesStore) -> None:
        claims = [Coverage(minute_span(0, 3), "rest", T0)]
        counts = store.upsert_many(
            [
                SeriesWrite(BTC, bars_at(minutes(0, 3)), claims),
                SeriesWrite(ETH, bars_at(minutes(0, 2))),
                SeriesWrite(BTC, bars_at(minutes(2, 5), 7.0), claims),
                SeriesWrite(BTC, bars_at([])),
            ]
        ).result()
        assert [(one.inserted, one.updated, one.unchanged) for one in counts] == [
            (3, 0, 0),
            (2, 0, 0),
            (2, 1, 0),
            (0, 0, 0),
        ]
        assert times_of(store.read(BTC)) == minutes(0, 5)
        assert store.read(BTC, minute_span(2, 5)).to_pylist() == bars_at(minutes(2, 5), 7.0).to_pylist(), (
            "the later one wins"
        )
        assert store.upsert_many([]).result() == []

    def test_one_bad_series_refuses_the_whole_write(self, store: SeriesStore) -> None:
        store.upsert(ETH, bars_at(minutes(0, 2))).result()
        before = observe(store)
        good = [Series(Symbol.parse(f"C{n}_USDT.BNC"), Interval.M1) for n in range(5)]
        sound = [SeriesWrite(series, bars_at(minutes(0, 3))) for series in good]
        for problem, bars in BAD_TABLES.items():
            error = store.upsert_many([*sound, SeriesWrite(ETH, bars), *sound]).exception()
            assert isinstance(error, StoreError), problem
            assert "ETH_USDT.BNC 1m" in str(error), problem
        claim = Coverage(minute_span(0, 1), "", T0)
        error = store.upsert_many([*sound, SeriesWrite(ETH, bars_at([]), [claim])]).exception()
        assert isinstance(error, StoreError)
        assert observe(store) == before

    def test_series_next_to_each_other_are_judged_apart(self, store: SeriesStore) -> None:
        """A later series may begin before the one in front of it has ended, and has its own grid."""
        hours = [T0 + place * BTC_HOURS.interval.width_ms for place in range(3)]
        writes = [
            SeriesWrite(BTC, bars_at(minutes(50, 60))),
            SeriesWrite(ETH, bars_at(minutes(0, 10))),
            SeriesWrite(BTC_HOURS, bars_at(hours)),
            SeriesWrite(APPLE_DAYS, bars_at([T0])),
        ]
        assert [one.inserted for one in store.upsert_many(writes).result()] == [10, 10, 3, 1]
        for write in writes:
            assert store.read(write.series).equals(write.bars)
        off_grid = SeriesWrite(BTC_HOURS, bars_at([T0 + MINUTE_MS]))
        error = store.upsert_many([*writes, off_grid]).exception()
        assert isinstance(error, StoreError)
        assert "off the 1h grid" in str(error)
