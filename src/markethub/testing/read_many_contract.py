"""What ``read_many`` and ``count_many`` of every ``SeriesStore`` must do; a subclass of
``SeriesStoreContract`` for one store has a sibling of this::

class TestMyStoreReadByMany(ReadManyContract):
    @pytest.fixture
    def store(self) -> Iterator[SeriesStore]:
        ...
"""

# ruff: noqa: S101 - assert is how pytest speaks

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import InputError, StoreError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import to_ms
from markethub.ports.store import Coverage, SeriesStore, SeriesWrite
from markethub.tables.klines import KLINES, PLACE
from markethub.testing.store_contract import (
    APPLE_DAYS,
    BTC,
    BTC_HOURS,
    DAY_MS,
    ETH,
    MINUTE_MS,
    T0,
    bars_at,
    minute_span,
    minutes,
)

SOL = Series(Symbol.parse("SOL_USDT.BNC"), Interval.M1)
NOTHING = Series(Symbol.parse("NOTHING_USDT.BNC"), Interval.M1)
CLAIMED = Series(Symbol.parse("CLAIMED_USDT.BNC"), Interval.M1)


def _store_series(store: SeriesStore) -> list[Series]:
    """Series of three intervals that came in no order, one with a claim alone, one that never came."""
    for start in (40, 0, 20):
        parts = [(ETH, 1.0), (BTC, 2.0), (SOL, 3.0)]
        store.upsert_many(
            [SeriesWrite(one, bars_at(minutes(start, start + 20), price)) for one, price in parts]
        ).result()
    store.upsert_many(
        [
            SeriesWrite(SOL, bars_at(minutes(70, 75))),
            SeriesWrite(APPLE_DAYS, bars_at([T0 + day * DAY_MS for day in range(5)], 7.0)),
            SeriesWrite(BTC_HOURS, bars_at([T0 + hour * 60 * MINUTE_MS for hour in range(3)], 8.0)),
            SeriesWrite(CLAIMED, bars_at([]), [Coverage(minute_span(0, 9), "rest", T0)]),
        ]
    ).result()
    return [APPLE_DAYS, BTC, BTC_HOURS, CLAIMED, ETH, NOTHING, SOL]


