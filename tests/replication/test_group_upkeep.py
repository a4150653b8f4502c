"""What a node forgets, and whom that concerns."""

from dataclasses import replace

import pytest

from markethub.control.database import Database
from markethub.control.replica_states import ReplicaState, keep_state
from markethub.control.sync_history import KEPT_MS, SyncEntry, add_entries, list_history
from markethub.domain.node import NodeAddress
from markethub.replication.node import Node, SlaveNode
from markethub.replication.upkeep import forget_old
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.store_contract import BTC, bars_at, minutes
from tests.bare_hub import StillClock, lone_node

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def node_with(revisions: int, clock: StillClock, *slaves: str) -> Node:
    store = MemorySeriesStore(clock)
    for minute in range(revisions):
        store.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()
    known = {name: SlaveNode(NodeAddress(name, "127.0.0.1", 1), enabled=True) for name in slaves}
    return replace(lone_node(store, clock), slaves=known)


async def note_state(
    database: Database, node: Node, name: str, revision: int | None, store_id: str = ""
) -> None:
    own = store_id or node.store.replica.store_id
    state = ReplicaState(own, 1, revision, {}, None, None, None, None, None, None)
    async with database.begin() as connection:
        await keep_state(connection, name, state, 1)


async def test_the_log_is_trimmed_when_it_is_a_tenth_too_long(database: Database) -> None:
    clock = StillClock()
    node = node_with(110, clock)
    await forget_old(node, database, 100, clock)
    assert node.store.replica.oldest_revision() == 0
    node.store.upsert(BTC, bars_at(minutes(110, 111))).result()
    await forget_old(node, database, 100, clock)
    assert node.store.replica.oldest_revision() == 11
    node.store.upsert(BTC, bars_at(minutes(111, 112))).result()
    await forget_old(node, database, 100, clock)
    assert node.store.replica.oldest_revision() == 11


async def test_slaves_that_lose_changes_thereby_are_named(
    database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = StillClock()
    node = node_with(30, clock, "behind", "level", "new", "elsewhere")
    await note_state(database, node, "behind", 19)
    await note_state(database, node, "level", 20)
    await note_state(database, node, "new", None)
    await note_state(database, node, "elsewhere", 3, "ab" * 16)
    await note_state(database, node, "gone", 3)
    await forget_old(node, database, 10, clock)
    told = [line for line in capfd.readouterr().err.splitlines() if "a slave has not read" in line]
    assert len(told) == 1
    assert "slave=behind" in told[0]


async def test_old_history_goes_too(database: Database) -> None:
    clock = StillClock()
    old = SyncEntry("fills", "", "full", clock.now_ms - KEPT_MS - 1, clock.now_ms - KEPT_MS - 1, 1)
    kept = replace(old, end_ms=clock.now_ms - KEPT_MS, symbol="orders")
    async with database.begin() as connection:
        await add_entries(connection, "backup1", [old, kept])
    await forget_old(node_with(0, clock), database, 10, clock)
    async with database.read() as connection:
        rows, _ = await list_history(connection, backup_name=None, limit=9, offset=0)
    assert [row.symbol for row in rows] == ["orders"]
