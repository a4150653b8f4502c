"""Copies of one store that went their own way: they count their revisions alike, and have written others."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from markethub.domain.errors import ReplicationError
from markethub.domain.node import Role
from markethub.domain.selection import EVERYTHING
from markethub.ports.data_store import DataStore
from markethub.replication.follower import Copied, Follower, Mode
from markethub.replication.reign import Reign
from markethub.replication.source import StoreSource
from markethub.stores.duckdb import open_duckdb_store
from markethub.testing.replica_moves import content_of
from markethub.testing.store_contract import BTC, ETH, bars_at, minutes

Open = Callable[[str], DataStore]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens stores by name; a name that was opened before gets what it held."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(
            closing(open_duckdb_store(tmp_path / f"{name}.duckdb", threads=1, memory_limit_mb=100))
        )


def write(store: DataStore, first: int, last: int, price: float = 1.0) -> None:
    """One bar a revision."""
    for minute in range(first, last):
        store.upsert(BTC, bars_at(minutes(minute, minute + 1), price)).result()


def follow(source: DataStore, slave: DataStore, epoch: int = 1) -> Follower:
    return Follower(StoreSource(source, lambda: epoch), slave, EVERYTHING, least_epoch=lambda: epoch)


@pytest.fixture
def backup(tmp_path: Path, opened: Open) -> DataStore:
    """A copy of a store of five revisions; the original went on to ten under the name ``master``."""
    with closing(opened("master")) as begun:
        write(begun, 0, 5)
    shutil.copy(tmp_path / "master.duckdb", tmp_path / "backup.duckdb")
    with closing(opened("master")) as master:
        write(master, 5, 10)
    return opened("backup")


async def test_a_backup_that_has_overtaken_its_follower_is_not_followed(
    opened: Open, backup: DataStore
) -> None:
    master, slave = opened("master"), opened("slave")
    await follow(master, slave).catch_up()
    before = content_of(slave)
    write(backup, 20, 30, 7.0)
    assert backup.revision() > master.revision()
    for _ in range(2):
        with pytest.raises(ReplicationError, match=r"its revision 10 is another one .*empty data folder"):
            await follow(backup, slave).catch_up()
    assert content_of(slave) == before
    # the one that was followed still is, and a promotion settles which of them counts
    write(master, 10, 12)
    await follow(master, slave).catch_up()
    assert content_of(slave) == content_of(master)
    await follow(backup, slave, epoch=2).catch_up()
    assert content_of(slave) == content_of(backup)


async def test_a_slave_made_from_a_copy_can_be_promoted(opened: Open, backup: DataStore) -> None:
    """Its revisions bear the master's name, and numbers that the other slave knows of the master."""
    master, slave = opened("master"), opened("slave")
    await follow(master, slave).catch_up()
    write(backup, 20, 30, 7.0)
    brought: list[Copied] = []
    after = follow(backup, slave, epoch=2)
    after.note = brought.append
    await after.catch_up()
    assert content_of(slave) == content_of(backup)
    assert {one.mode for one in brought} == {Mode.FULL}


async def test_the_history_is_known_again_after_it_was_trimmed_to_the_watermark(opened: Open) -> None:
    master, slave = opened("master"), opened("slave")
    write(master, 0, 5)
    await follow(master, slave).catch_up()
    master.replica.trim_changes(0)
    write(master, 5, 8)
    brought: list[Copied] = []
    after = follow(master, slave)
    after.note = brought.append
    await after.catch_up()
    assert content_of(slave) == content_of(master)
    assert {one.mode for one in brought} == {Mode.INCREMENTAL}


async def test_a_promotion_that_was_followed_binds(opened: Open, backup: DataStore) -> None:
    """A master that was promoted anew is the same store: its backup takes its place no more than before."""
    master, slave = opened("master"), opened("slave")
    await follow(master, slave).catch_up()
    mark = await follow(master, slave, epoch=3).catch_up()
    assert (mark.epoch, mark.revision) == (3, 10)
    before = content_of(slave)
    with pytest.raises(ReplicationError, match="its data is older than what was followed in epoch 3"):
        await follow(backup, slave, epoch=3).catch_up()
    assert content_of(slave) == before


async def test_a_former_master_follows_only_who_holds_something(opened: Open) -> None:
    former, empty = opened("former"), opened("empty")
    write(former, 0, 5)
    before = content_of(former)
    with pytest.raises(ReplicationError, match="it has never held anything, while this store does"):
        await follow(empty, former).catch_up()
    assert content_of(former) == before
    write(empty, 0, 1)
    await follow(empty, former).catch_up()
    assert content_of(former) == content_of(empty)


async def test_a_slave_that_was_promoted_and_follows_again_is_compared(opened: Open) -> None:
    """Its old watermark would lead on, past what it wrote while it reigned."""
    master, slave = opened("master"), opened("slave")
    write(master, 0, 5)
    await follow(master, slave).catch_up()
    reign = Reign(slave, Role.SLAVE)
    await reign.settle()
    await reign.promote()
    write(slave, 2, 9, 9.0)
    slave.upsert(ETH, bars_at(minutes(0, 5))).result()
    write(master, 5, 6)
    await reign.hear(3)
    await Reign(slave, Role.SLAVE).settle()  # its next start
    await follow(master, slave, epoch=3).catch_up()
    assert content_of(slave) == content_of(master)