def _rows(batches: Sequence[pa.RecordBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_pylist()]


def _one_by_one(store: SeriesStore, series: Sequence[Series]) -> list[dict[str, Any]]:
    return [{"place": place} | row for place, one in enumerate(series) for row in store.read(one).to_pylist()]


class ReadManyContract:
    """The suite; every test starts with an empty store."""

    @pytest.fixture
    def store(self) -> SeriesStore:
        raise NotImplementedError("a subclass overrides the fixture `store`")

    def test_an_empty_store_and_an_empty_question(self, store: SeriesStore) -> None:
        assert list(store.read_many([BTC, ETH])) == []
        assert store.count_many([BTC, ETH]) == 0
        _store_series(store)
        assert list(store.read_many([])) == []
        assert store.count_many([]) == 0

    def test_it_is_the_reads_one_after_the_other(self, store: SeriesStore) -> None:
        known = _store_series(store)
        moments = st.integers(-5, 80).map(lambda minute: T0 + minute * MINUTE_MS + minute % 3)
        spans = st.none() | st.tuples(moments, moments).filter(lambda pair: pair[0] < pair[1]).map(
            lambda pair: Span(*pair)
        )

        singly = {one: store.read(one).to_pylist() for one in known}

        @settings(max_examples=12, deadline=None)
        @given(st.lists(st.sampled_from(known), unique=True), spans)
        def check(series: list[Series], span: Span | None) -> None:
            batches = list(store.read_many(series, span))
            expected = [
                {"place": place} | row
                for place, one in enumerate(series)
                for row in singly[one]
                if span is None or to_ms(row["open_time"]) in span
            ]
            assert _rows(batches) == expected
            assert store.count_many(series, span) == len(expected)
            for batch in batches:
                assert len(batch) > 0
                assert batch.schema.equals(pa.schema([PLACE, *KLINES]))

        check()

    def test_it_is_so_for_compacted_bars_too(self, store: SeriesStore) -> None:
        series = _store_series(store)[::-1]
        before = _rows(list(store.read_many(series)))
        store.compact()
        assert _rows(list(store.read_many(series))) == before

    def test_columns_are_answered_as_named(self, store: SeriesStore) -> None:
        _store_series(store)
        batches = list(store.read_many([SOL, BTC], columns=["trades", "close"]))
        wanted = [PLACE, KLINES.field("trades"), KLINES.field("close")]
        assert all(batch.schema.equals(pa.schema(wanted)) for batch in batches)
        expected = _one_by_one(store, [SOL, BTC])
        assert _rows(batches) == [
            {name: row[name] for name in ("place", "trades", "close")} for row in expected
        ]

    def test_what_makes_no_sense_is_refused_at_once(self, store: SeriesStore) -> None:
        for columns in ([], ["price"], ["close", "close"]):
            with pytest.raises(InputError, match="open_time, open, high"):
                store.read_many([BTC], columns=columns)
        with pytest.raises(InputError, match=r"ETH_USDT\.BNC 1m is named twice"):
            store.read_many([ETH, BTC, ETH])
        with pytest.raises(InputError, match="named twice"):
            store.count_many([ETH, ETH])

    def test_all_of_it_is_one_snapshot(self, store: SeriesStore) -> None:
        _store_series(store)
        expected = _one_by_one(store, [SOL, BTC, ETH])
        reading = store.read_many([SOL, BTC, ETH])
        first = next(reading)
        for series in (SOL, BTC, ETH):
            store.upsert(series, bars_at(minutes(0, 90), 99.0)).result()
        store.compact()
        assert _rows([first, *reading]) == expected
        assert _rows(list(store.read_many([SOL, BTC]))) == _one_by_one(store, [SOL, BTC])

    def test_who_leaves_early_holds_nothing(self, store: SeriesStore) -> None:
        _store_series(store)
        for _ in range(3):
            reading = store.read_many([BTC, ETH, SOL])
            next(reading)
            reading.close()
        store.read_many([BTC])  # never begun
        store.close()

    def test_steps_may_be_taken_on_any_thread(self, store: SeriesStore) -> None:
        _store_series(store)
        expected = _one_by_one(store, [ETH, APPLE_DAYS, SOL])
        reading = store.read_many([ETH, APPLE_DAYS, SOL])
        batches: list[pa.RecordBatch | None] = []
        while batches[-1:] != [None]:
            with ThreadPoolExecutor(1) as thread:
                batches.append(thread.submit(next, reading, None).result())
        assert _rows([batch for batch in batches if batch is not None]) == expected
        left = store.read_many([ETH, APPLE_DAYS, SOL])
        next(left)
        with ThreadPoolExecutor(1) as thread:
            thread.submit(left.close).result()
        store.close()

    def test_a_closed_store_refuses(self, store: SeriesStore) -> None:
        store.close()
        with pytest.raises(StoreError, match="closed"):
            store.count_many([BTC])
        with pytest.raises(StoreError, match="closed"):
            next(store.read_many([BTC]))

    def test_hundreds_of_series(self, store: SeriesStore) -> None:
        many = [Series(Symbol.parse(f"US.S{number}"), Interval.D1) for number in range(300)]
        bars = bars_at([T0, T0 + DAY_MS])
        for some in (many[100:], many[:100]):
            store.upsert_many([SeriesWrite(one, bars) for one in some]).result()
        asked = many[::-1]
        places = [place for batch in store.read_many(asked) for place in batch.column(0).to_pylist()]
        assert places == [place for place in range(300) for _ in range(2)]
        assert store.count_many(asked, Span(T0, T0 + DAY_MS)) == 300
