"""Chunks: the units of work of an execution, and the leases on them.

A chunk is PENDING, RUNNING (leased), DONE or FAILED. ``claims`` is the fence: it grows with every claim, so
(id, claims) names one lease for ever.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import chunk, execution, pending_chunk
from markethub.domain.execution import ChunkStatus


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """What is stored of a chunk at planning; one that has an ``error`` is FAILED from the start."""

    key: str
    queue: str
    parameters: str
    priority: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedChunk:
    """A chunk just leased, with what its work needs to know of its execution."""

    id: int
    claims: int
    attempts: int
    execution_id: int
    key: str
    queue: str
    parameters: str
    trace_id: str
    job_id: int
    handler: str
    deadline_ms: int | None


@dataclass(frozen=True, slots=True)
class ChunkState:
    """The part of a locked chunk that decides its next move."""

    id: int
    execution_id: int
    key: str
    status: ChunkStatus
    claims: int
    attempts: int
    crashes: int
    worker_id: str | None
    lease_until_ms: int | None


@dataclass(frozen=True, slots=True)
class ChunkChange:
    """A locked chunk's new state; its lease ends with it."""

    id: int
    status: ChunkStatus
    attempts: int
    crashes: int
    not_before_ms: int
    error: str | None
    finished_ms: int | None


_CLAIMABLE = (
    select(
        chunk.c.id,
        chunk.c.claims,
        chunk.c.attempts,
        chunk.c.execution_id,
        chunk.c.key,
        chunk.c.queue,
        chunk.c.parameters,
        execution.c.trace_id,
        execution.c.job_id,
        execution.c.handler,
        execution.c.deadline_ms,
    )
    .join_from(chunk, execution)
    .where(pending_chunk)
    .order_by(chunk.c.execution_priority.desc(), chunk.c.priority.desc(), chunk.c.id)
    .with_for_update(of=chunk, skip_locked=True)
)
_STATE = select(*(chunk.c[name] for name in ChunkState.__dataclass_fields__))
_CHANGE = (
    update(chunk)
    .where(chunk.c.id == bindparam("chunk_id"))
    .values(
        status=bindparam("new_status"),
        attempts=bindparam("new_attempts"),
        crashes=bindparam("new_crashes"),
        not_before_ms=bindparam("new_not_before_ms"),
        error=bindparam("new_error"),
        finished_ms=bindparam("new_finished_ms"),
        worker_id=None,
        lease_until_ms=None,
    )
)


async def insert_chunks(
    connection: AsyncConnection,
    execution_id: int,
    execution_priority: int,
    planned: Sequence[PlannedChunk],
    now_ms: int,
) -> None:
    """Store the chunks of an execution, claimable in the order given. ConflictError on a repeated key."""
    if not planned:
        return
    rows = [
        {
            "execution_id": execution_id,
            "key": one.key,
            "queue": one.queue,
            "parameters": one.parameters,
            "status": (ChunkStatus.PENDING if one.error is None else ChunkStatus.FAILED).value,
            "execution_priority": execution_priority,
            "priority": one.priority,
            "claims": 0,
            "attempts": 0,
            "crashes": 0,
            "not_before_ms": now_ms,
            "error": one.error,
            "finished_ms": None if one.error is None else now_ms,
        }
        for one in planned
    ]
    await connection.execute(insert(chunk), rows)


