"""What every ``SeriesStore`` must do; subclass it and give it a store::

class TestMyStore(SeriesStoreContract):
    @pytest.fixture
    def store(self) -> Iterator[SeriesStore]:
        ...
"""

# ruff: noqa: S101 - assert is how pytest speaks

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest

from markethub.domain.errors import InputError, StoreError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.ports.store import Change, Coverage, SeriesStore, SeriesSummary, SeriesWrite, UpsertCounts
from markethub.tables.klines import KLINES, open_times_ms

MINUTE_MS = 60_000
DAY_MS = 86_400_000
T0 = 1_609_459_200_000
"""2021-01-01T00:00:00Z, where the bars of the suite begin."""

BTC = Series(Symbol.parse("BTC_USDT.BNC"), Interval.M1)
BTC_HOURS = Series(Symbol.parse("BTC_USDT.BNC"), Interval.H1)
ETH = Series(Symbol.parse("ETH_USDT.BNC"), Interval.M1)
APPLE_DAYS = Series(Symbol.parse("US.AAPL"), Interval.D1)

VALUE_COLUMNS = KLINES.names[1:]


def bars_at(times_ms: Iterable[int], price: float = 100.0, /, **columns: Sequence[Any]) -> pa.Table:
    """Bars at ``times_ms`` with made-up values of time and ``price``; ``columns`` replace some."""
    times = list(times_ms)
    values: dict[str, Sequence[Any]] = {"open_time": times}
    for place, name in enumerate(VALUE_COLUMNS):
        values[name] = [price + place + time_ms % 7_000_000 / 1e6 for time_ms in times]
    values["trades"] = [int(price) + time_ms // MINUTE_MS % 1000 for time_ms in times]
    values |= columns
    arrays = [pa.array(values[field.name], field.type) for field in KLINES]
    return pa.Table.from_arrays(arrays, schema=KLINES)


def minutes(start: int, stop: int, step: int = 1) -> list[int]:
    """Open times of the minutes ``range(start, stop, step)`` after T0."""
    return [T0 + minute * MINUTE_MS for minute in range(start, stop, step)]


def minute_span(start: int, stop: int) -> Span:
    """From minute ``start`` to minute ``stop`` after T0."""
    return Span(T0 + start * MINUTE_MS, T0 + stop * MINUTE_MS)


def times_of(bars: pa.Table) -> list[int]:
    """The open times in Unix milliseconds."""
    return [int(time_ms) for time_ms in open_times_ms(bars).to_pylist()]


def observe(store: SeriesStore) -> dict[str, Any]:
    """Every answer about the whole content, in a form that can be compared."""
    everything = Span(T0 - 36_500 * DAY_MS, T0 + 36_500 * DAY_MS)
    summaries = store.summaries()
    return {
        "summaries": summaries,
        "revision": store.revision(),
        "changes": store.changes(0, 1_000_000),
        "bars": {str(one.series): store.read(one.series).to_pylist() for one in summaries},
        "coverage": {str(one.series): store.covered(one.series, everything) for one in summaries},
    }


def _edit(bars: pa.Table, name: str, values: Sequence[Any], kind: pa.DataType | None = None) -> pa.Table:
    place = bars.schema.get_field_index(name)
    return bars.set_column(place, pa.field(name, kind or KLINES.field(name).type), pa.array(values, kind))


BAD_TABLES: dict[str, pa.Table] = {
    "a column is missing": bars_at(minutes(0, 3)).drop_columns(["trades"]),
    "a column too many": bars_at(minutes(0, 3)).append_column("more", pa.array((1, 2, 3))),
    "columns in another order": bars_at(minutes(0, 3)).select(KLINES.names[::-1]),
    "prices as text": _edit(bars_at(minutes(0, 3)), "close", ["1", "2", "3"], pa.string()),
    "microseconds": _edit(bars_at(minutes(0, 1)), "open_time", [T0 * 1000], pa.timestamp("us", tz="UTC")),
    "times descend": bars_at(minutes(0, 3)[::-1]),
    "a time twice": bars_at([T0, T0, T0 + MINUTE_MS]),
    "off the grid": bars_at([T0, T0 + MINUTE_MS + 1]),
    "beyond the year 9999": bars_at([253_402_300_800_000]),
    "before the year 1": bars_at([-62_135_596_860_000]),
    "an open that is not a number": bars_at(minutes(0, 2), open=[1.0, float("nan")]),
    "an infinite volume": bars_at(minutes(0, 2), volume=[1.0, float("inf")]),
    "an infinite taker volume": bars_at(minutes(0, 2), taker_volume=[None, float("-inf")]),
    "no close": bars_at(minutes(0, 2), close=[1.0, None]),
    "no time": bars_at([T0], open_time=[None]),
}


class SeriesStoreContract:
    """The suite; every test starts with an empty store."""

    @pytest.fixture
    def store(self) -> SeriesStore:
        raise NotImplementedError("a subclass overrides the fixture `store`")

    def test_an_empty_store_has_empty_answers(self, store: SeriesStore) -> None:
        assert store.read(BTC).schema.equals(KLINES)
        assert len(store.read(BTC, minute_span(0, 9), columns=["close"], limit=3)) == 0
        assert store.covered(BTC, minute_span(0, 9)) == []
        assert store.summaries() == []
        assert store.changes(0, 10) == []
        assert store.revision() == 0
        store.compact()

    def test_a_write_of_nothing_leaves_no_trace(self, store: SeriesStore) -> None:
        assert store.upsert(BTC, bars_at([])).result() == UpsertCounts(0, 0, 0, 0)
        assert store.summaries() == []

    def test_bars_come_back_as_they_were_written(self, store: SeriesStore) -> None:
        bars = bars_at(
            minutes(0, 4),
            volume=[0.0, 1e-300, 1e300, 0.1],
            trades=[None, 0, 2**62, 1],
            quote_volume=[None, 1.0, 2.0, None],
            taker_volume=[None] * 4,
        )
        counts = store.upsert(BTC, bars).result()
        assert counts == UpsertCounts(inserted=4, updated=0, unchanged=0, revision=1)
        read = store.read(BTC)
        assert read.schema.equals(KLINES)
        assert read.to_pylist() == bars.to_pylist()

    def test_a_table_in_chunks_is_one_table(self, store: SeriesStore) -> None:
        chunks = pa.concat_tables([bars_at(minutes(start, start + 2)) for start in range(0, 10, 2)])
        assert store.upsert(BTC, chunks.slice(1, 7)).result().inserted == 7
        assert times_of(store.read(BTC)) == minutes(1, 8)

    def test_counts_tell_inserted_updated_and_unchanged(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(2, 6))).result()
        mixed = bars_at(minutes(0, 8), close=[7.0] * 4 + bars_at(minutes(4, 8)).column("close").to_pylist())
        assert store.upsert(BTC, mixed).result() == UpsertCounts(4, 2, 2, 2)
        assert store.read(BTC).to_pylist() == mixed.to_pylist()

    def test_a_change_of_any_column_is_an_update(self, store: SeriesStore) -> None:
        bars = bars_at(minutes(0, 3))
        store.upsert(BTC, bars).result()
        for revision, name in enumerate(VALUE_COLUMNS, start=2):
            bars = bars_at(minutes(0, 3), **dict.fromkeys(VALUE_COLUMNS[: revision - 1], (1, 2, 3)))
            assert store.upsert(BTC, bars).result() == UpsertCounts(0, 3, 0, revision), name
            assert store.read(BTC).to_pylist() == bars.to_pylist()

    def test_null_equals_null_and_nothing_else(self, store: SeriesStore) -> None:
        for minute, name in enumerate(field.name for field in KLINES if field.nullable):
            null, zero = (bars_at(minutes(minute, minute + 1), **{name: [value]}) for value in (None, 0))
            assert store.upsert(BTC, null).result().inserted == 1
            assert store.upsert(BTC, null).result().unchanged == 1
            assert store.upsert(BTC, zero).result().updated == 1
            assert store.upsert(BTC, null).result().updated == 1
            assert store.read(BTC, columns=[name], newest=True, limit=1).to_pylist() == [{name: None}]

    def test_equal_bars_take_no_revision(self, store: SeriesStore) -> None:
        first = store.upsert(BTC, bars_at(minutes(0, 5))).result()
        again = store.upsert(BTC, bars_at(minutes(1, 4))).result()
        assert again == UpsertCounts(0, 0, 3, first.revision)
        assert store.revision() == first.revision
        assert len(store.changes(0, 10)) == 1

    def test_series_do_not_mix(self, store: SeriesStore) -> None:
        all_series = [BTC, BTC_HOURS, ETH, APPLE_DAYS]
        for number, series in enumerate(all_series):
            times = [T0 + place * series.interval.width_ms for place in range(3)]
            store.upsert(series, bars_at(times, number + 1.0)).result()
        for number, series in enumerate(all_series):
            assert store.read(series, columns=["open"], limit=1).to_pylist() == [
                {"open": number + 1.0 + T0 % 7_000_000 / 1e6}
            ]
            assert len(store.read(series)) == 3

    def test_many_series_at_once(self, store: SeriesStore) -> None:
        all_series = [Series(Symbol.parse(f"C{n}_USDT.BNC"), Interval.M1) for n in range(25)]
        for start, revisions in ((0, range(1, 26)), (5, range(26, 51))):
            claims = [Coverage(minute_span(start, start + 10), "rest", T0)]
            bars = bars_at(minutes(start, start + 10))
            futures = [store.upsert(series, bars, claims) for series in all_series]
            assert [future.result().revision for future in futures] == list(revisions)
        for series, summary in zip(sorted(all_series), store.summaries(), strict=True):
            assert (summary.series, summary.rows) == (series, 15)
            assert store.covered(series, minute_span(0, 99)) == [Coverage(minute_span(0, 15), "rest", T0)]

    def test_later_writes_win_in_the_order_given(self, store: SeriesStore) -> None:
        futures = [store.upsert(BTC, bars_at(minutes(0, 3), float(price))) for price in range(1, 40)]
        counts = [future.result() for future in futures]
        assert [count.updated for count in counts] == [0] + [3] * 38
        assert [count.revision for count in counts] == list(range(1, 40))
        assert store.read(BTC).to_pylist() == bars_at(minutes(0, 3), 39.0).to_pylist()

    def test_history_may_come_in_any_order(self, store: SeriesStore) -> None:
        for start in (60, 0, 40, 20, 100):
            store.upsert(BTC, bars_at(minutes(start, start + 20))).result()
        assert times_of(store.read(BTC)) == minutes(0, 80) + minutes(100, 120)
        store.upsert(BTC, bars_at(minutes(70, 110))).result()
        assert store.read(BTC).to_pylist() == bars_at(minutes(0, 120)).to_pylist()

    def test_an_overlap_of_one_bar_is_found(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(10, 20))).result()
        assert store.upsert(BTC, bars_at(minutes(5, 11))).result() == UpsertCounts(5, 0, 1, 2)
        assert store.upsert(BTC, bars_at(minutes(19, 25))).result() == UpsertCounts(5, 0, 1, 3)
        assert store.upsert(BTC, bars_at(minutes(24, 25), 1.0)).result() == UpsertCounts(0, 1, 0, 4)
        assert times_of(store.read(BTC)) == minutes(5, 25)

    def test_bars_between_bars_are_found(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(0, 60, 2))).result()
        assert store.upsert(BTC, bars_at(minutes(0, 60))).result() == UpsertCounts(30, 0, 30, 2)
        assert store.read(BTC).to_pylist() == bars_at(minutes(0, 60)).to_pylist()

    def test_times_before_1970_are_times(self, store: SeriesStore) -> None:
        times = [day * DAY_MS for day in range(-3000, -2990)]
        store.upsert(APPLE_DAYS, bars_at(times)).result()
        assert times_of(store.read(APPLE_DAYS, Span(-2998 * DAY_MS, -2995 * DAY_MS))) == times[2:5]

    def test_a_table_that_breaks_the_schema_is_refused(self, store: SeriesStore) -> None:
        store.upsert(ETH, bars_at(minutes(0, 2))).result()
        before = observe(store)
        for problem, bars in BAD_TABLES.items():
            error = store.upsert(ETH, bars, [Coverage(minute_span(0, 9), "rest", T0)]).exception()
            assert isinstance(error, StoreError), problem
            assert "ETH_USDT.BNC 1m" in str(error), problem
        assert observe(store) == before

    def test_a_bad_write_does_not_fail_its_neighbours(self, store: SeriesStore) -> None:
        good = [store.upsert(BTC, bars_at(minutes(minute, minute + 1))) for minute in range(5)]
        bad = store.upsert(BTC, BAD_TABLES["times descend"])
        good += [store.upsert(ETH, bars_at(minutes(minute, minute + 1))) for minute in range(5)]
        assert isinstance(bad.exception(), StoreError)
        assert [future.result().inserted for future in good] == [1] * 10

    def test_writers_of_many_threads(self, store: SeriesStore) -> None:
        def write(worker: int) -> list[UpsertCounts]:
            own = Series(Symbol.parse(f"C{worker}_USDT.BNC"), Interval.M1)
            futures: list[Future[UpsertCounts]] = []
            for part in range(10):
                futures.append(store.upsert(own, bars_at(minutes(part * 5, part * 5 + 5))))
                futures.append(store.upsert(BTC, bars_at(minutes(part, part + 3), float(worker))))
            return [future.result() for future in futures]

        with ThreadPoolExecutor(6) as pool:
            counts = [count for found in pool.map(write, range(6)) for count in found]
        assert sum(count.inserted for count in counts) == 6 * 50 + 12
        changed = [count.revision for count in counts if count.inserted or count.updated]
        assert len(set(changed)) == len(changed)
        assert store.revision() == max(changed)
        assert [summary.rows for summary in store.summaries()] == [12] + [50] * 6

    def test_reads_beside_writes_see_whole_writes(self, store: SeriesStore) -> None:
        is_done = threading.Event()

        def watch() -> list[set[float]]:
            seen = []
            while not is_done.is_set():
                seen.append(set(store.read(BTC, columns=["volume"]).column("volume").to_pylist()))
            return seen

        with ThreadPoolExecutor(2) as pool:
            watchers = [pool.submit(watch) for _ in range(2)]
            for round_ in range(30):
                store.upsert(BTC, bars_at(minutes(0, 50), volume=[float(round_)] * 50)).result()
            is_done.set()
            assert all(len(values) <= 1 for watcher in watchers for values in watcher.result())

    def test_a_span_is_half_open(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(0, 10))).result()
        assert times_of(store.read(BTC, minute_span(3, 6))) == minutes(3, 6)
        off_grid = Span(T0 + 3 * MINUTE_MS + 1, T0 + 6 * MINUTE_MS + 1)
        assert times_of(store.read(BTC, off_grid)) == minutes(4, 7)
        assert len(store.read(BTC, minute_span(10, 20))) == 0
        assert len(store.read(BTC, Span(-(10**15), 10**15))) == 10

    def test_columns_are_answered_as_named(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(2, 4))).result()
        store.upsert(BTC, bars_at(minutes(0, 2))).result()
        chosen = store.read(BTC, columns=["close", "open_time"])
        assert chosen.schema.equals(pa.schema([KLINES.field("close"), KLINES.field("open_time")]))
        # Rows keep the order of time when time is not among the columns.
        assert store.read(BTC, columns=["trades"]).equals(bars_at(minutes(0, 4)).select(["trades"]))

    def test_columns_must_be_known_and_named_once(self, store: SeriesStore) -> None:
        for columns in ([], ["price"], ["close", "close"]):
            with pytest.raises(InputError, match="open_time, open, high"):
                store.read(BTC, columns=columns)

    def test_a_limit_keeps_one_end(self, store: SeriesStore) -> None:
        times = minutes(0, 10) + minutes(400, 410) + minutes(5000, 5010)
        store.upsert(BTC, bars_at(times)).result()
        for span, inside in ((None, times), (minute_span(5, 5005), times[5:25])):
            for limit in (0, 1, 7, 19, 20, 21, 29, 30, 31, 10_000):
                assert times_of(store.read(BTC, span, limit=limit)) == inside[:limit]
                newest = inside[max(len(inside) - limit, 0) :]
                assert times_of(store.read(BTC, span, limit=limit, newest=True)) == newest

    def test_a_negative_limit_is_refused(self, store: SeriesStore) -> None:
        with pytest.raises(InputError, match="limit -1"):
            store.read(BTC, limit=-1)
        with pytest.raises(InputError, match="limit -1"):
            store.changes(0, -1)

    def test_claims_are_kept_with_bars_and_alone(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(0, 3)), [Coverage(minute_span(0, 5), "rest", T0)]).result()
        alone = Coverage(minute_span(100, 200), "archive:a.zip sha256:00", T0)
        counts = store.upsert(ETH, bars_at([]), [alone]).result()
        assert counts == UpsertCounts(0, 0, 0, 2)
        assert store.covered(ETH, minute_span(0, 1000)) == [alone]
        assert store.summaries()[1] == SeriesSummary(ETH, 0, None, None, 2)
        assert store.changes(1, 10) == [Change(2, ETH, alone.span)]

    def test_claims_are_cut_to_the_span(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at([]), [Coverage(minute_span(10, 20), "rest", T0)]).result()
        assert store.covered(BTC, minute_span(15, 99)) == [Coverage(minute_span(15, 20), "rest", T0)]
        assert store.covered(BTC, minute_span(0, 10)) == []
        assert store.covered(BTC, minute_span(20, 30)) == []

    def test_claims_of_sources_stay_apart(self, store: SeriesStore) -> None:
        claims = [Coverage(minute_span(0, 20), "rest", T0), Coverage(minute_span(10, 30), "archive:a", T0)]
        for claim in claims:
            store.upsert(BTC, bars_at([]), [claim]).result()
        assert store.covered(BTC, minute_span(0, 99)) == claims

    def test_claims_of_a_running_feed_do_not_pile_up(self, store: SeriesStore) -> None:
        futures = [
            store.upsert(BTC, bars_at([]), [Coverage(minute_span(at, at + 1), "rest", T0 + at * MINUTE_MS)])
            for at in range(1380, 1500)
        ]
        assert [future.result().revision for future in futures] == list(range(1, 121))
        first, second = store.covered(BTC, minute_span(0, 9999))
        assert first == Coverage(minute_span(1380, 1440), "rest", T0 + 1439 * MINUTE_MS)
        assert second == Coverage(minute_span(1440, 1500), "rest", T0 + 1499 * MINUTE_MS)

    def test_a_later_check_replaces_what_it_overlaps(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at([]), [Coverage(minute_span(0, 30), "rest", T0)]).result()
        store.upsert(BTC, bars_at([]), [Coverage(minute_span(10, 20), "rest", T0 + DAY_MS)]).result()
        assert store.covered(BTC, minute_span(0, 99)) == [
            Coverage(minute_span(0, 10), "rest", T0),
            Coverage(minute_span(10, 20), "rest", T0 + DAY_MS),
            Coverage(minute_span(20, 30), "rest", T0),
        ]

    def test_a_claim_that_adds_nothing_takes_no_revision(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at([]), [Coverage(minute_span(0, 30), "rest", T0 + DAY_MS)]).result()
        before = observe(store)
        for checked_ms in (T0, T0 + DAY_MS, T0 + DAY_MS + 5):
            claim = Coverage(minute_span(10, 20), "rest", checked_ms)
            assert store.upsert(BTC, bars_at([]), [claim]).result().revision == 1
        assert observe(store) == before

    def test_a_claim_must_be_sound(self, store: SeriesStore) -> None:
        for span, source in ((minute_span(0, 1), ""), (Span(T0, 253_402_300_860_000), "rest")):
            with pytest.raises(StoreError, match="claim"):
                store.upsert(BTC, bars_at(minutes(0, 1)), [Coverage(span, source, T0)]).result()
        assert store.summaries() == []

    def test_holes_are_the_missing_grid_points(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(2, 5) + minutes(7, 8) + minutes(9, 12))).result()
        assert store.holes(BTC, minute_span(0, 15)) == [
            minute_span(0, 2),
            minute_span(5, 7),
            minute_span(8, 9),
            minute_span(12, 15),
        ]
        assert store.holes(BTC, minute_span(2, 5)) == []
        assert store.holes(BTC, minute_span(5, 7)) == [minute_span(5, 7)]
        assert store.holes(ETH, minute_span(5, 7)) == [minute_span(5, 7)]

    def test_holes_of_a_span_off_the_grid(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(1, 2))).result()
        span = Span(T0 + 1, T0 + 3 * MINUTE_MS + 1)
        assert store.holes(BTC, span) == [minute_span(2, 4)]
        assert store.holes(BTC, Span(T0 + 1, T0 + 2)) == []

    def test_summaries_ascend_and_count(self, store: SeriesStore) -> None:
        store.upsert(ETH, bars_at(minutes(5, 9))).result()
        store.upsert(APPLE_DAYS, bars_at([T0])).result()
        store.upsert(BTC, bars_at(minutes(3, 4))).result()
        store.upsert(BTC_HOURS, bars_at([T0])).result()
        store.upsert(ETH, bars_at(minutes(0, 1))).result()
        store.upsert(ETH, bars_at(minutes(5, 6), 5.0)).result()
        assert store.summaries() == [
            SeriesSummary(BTC_HOURS, 1, T0, T0, 4),
            SeriesSummary(BTC, 1, T0 + 3 * MINUTE_MS, T0 + 3 * MINUTE_MS, 3),
            SeriesSummary(ETH, 5, T0, T0 + 8 * MINUTE_MS, 6),
            SeriesSummary(APPLE_DAYS, 1, T0, T0, 2),
        ]

    def test_changes_tell_what_was_touched(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(0, 10))).result()
        store.upsert(ETH, bars_at(minutes(0, 2))).result()
        edited = bars_at(minutes(0, 10)).to_pydict()
        edited["close"][4] = edited["close"][6] = 1.0
        store.upsert(BTC, pa.table(edited, schema=KLINES)).result()
        log = [
            Change(1, BTC, minute_span(0, 10)),
            Change(2, ETH, minute_span(0, 2)),
            Change(3, BTC, minute_span(4, 7)),
        ]
        assert store.changes(0, 10) == log
        assert store.changes(1, 10) == log[1:]
        assert store.changes(0, 2) == log[:2]
        assert store.changes(3, 10) == []
        assert store.revision() == 3

    def test_compaction_changes_no_answer(self, store: SeriesStore) -> None:
        for start in (300, 0, 200, 100):
            for series in (BTC, ETH):
                claim = Coverage(minute_span(start, start + 90), "rest", T0)
                store.upsert(series, bars_at(minutes(start, start + 70)), [claim]).result()
        before = observe(store)
        store.compact()
        assert observe(store) == before
        store.compact()
        assert store.upsert(BTC, bars_at(minutes(0, 70))).result().unchanged == 70
        assert store.upsert(BTC, bars_at(minutes(70, 100))).result().inserted == 30

    def test_closing_finishes_what_waits(self, store: SeriesStore) -> None:
        futures = [store.upsert(BTC, bars_at(minutes(at, at + 1))) for at in range(50)]
        store.close()
        assert [future.result(timeout=0).inserted for future in futures] == [1] * 50
        store.close()

    def test_a_closed_store_refuses(self, store: SeriesStore) -> None:
        store.upsert(BTC, bars_at(minutes(0, 1))).result()
        store.close()
        for question in (
            lambda: store.read(BTC),
            lambda: store.covered(BTC, minute_span(0, 1)),
            lambda: store.holes(BTC, minute_span(0, 1)),
            lambda: store.changes(0, 1),
            lambda: store.upsert(BTC, bars_at(minutes(1, 2))),
            lambda: store.upsert_many([SeriesWrite(BTC, bars_at(minutes(1, 2)))]),
            store.summaries,
            store.revision,
            store.compact,
        ):
            with pytest.raises(StoreError, match="closed"):
                question()
