"""How far behind slaves are."""

import asyncio
from dataclasses import dataclass

from markethub.control.replica_states import ReplicaState, read_states
from markethub.domain.node import Role
from markethub.domain.selection import Selection
from markethub.replication.following import FollowingState
from markethub.replication.node import Node
from markethub.services.hub import Hub


@dataclass(frozen=True, slots=True)
class ReplicaLag:
    """How far a slave is behind its master; times in Unix milliseconds UTC.

    ``revisions`` and about how many ``rows`` it lacks, and for how many ``seconds`` the oldest of them has
    been there; None where nobody knows. ``last_sync_ms`` is when it last had everything, ``verified_ms`` when
    all of it was last compared; ``error`` is why its last run failed.
    """

    last_sync_ms: int | None
    revisions: int | None
    rows: int | None
    seconds: float | None
    verified_ms: int | None
    error: str | None


async def replica_lags(hub: Hub) -> dict[str, ReplicaLag]:
    """The lag of each slave that was ever heard of, by its name; a slave tells its own alone.

    A master holds what its slaves last told against its own log, so that the lag of one that is away grows.
    A slave knows what its master last told; while that does not answer, it counts the seconds since it last
    had everything. Asks nobody.
    """
    node = hub.node
    now_ms = hub.clock()
    if node.role is Role.SLAVE:
        return {} if node.following is None else {node.name: _lag_of(node.following.state, now_ms)}
    if not node.slaves:
        return {}
    async with hub.database.read() as connection:
        states = await read_states(connection)
    known = {name: states[name].state for name in node.slaves if name in states}
    lags = await asyncio.gather(
        *(asyncio.to_thread(_measure, node, state, now_ms) for state in known.values())
    )
    return dict(zip(known, lags, strict=True))


def _measure(node: Node, state: ReplicaState, now_ms: int) -> ReplicaLag:
    """Read the log; what it followed of another history counts for nothing."""
    is_same = state.store_id == node.store.replica.store_id
    after = state.revision if is_same and state.revision is not None else 0
    backlog = node.store.replica.read_backlog(after, Selection.parse(state.selection))
    since_ms = backlog.since_ms
    return ReplicaLag(
        last_sync_ms=state.synced_ms,
        revisions=backlog.revisions,
        rows=backlog.rows,
        seconds=0.0 if since_ms is None else max(now_ms - since_ms, 0) / 1000,
        verified_ms=state.verified_ms,
        error=state.error,
    )


def _lag_of(state: FollowingState, now_ms: int) -> ReplicaLag:
    revisions = None
    if state.newest is not None:
        revisions = max(state.newest - (state.revision or 0), 0)
    seconds = None
    if revisions == 0 and state.error is None:
        seconds = 0.0
    elif state.synced_ms is not None:
        seconds = max(now_ms - state.synced_ms, 0) / 1000
    return ReplicaLag(
        last_sync_ms=state.synced_ms,
        revisions=revisions,
        rows=0 if revisions == 0 else None,
        seconds=seconds,
        verified_ms=state.verified_ms,
        error=state.error,
    )
