"""Since when a follower lacks something, by a clock that the test moves."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from markethub.domain.selection import EVERYTHING, Selection
from markethub.ports.data_store import DataStore
from markethub.ports.replication import Patch, SeriesPatch
from markethub.stores.duckdb import open_duckdb_store
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.fills import FILLS
from markethub.testing.record_rows import fills_at
from markethub.testing.store_contract import BTC, ETH, bars_at, minutes
from tests.bare_hub import StillClock

_ONLY_ETH = Selection(symbols=frozenset({ETH.symbol}))


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture(params=["memory", "duckdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: StillClock) -> Iterator[DataStore]:
    opened: DataStore = MemorySeriesStore(clock)
    if request.param == "duckdb":
        opened = open_duckdb_store(tmp_path / "market.duckdb", clock=clock)
    yield opened
    opened.close()


def after_each_minute(clock: StillClock, *steps: Callable[[], object]) -> list[int]:
    """Take a step a minute; return when."""
    times = []
    for step in steps:
        clock.now_ms += 60_000
        times.append(clock.now_ms)
        step()
    return times


def test_it_is_the_time_of_the_oldest_change_that_is_wanted(store: DataStore, clock: StillClock) -> None:
    times = after_each_minute(
        clock,
        lambda: store.upsert(BTC, bars_at(minutes(0, 5))).result(),
        lambda: store.upsert(ETH, bars_at(minutes(0, 5))).result(),
        lambda: store.records.upsert_records(FILLS, fills_at(1)).result(),
        lambda: store.upsert(BTC, bars_at(minutes(5, 6))).result(),
    )
    read = store.replica.read_backlog
    assert [read(after, EVERYTHING).since_ms for after in range(5)] == [*times, None]
    assert [read(after, _ONLY_ETH).since_ms for after in range(5)] == [times[1], times[1], None, None, None]
    assert [read(after, _ONLY_ETH).rows for after in range(5)] == [5, 5, 0, 0, 0]


def test_several_revisions_of_one_patch_have_its_time(store: DataStore, clock: StillClock) -> None:
    patch = Patch([SeriesPatch(BTC, bars_at(minutes(0, 5))), SeriesPatch(ETH, bars_at(minutes(0, 5)))])
    (first_ms, _) = after_each_minute(
        clock,
        lambda: store.replica.apply_patch(patch).result(),
        lambda: store.replica.apply_patch(patch).result(),  # nothing new, so no revision
    )
    assert store.revision() == 2
    assert [store.replica.read_backlog(after, EVERYTHING).since_ms for after in range(3)] == [
        first_ms,
        first_ms,
        None,
    ]


def test_what_was_trimmed_is_at_least_as_old_as_what_is_known(store: DataStore, clock: StillClock) -> None:
    def write(minute: int) -> Callable[[], object]:
        return lambda: store.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()

    times = after_each_minute(clock, *map(write, range(4)))
    store.replica.trim_changes(2)
    told = store.replica.read_backlog(0, EVERYTHING)
    assert (told.revisions, told.since_ms in times[:3]) == (4, True)


def test_the_times_outlive_the_store(tmp_path: Path, clock: StillClock) -> None:
    path = tmp_path / "market.duckdb"
    store = open_duckdb_store(path, clock=clock)
    (first_ms,) = after_each_minute(clock, lambda: store.upsert(BTC, bars_at(minutes(0, 5))).result())
    store.close()
    clock.now_ms += 60_000
    again = open_duckdb_store(path, clock=clock)
    assert again.replica.read_backlog(0, EVERYTHING).since_ms == first_ms
    again.close()
