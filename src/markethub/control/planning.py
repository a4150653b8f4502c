"""The leases on executions that wait for planning, and an execution's moves from status to status.

Planning is leased like a chunk: the row stays PENDING, ``claims`` is the fence.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import execution, pending_execution
from markethub.control.statistics import EndedRun
from markethub.control.values import decode_object, encode_object
from markethub.domain.errors import ConflictError
from markethub.domain.execution import LEGAL_MOVES, ExecutionStatus


@dataclass(frozen=True, slots=True)
class ExecutionState:
    """The part of an execution that decides its next move; ``parameters`` is JSON text."""

    id: int
    job_id: int
    job_name: str
    handler: str
    status: ExecutionStatus
    priority: int
    parameters: str
    trace_id: str
    timeout_ms: int | None
    created_ms: int
    started_ms: int | None
    deadline_ms: int | None
    worker_id: str | None
    claims: int
    attempts: int
    crashes: int
    lease_until_ms: int | None
    chunks_total: int
    chunks_done: int
    chunks_failed: int
    counters: Mapping[str, int]


_STATE = select(*(execution.c[name] for name in ExecutionState.__dataclass_fields__))


async def claim_executions(
    connection: AsyncConnection,
    *,
    worker_id: str,
    now_ms: int,
    lease_until_ms: int,
    limit: int,
    handlers: Collection[str],
) -> list[ExecutionState]:
    """Lease at most ``limit`` due PENDING executions for these handlers to plan, by priority, then age.

    The first claim starts the execution: its ``started_ms``, and from there its deadline.
    """
    statement = (
        _STATE.where(
            pending_execution,
            execution.c.lease_until_ms.is_(None),
            execution.c.not_before_ms <= now_ms,
            execution.c.handler.in_(sorted(handlers)),
        )
        .order_by(execution.c.priority.desc(), execution.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = [row.id for row in await connection.execute(statement)]
    if not found:
        return []
    # timeout_ms is NULL for one without a limit, and so is the sum
    started = func.coalesce(execution.c.started_ms, now_ms)
    await connection.execute(
        update(execution)
        .where(execution.c.id.in_(found))
        .values(
            claims=execution.c.claims + 1,
            worker_id=worker_id,
            lease_until_ms=lease_until_ms,
            started_ms=started,
            deadline_ms=started + execution.c.timeout_ms,
        )
    )
    states = await lock_executions(connection, found)
    return [states[execution_id] for execution_id in found]


async def renew_executions(
    connection: AsyncConnection, claims: Mapping[int, int], lease_until_ms: int
) -> set[int]:
    """Extend the planning leases named by execution id and claims; return the ids of those still held."""
    held = {
        state.id
        for state in (await lock_executions(connection, claims)).values()
        if state.status is ExecutionStatus.PENDING
        and state.claims == claims[state.id]
        and state.lease_until_ms is not None
    }
    if held:
        await connection.execute(
            update(execution).where(execution.c.id.in_(sorted(held))).values(lease_until_ms=lease_until_ms)
        )
    return held


async def lock_executions(
    connection: AsyncConnection, execution_ids: Collection[int]
) -> dict[int, ExecutionState]:
    """The present state of these executions, locked until the transaction ends; missing ones are left out.

    A transaction locks its executions in one call and before any chunk, or workers could wait in a ring.
    """
    if not execution_ids:
        return {}
    statement = (
        _STATE.where(execution.c.id.in_(sorted(execution_ids))).order_by(execution.c.id).with_for_update()
    )
    return {row.id: _state(row._asdict()) for row in await connection.execute(statement)}


async def expired_plannings(connection: AsyncConnection, now_ms: int, limit: int) -> list[ExecutionState]:
    """Executions whose planning lease has run out, the oldest lease first; not locked."""
    statement = (
        _STATE.where(execution.c.lease_until_ms < now_ms).order_by(execution.c.lease_until_ms).limit(limit)
    )
    return [_state(row._asdict()) for row in await connection.execute(statement)]


async def overdue_executions(connection: AsyncConnection, now_ms: int, limit: int) -> list[int]:
    """Ids of the executions that have not ended by their deadline, the longest overdue first; not locked."""
    statement = (
        select(execution.c.id)
        .where(execution.c.completed_ms.is_(None), execution.c.deadline_ms <= now_ms)
        .order_by(execution.c.deadline_ms)
        .limit(limit)
    )
    return list((await connection.execute(statement)).scalars())


async def count_unfinished(connection: AsyncConnection) -> dict[ExecutionStatus, int]:
    """How many executions are PENDING and RUNNING."""
    statement = (
        select(execution.c.status, func.count())
        .where(execution.c.completed_ms.is_(None))
        .group_by(execution.c.status)
    )
    counted = {ExecutionStatus(status): number for status, number in await connection.execute(statement)}
    return {status: counted.get(status, 0) for status in ExecutionStatus if not status.is_final}


async def return_planning(
    connection: AsyncConnection,
    state: ExecutionState,
    *,
    attempts: int,
    crashes: int,
    not_before_ms: int,
) -> None:
    """End the planning lease of a locked execution; it is PENDING again."""
    await _write(
        connection,
        state.id,
        attempts=attempts,
        crashes=crashes,
        not_before_ms=not_before_ms,
        lease_until_ms=None,
    )


async def start_running(
    connection: AsyncConnection,
    state: ExecutionState,
    *,
    chunks: int,
    failed: int,
    counters: Mapping[str, int],
) -> None:
    """Move a locked, planned execution from PENDING to RUNNING with its chunks counted."""
    check_move(state.id, state.status, ExecutionStatus.RUNNING)
    await _write(
        connection,
        state.id,
        status=ExecutionStatus.RUNNING.value,
        lease_until_ms=None,
        chunks_total=chunks,
        chunks_failed=failed,
        counters=encode_object(counters, "counters"),
    )


async def note_progress(
    connection: AsyncConnection, execution_id: int, *, done: int, failed: int, counters: Mapping[str, int]
) -> None:
    """Write a locked execution's new chunk counts and counters."""
    await _write(
        connection,
        execution_id,
        chunks_done=done,
        chunks_failed=failed,
        counters=encode_object(counters, "counters"),
    )


