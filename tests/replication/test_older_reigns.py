"""A slave follows no source that was replaced, and no store that takes the place of what it has followed."""

import pytest

from markethub.domain.errors import ReplicationError
from markethub.domain.selection import EVERYTHING
from markethub.ports.data_store import DataStore
from markethub.ports.replication import SourceState
from markethub.replication.follower import Follower
from markethub.replication.source import StoreSource
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.replica_moves import content_of
from markethub.testing.store_contract import BTC, bars_at, minutes


@pytest.fixture
def master() -> DataStore:
    return filled(10)


@pytest.fixture
def slave() -> DataStore:
    return MemorySeriesStore()


def filled(count: int) -> DataStore:
    store = MemorySeriesStore()
    store.upsert(BTC, bars_at(minutes(0, count))).result()
    return store


def follow(store: DataStore, slave: DataStore, *, epoch: int, least: int) -> Follower:
    return Follower(StoreSource(store, lambda: epoch), slave, EVERYTHING, least_epoch=lambda: least)


async def test_a_source_of_an_older_reign_is_refused(master: DataStore, slave: DataStore) -> None:
    await follow(master, slave, epoch=1, least=1).catch_up()
    before = content_of(slave)
    master.upsert(BTC, bars_at(minutes(10, 20))).result()
    with pytest.raises(ReplicationError, match="of epoch 1, and was replaced by one of epoch 2"):
        await follow(master, slave, epoch=1, least=2).catch_up()
    with pytest.raises(ReplicationError, match="was replaced"):
        await follow(master, slave, epoch=1, least=2).verify()
    assert content_of(slave) == before
    await follow(master, slave, epoch=2, least=2).catch_up()
    assert content_of(slave) == content_of(master)


async def test_another_store_is_followed_only_when_it_was_promoted(
    master: DataStore, slave: DataStore
) -> None:
    await follow(master, slave, epoch=2, least=2).catch_up()
    before = content_of(slave)
    other = filled(3)
    with pytest.raises(
        ReplicationError, match=r"another store's than what was followed in epoch 2.*empty data folder"
    ):
        await follow(other, slave, epoch=2, least=2).catch_up()
    assert content_of(slave) == before
    await follow(other, slave, epoch=3, least=2).catch_up()
    assert content_of(slave) == content_of(other)


async def test_a_backup_of_the_master_is_not_followed_in_its_place(
    master: DataStore, slave: DataStore
) -> None:
    source = StoreSource(master, lambda: 2)
    behind = await source.read_state()
    master.upsert(BTC, bars_at(minutes(10, 20))).result()
    await follow(master, slave, epoch=2, least=2).catch_up()
    before = content_of(slave)

    class Restored(StoreSource):
        async def read_state(self) -> SourceState:
            return behind

    with pytest.raises(ReplicationError, match="its data is older than what was followed in epoch 2"):
        await Follower(Restored(master, lambda: 2), slave, EVERYTHING, least_epoch=lambda: 2).catch_up()
    assert content_of(slave) == before
