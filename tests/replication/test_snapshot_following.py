"""An empty store takes a snapshot, and goes on with it wherever it was stopped."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from markethub.domain.errors import UnavailableError
from markethub.domain.selection import EVERYTHING, Selection
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import ChangeSet, Patch, RecordPatch, SeriesPatch, SnapshotPage
from markethub.replication.follower import Copied, Follower, Mode
from markethub.replication.marks import COPY_MARK
from markethub.replication.source import StoreSource
from markethub.stores.duckdb import open_duckdb_store
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.fills import FILLS
from markethub.tables.klines import empty_klines
from markethub.testing.record_rows import claim, fills_at
from markethub.testing.replica_moves import content_of
from markethub.testing.store_contract import BTC, ETH, bars_at, minute_span, minutes
from tests.replication.served_master import TOKEN, ServedMaster, served_master

_OWNER = "OKX_MM01"


class PagedSource(StoreSource):
    """Notes what it is asked for; does something before, and fails from, some page on."""

    def __init__(self, store: DataStore) -> None:
        super().__init__(store, lambda: 1)
        self.cursors: list[str | None] = []
        self.asked: list[str] = []
        self.fails_after = 10**9
        self.trims_at: int | None = None

    async def read_snapshot(self, cursor: str | None, most_rows: int, selection: Selection) -> SnapshotPage:
        if len(self.cursors) >= self.fails_after:
            raise UnavailableError("the master is away")
        self.cursors.append(cursor)
        self.asked.append("page")
        if len(self.cursors) == self.trims_at:
            change(self._store)
            self._store.replica.trim_changes(1)
        return await super().read_snapshot(cursor, most_rows, selection)

    async def read_changes(self, after: int, most_rows: int, selection: Selection) -> ChangeSet:
        self.asked.append(f"changes after {after}")
        return await super().read_changes(after, most_rows, selection)

    async def read_bars(self, *arguments: Any) -> Any:  # noqa: ANN401 - as the original
        self.asked.append("bars")
        return await super().read_bars(*arguments)


@pytest.fixture
def master() -> DataStore:
    store = MemorySeriesStore()
    fill(store)
    return store


def fill(store: DataStore) -> None:
    store.upsert(BTC, bars_at(minutes(0, 40)), [claim(0, 40)]).result()
    store.upsert(ETH, bars_at(minutes(0, 5))).result()
    told = [OwnerClaims(_OWNER, [claim(0, 9)])]
    store.records.upsert_records(FILLS, fills_at(*range(1, 20)), told).result()


def change(store: DataStore) -> None:
    """Delete, amend and add, before the place and behind it."""
    gone = SeriesPatch(BTC, empty_klines(), (), [minute_span(2, 9)], [minute_span(1, 2)])
    fills = RecordPatch(FILLS, FILLS.empty(), fills_at(3).select(list(FILLS.key)))
    store.replica.apply_patch(Patch([gone], [fills])).result()
    store.upsert(BTC, bars_at(minutes(1, 2), 9.0)).result()
    store.upsert(ETH, bars_at(minutes(5, 7))).result()


def follow(source: StoreSource, slave: DataStore, copied: list[Copied] | None = None) -> Follower:
    noted: list[Copied] = [] if copied is None else copied
    return Follower(source, slave, EVERYTHING, noted.append, rows_per_set=10)


async def test_an_empty_store_begins_with_a_snapshot(master: DataStore) -> None:
    slave, source = MemorySeriesStore(), PagedSource(master)
    copied: list[Copied] = []
    mark = await follow(source, slave, copied).catch_up()
    assert mark.revision == master.revision()
    assert content_of(slave) == content_of(master)
    assert source.asked == ["page"] * 7 + [f"changes after {master.revision()}"]
    assert {one.mode for one in copied} == {Mode.FULL}
    assert sum(one.rows for one in copied) == 64
    assert slave.replica.read_mark(COPY_MARK) is None


@pytest.mark.parametrize("pages", range(1, 7))
async def test_it_goes_on_where_it_was_stopped(master: DataStore, pages: int) -> None:
    slave, source = MemorySeriesStore(), PagedSource(master)
    source.fails_after = pages
    begun = master.revision()
    with pytest.raises(UnavailableError):
        await follow(source, slave).catch_up()
    change(master)
    source.fails_after = 10**9
    before = list(source.cursors)
    source.asked.clear()
    await follow(source, slave).catch_up()
    assert content_of(slave) == content_of(master)
    assert None not in source.cursors[len(before) :]
    assert len(source.cursors) - len(before) == 7 - pages
    assert source.asked[7 - pages] == f"changes after {begun}"
    assert "bars" not in source.asked


async def test_where_the_changes_since_its_begin_are_gone_contents_are_compared(master: DataStore) -> None:
    slave, source = MemorySeriesStore(), PagedSource(master)
    source.fails_after = 3
    with pytest.raises(UnavailableError):
        await follow(source, slave).catch_up()
    change(master)
    master.replica.trim_changes(1)
    source.fails_after = 10**9
    await follow(source, slave).catch_up()
    assert content_of(slave) == content_of(master)
    assert "bars" in source.asked


async def test_changes_that_are_trimmed_meanwhile_are_noticed(master: DataStore) -> None:
    slave, source = MemorySeriesStore(), PagedSource(master)
    source.trims_at = 6
    await follow(source, slave).catch_up()
    assert content_of(slave) == content_of(master)
    assert "bars" in source.asked


@pytest.mark.parametrize("other_selection", [False, True])
async def test_another_source_or_selection_compares_what_was_copied(
    master: DataStore, other_selection: bool
) -> None:
    slave, source = MemorySeriesStore(), PagedSource(master)
    source.fails_after = 3
    with pytest.raises(UnavailableError):
        await follow(source, slave).catch_up()
    if other_selection:
        second = PagedSource(master)
        await Follower(second, slave, Selection(symbols=frozenset({ETH.symbol}))).catch_up()
        assert slave.read(ETH).equals(master.read(ETH))
    else:
        other = MemorySeriesStore()
        other.upsert(BTC, bars_at(minutes(0, 3))).result()
        second = PagedSource(other)
        await follow(second, slave).catch_up()
        assert content_of(slave) == content_of(other)
    assert second.cursors == []
    assert slave.replica.read_mark(COPY_MARK) is None


async def test_a_store_that_holds_something_is_compared(master: DataStore) -> None:
    slave, source = MemorySeriesStore(), PagedSource(master)
    slave.upsert(BTC, bars_at(minutes(0, 30), 3.0)).result()
    await follow(source, slave).catch_up()
    assert content_of(slave) == content_of(master)
    assert source.cursors == []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedMaster]:
    with served_master(tmp_path_factory.mktemp("master")) as master:
        yield master


class _HeldSource(PagedSource):
    """Waits with its fourth page until it is let go, and tells that it was asked for."""

    def __init__(self, store: DataStore) -> None:
        super().__init__(store)
        self.is_held = threading.Event()
        self.is_free = False

    async def read_snapshot(self, cursor: str | None, most_rows: int, selection: Selection) -> SnapshotPage:
        if len(self.cursors) == 3 and not self.is_free:
            self.is_held.set()
            raise UnavailableError("not yet")
        return await super().read_snapshot(cursor, most_rows, selection)


def test_a_process_that_is_killed_in_the_middle_goes_on(
    served: ServedMaster, tmp_path: Path, master: DataStore
) -> None:
    node = served.hold(master)
    source = _HeldSource(master)
    served.put(replace(node, source=source))
    script = Path(__file__).with_name("copy_child.py")
    path = tmp_path / "slave.duckdb"
    command = [sys.executable, str(script), served.address.url, TOKEN, str(path)]
    with subprocess.Popen(command) as child:
        assert source.is_held.wait(60)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(60)
    change(master)
    source.is_free = True
    subprocess.run(command, check=True, timeout=60)
    assert source.cursors[3] is not None
    assert source.cursors.count(None) == 1
    store = open_duckdb_store(path)
    assert content_of(store) == content_of(master)
    store.close()