async def claim_chunks(
    connection: AsyncConnection,
    *,
    worker_id: str,
    now_ms: int,
    lease_until_ms: int,
    limit: int,
    handlers: Collection[str],
    room: Mapping[str, int],
) -> list[ClaimedChunk]:
    """Lease at most ``limit`` due chunks for these handlers, by execution priority, chunk priority, then age.

    ``room`` says how many more chunks of a queue may be taken; queues it does not name have no bound. Rows
    that another worker is just claiming are passed over.
    """
    due = _CLAIMABLE.where(chunk.c.not_before_ms <= now_ms, execution.c.handler.in_(sorted(handlers)))
    taken: dict[int, ClaimedChunk] = {}
    left = dict(room)
    while len(taken) < limit:
        full = sorted(queue for queue, places in left.items() if places <= 0)
        asked = limit - len(taken)
        statement = due.where(chunk.c.queue.not_in(full), chunk.c.id.not_in(sorted(taken))).limit(asked)
        found = [ClaimedChunk(*row) for row in await connection.execute(statement)]
        for one in found:
            places = left.get(one.queue)
            if places is None or places > 0:
                taken[one.id] = one
            if places is not None:
                left[one.queue] = places - 1
        # a short answer, or one that met no full queue, has nothing more behind it
        if len(found) < asked or len(taken) >= limit:
            break
    if taken:
        await connection.execute(
            update(chunk)
            .where(chunk.c.id.in_(sorted(taken)))
            .values(
                status=ChunkStatus.RUNNING.value,
                claims=chunk.c.claims + 1,
                worker_id=worker_id,
                lease_until_ms=lease_until_ms,
            )
        )
    return [replace(one, claims=one.claims + 1) for one in taken.values()]


async def renew_chunks(
    connection: AsyncConnection, claims: Mapping[int, int], lease_until_ms: int
) -> set[int]:
    """Extend the leases named by chunk id and claims; return the ids of those that were still held."""
    held = {
        state.id
        for state in (await lock_chunks(connection, claims)).values()
        if state.status is ChunkStatus.RUNNING and state.claims == claims[state.id]
    }
    if held:
        await connection.execute(
            update(chunk).where(chunk.c.id.in_(sorted(held))).values(lease_until_ms=lease_until_ms)
        )
    return held


async def lock_chunks(connection: AsyncConnection, chunk_ids: Collection[int]) -> dict[int, ChunkState]:
    """The present state of these chunks, locked until the transaction ends; missing ones are left out."""
    if not chunk_ids:
        return {}
    # in one order everywhere, or two workers could wait for each other
    statement = _STATE.where(chunk.c.id.in_(sorted(chunk_ids))).order_by(chunk.c.id).with_for_update()
    return {row.id: _state(row._asdict()) for row in await connection.execute(statement)}


async def change_chunks(connection: AsyncConnection, changes: Sequence[ChunkChange]) -> None:
    """Write new states of locked chunks."""
    if not changes:
        return
    rows = [
        {
            "chunk_id": change.id,
            "new_status": change.status.value,
            "new_attempts": change.attempts,
            "new_crashes": change.crashes,
            "new_not_before_ms": change.not_before_ms,
            "new_error": change.error,
            "new_finished_ms": change.finished_ms,
        }
        for change in changes
    ]
    await connection.execute(_CHANGE, rows)


async def expired_chunks(connection: AsyncConnection, now_ms: int, limit: int) -> list[ChunkState]:
    """Chunks whose lease has run out, the oldest lease first; not locked."""
    statement = _STATE.where(chunk.c.lease_until_ms < now_ms).order_by(chunk.c.lease_until_ms).limit(limit)
    return [_state(row._asdict()) for row in await connection.execute(statement)]


async def drop_open_chunks(connection: AsyncConnection, execution_id: int) -> None:
    """Delete the chunks that have not ended; a worker that still runs one finds its lease gone."""
    unfinished = chunk.c.status.in_([ChunkStatus.PENDING.value, ChunkStatus.RUNNING.value])
    await connection.execute(delete(chunk).where(chunk.c.execution_id == execution_id, unfinished))


async def failed_chunks(connection: AsyncConnection, execution_id: int, limit: int) -> list[tuple[str, str]]:
    """Key and error of failed chunks, in the order they were planned."""
    statement = (
        select(chunk.c.key, chunk.c.error)
        .where(chunk.c.execution_id == execution_id, chunk.c.status == ChunkStatus.FAILED.value)
        .order_by(chunk.c.id)
        .limit(limit)
    )
    return [(row.key, row.error) for row in await connection.execute(statement)]


async def count_pending_chunks(connection: AsyncConnection) -> int:
    """How many chunks wait for a worker, retries that are not due yet among them."""
    statement = select(func.count()).select_from(chunk).where(pending_chunk)
    return (await connection.execute(statement)).scalar_one()


def _state(values: dict[str, Any]) -> ChunkState:
    return ChunkState(**{**values, "status": ChunkStatus(values["status"])})
