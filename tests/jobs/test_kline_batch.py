"""Batches against a source that answers as it is told."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from markethub.domain.errors import (
    MarketHubError,
    StoreError,
    VenueError,
    VenueProtocolError,
    VenueRefusedError,
    VenueThrottledError,
    VenueUnavailableError,
)
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.jobs.kline_batch import BatchFetch
from markethub.jobs.quarantine import Quarantine
from markethub.ports.store import Coverage, SeriesWrite, UpsertCounts
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.klines import open_times_ms
from tests.flat_bars import flat_bars
from tests.jobs.fake_venues import MemoryLog
from tests.jobs.kline_source import HOUR, NOW, Source


def series(name: str) -> Series:
    return Series(Symbol("BNC", f"{name}_USDT"), Interval.H1)


class CountingStore(MemorySeriesStore):
    """Remembers its bulk writes, and may refuse them."""

    def __init__(self) -> None:
        super().__init__()
        self.sets: list[int] = []
        self.is_broken = False

    def upsert_many(self, writes: Sequence[SeriesWrite]) -> "Future[list[UpsertCounts]]":
        self.sets.append(len(writes))
        if self.is_broken:
            future: Future[list[UpsertCounts]] = Future()
            future.set_exception(StoreError("the disk is full"))
            return future
        return super().upsert_many(writes)


def fetch_of(source: Source, store: CountingStore) -> BatchFetch:
    quarantine = Quarantine(store.records, lambda: NOW)
    return BatchFetch(source, store, lambda: NOW, MemoryLog(), quarantine, Counter(), nothing_is_restated)


async def nothing_is_restated(series: Series) -> None:
    raise AssertionError(f"{series} has no adjusted prices")


def tail(bars: int) -> list[Span]:
    end_ms = NOW // HOUR * HOUR
    return [Span(end_ms - bars * HOUR, end_ms)]


async def test_a_batch_is_one_write() -> None:
    source, store = Source(), CountingStore()
    fetch = fetch_of(source, store)
    tails = {series(f"C{number}"): tail(6) for number in range(100)}
    await fetch.run(tails)
    assert store.sets == [100]
    assert fetch.counters == Counter(processed=600, inserted=600, updated=0, unchanged=0, rest_pages=200)
    assert 2 <= source.most <= 16, "some at once, and not all"
    for one in tails:
        assert len(store.read(one)) == 6
        assert store.covered(one, tail(6)[0]) == [Coverage(tail(6)[0], "rest", NOW)]


async def test_a_failing_series_loses_neither_the_others_nor_its_own_first_pages() -> None:
    source = Source(errors={"C1": (1, VenueRefusedError("no such thing")), "C2": (0, StoreError("odd"))})
    store = CountingStore()
    fetch = fetch_of(source, store)
    with pytest.raises(VenueError, match="2 of 4 series failed: C") as caught:
        await fetch.run({series(f"C{number}"): tail(6) for number in range(4)})
    assert not caught.value.retryable
    assert "C1_USDT.BNC 1h: no such thing" in str(caught.value)
    assert [len(store.read(series(f"C{number}"))) for number in range(4)] == [6, 4, 0, 6]
    (claim,) = store.covered(series("C1"), Span(0, NOW))
    assert claim.span == Span(tail(6)[0].start_ms, tail(6)[0].start_ms + 4 * HOUR)
    assert (store.sets, fetch.counters["series_failed"], fetch.counters["inserted"]) == ([3], 2, 16)


@pytest.mark.parametrize(
    ("errors", "retryable", "wait_s"),
    [
        ([VenueRefusedError("a"), VenueRefusedError("b")], False, None),
        ([VenueRefusedError("a"), VenueProtocolError("b")], True, None),
        ([VenueUnavailableError("a"), VenueThrottledError("b", 7.5), VenueThrottledError("c", 3)], True, 7.5),
    ],
)
async def test_it_is_tried_again_if_one_of_them_may_be(
    errors: list[MarketHubError], retryable: bool, wait_s: float | None
) -> None:
    source = Source(errors={f"C{number}": (0, error) for number, error in enumerate(errors)})
    with pytest.raises(VenueError) as caught:
        await fetch_of(source, CountingStore()).run(
            {series(f"C{number}"): tail(1) for number in range(len(errors) + 1)}
        )
    assert caught.value.retryable is retryable
    assert getattr(caught.value, "retry_after_s", None) == wait_s


async def test_a_venue_that_is_away_is_not_asked_a_hundred_times() -> None:
    away = VenueUnavailableError("connection refused")
    source = Source(errors={f"C{number}": (0, away) for number in range(100)})
    store = CountingStore()
    with pytest.raises(VenueUnavailableError, match=r"100 of 100 series failed: .*; and 90 more"):
        await fetch_of(source, store).run({series(f"C{number}"): tail(1) for number in range(100)})
    assert len(source.asked) <= 5 + 16
    assert store.sets == []


async def test_what_has_not_closed_yet_is_left_to_the_next_run() -> None:
    source, store = Source(closed_ms=NOW - HOUR), CountingStore()
    fetch = fetch_of(source, store)
    await fetch.run({series("C1"): tail(3), series("C2"): tail(1)})
    newest_ms = tail(1)[0].start_ms
    assert open_times_ms(store.read(series("C1"))).to_pylist() == [newest_ms - 2 * HOUR, newest_ms - HOUR]
    assert len(store.read(series("C2"))) == 0
    assert store.covered(series("C1"), Span(newest_ms, NOW)) == []
    assert store.sets == [1]


async def test_a_store_that_fails_fails_the_batch() -> None:
    store = CountingStore()
    store.is_broken = True
    fetch = fetch_of(Source(), store)
    with pytest.raises(StoreError, match="disk is full"):
        await fetch.run({series("C1"): tail(3)})
    assert fetch.counters["processed"] == 0


async def test_prices_of_another_adjustment_are_kept_apart() -> None:
    store = CountingStore()
    apple, goog = (Series.parse(f"US.{name} 1h") for name in ("AAPL", "GOOG"))
    span = tail(3)[0]
    store.upsert(apple, flat_bars([span.start_ms]), [Coverage(span, "rest yahoo raw", NOW)]).result()
    with pytest.raises(VenueError, match=r"1 of 2 series failed: US\.AAPL 1h: .*cannot take adjusted"):
        await fetch_of(Source(label="rest yahoo adjusted"), store).run({apple: [span], goog: [span]})
    assert (len(store.read(apple)), len(store.read(goog))) == (1, 3)