async def finish(
    connection: AsyncConnection,
    state: ExecutionState,
    status: ExecutionStatus,
    *,
    now_ms: int,
    result: Mapping[str, Any],
    error: str | None,
) -> EndedRun:
    """Move a locked execution to a final status; return what its job's statistics must be told of it.

    ConflictError if that move is not legal.
    """
    check_move(state.id, state.status, status)
    duration_ms = None if state.started_ms is None else max(0, now_ms - state.started_ms)
    await _write(
        connection,
        state.id,
        status=status.value,
        completed_ms=now_ms,
        duration_ms=duration_ms,
        lease_until_ms=None,
        result=encode_object(result, "result"),
        error=error,
    )
    listed_ms = state.created_ms if state.started_ms is None else state.started_ms
    return EndedRun(state.job_id, status, listed_ms, now_ms, duration_ms, state.counters)


def check_move(execution_id: int, before: ExecutionStatus, after: ExecutionStatus) -> None:
    """ConflictError unless LEGAL_MOVES has this move."""
    if before.is_final:
        raise ConflictError(f"execution {execution_id} has already ended as {before}")
    if after not in LEGAL_MOVES[before]:
        raise ConflictError(f"execution {execution_id} cannot move from {before} to {after}")


async def _write(connection: AsyncConnection, execution_id: int, **values: object) -> None:
    await connection.execute(update(execution).where(execution.c.id == execution_id).values(**values))


def _state(values: dict[str, Any]) -> ExecutionState:
    values["status"] = ExecutionStatus(values["status"])
    values["counters"] = decode_object(values["counters"])
    return ExecutionState(**values)
