"""Chunks as people look at them: how many are in which status, and a page of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.executions import Execution
from markethub.control.schema import chunk
from markethub.domain.execution import ChunkStatus


@dataclass(frozen=True, slots=True)
class ShownChunk:
    """One chunk; ``attempts`` are the tries that have ended, ``error`` is what the last of them met."""

    key: str
    status: ChunkStatus
    attempts: int
    error: str | None


async def count_chunks(connection: AsyncConnection, of: Execution) -> dict[ChunkStatus, int]:
    """How many stored chunks of an execution are in each status; one that ended early keeps no open ones."""
    done, failed = of.chunks_done, of.chunks_failed
    running = 0 if of.status.is_final else await _count_running(connection, of.id)
    open_chunks = 0 if of.status.is_final else of.chunks_total - done - failed
    return {
        # PostgreSQL reads anew with each statement: a chunk may end between the two.
        ChunkStatus.PENDING: max(0, open_chunks - running),
        ChunkStatus.RUNNING: running,
        ChunkStatus.DONE: done,
        ChunkStatus.FAILED: failed,
    }


async def list_chunks(
    connection: AsyncConnection, execution_id: int, *, status: ChunkStatus | None, limit: int, offset: int
) -> list[ShownChunk]:
    """Chunks ``offset`` to ``offset + limit`` of an execution by key, all of them or those in one status."""
    statement = (
        select(chunk.c.key, chunk.c.status, chunk.c.attempts, chunk.c.error)
        .where(chunk.c.execution_id == execution_id)
        .order_by(chunk.c.key)
        .limit(limit)
        .offset(offset)
    )
    if status is not None:
        statement = statement.where(chunk.c.status == status.value)
    rows = await connection.execute(statement)
    return [ShownChunk(row.key, ChunkStatus(row.status), row.attempts, row.error) for row in rows]


def total_of(counts: Mapping[ChunkStatus, int], status: ChunkStatus | None) -> int:
    """How many chunks ``list_chunks`` has to show."""
    return sum(counts.values()) if status is None else counts[status]


async def _count_running(connection: AsyncConnection, execution_id: int) -> int:
    # Leased chunks are few, and have an index. The sum keeps planners from walking all of the execution's.
    statement = (
        select(func.count())
        .select_from(chunk)
        .where(
            chunk.c.lease_until_ms.is_not(None),
            chunk.c.execution_id + 0 == execution_id,
            chunk.c.status == ChunkStatus.RUNNING.value,
        )
    )
    return (await connection.execute(statement)).scalar_one()
