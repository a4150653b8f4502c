"""What a node forgets: old entries of its change log, and of the sync history."""

import asyncio

import structlog

from markethub.control.database import Database
from markethub.control.replica_states import read_states
from markethub.control.sync_history import trim_history
from markethub.ports.clock import Clock
from markethub.replication.node import Node

_log = structlog.get_logger(__name__)


async def forget_old(node: Node, database: Database, keep_revisions: int, clock: Clock) -> None:
    """Forget the changes of all but the newest revisions, and history beyond its bounds.

    The log is trimmed when it is a tenth too long. A slave that had not read what is forgotten compares
    contents with this node when it comes back, which takes longer; it is named in the process's log.
    """
    await _trim_log(node, database, keep_revisions)
    async with database.begin() as connection:
        await trim_history(connection, clock())


async def _trim_log(node: Node, database: Database, keep_revisions: int) -> None:
    store = node.store
    newest = await asyncio.to_thread(store.revision)
    before = await asyncio.to_thread(store.replica.oldest_revision)
    if newest - before <= keep_revisions + keep_revisions // 10:
        return
    if not await asyncio.to_thread(store.replica.trim_changes, keep_revisions):
        return
    oldest = await asyncio.to_thread(store.replica.oldest_revision)
    _log.info("change log trimmed", oldest=oldest, newest=newest)
    async with database.read() as connection:
        states = await read_states(connection)
    for name, reported in states.items():
        state = reported.state
        if name not in node.slaves or state.store_id != store.replica.store_id or state.revision is None:
            continue
        if before <= state.revision < oldest:
            _log.warning(
                "changes were trimmed that a slave has not read: it will compare contents instead",
                slave=name,
                revision=state.revision,
                oldest=oldest,
            )
