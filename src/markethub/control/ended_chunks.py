"""What became of the chunks that failed lately."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import chunk, execution, job, started_or_created
from markethub.control.values import decode_object
from markethub.domain.execution import ChunkStatus

_KEYS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class EndedChunk:
    """A chunk that is DONE or FAILED; one that failed in planning has no parameters."""

    execution_id: int
    key: str
    is_done: bool
    parameters: Mapping[str, Any]


async def find_failed_chunks(
    connection: AsyncConnection, job_name: str, *, executions: int, limit: int
) -> list[EndedChunk]:
    """The chunks that FAILED in a job's newest ``executions`` ended ones, and later DONE ones of their keys.

    By execution, the oldest first; of more than ``limit`` failed chunks the newest. What retention has
    deleted is not there.
    """
    ids = await _ended_executions(connection, job_name, executions)
    failed = (
        select(chunk.c.execution_id, chunk.c.key, chunk.c.parameters)
        .where(chunk.c.execution_id.in_(ids), chunk.c.status == ChunkStatus.FAILED.value)
        .order_by(chunk.c.execution_id.desc(), chunk.c.id)
        .limit(limit)
    )
    found = [
        EndedChunk(row.execution_id, row.key, False, decode_object(row.parameters))
        for row in await connection.execute(failed)
    ]
    if found:
        later = [number for number in ids if number > min(one.execution_id for one in found)]
        for keys in _batches(sorted({one.key for one in found})):
            done = select(chunk.c.execution_id, chunk.c.key, chunk.c.parameters).where(
                chunk.c.execution_id.in_(later),
                chunk.c.key.in_(keys),
                chunk.c.status == ChunkStatus.DONE.value,
            )
            found += [
                EndedChunk(row.execution_id, row.key, True, decode_object(row.parameters))
                for row in await connection.execute(done)
            ]
    return sorted(found, key=lambda one: one.execution_id)


async def _ended_executions(connection: AsyncConnection, job_name: str, most: int) -> list[int]:
    of_job = select(job.c.id).where(job.c.name == job_name).scalar_subquery()
    statement = (
        select(execution.c.id)
        .where(execution.c.job_id == of_job, execution.c.completed_ms.is_not(None))
        .order_by(started_or_created.desc(), execution.c.id.desc())
        .limit(most)
    )
    return list((await connection.execute(statement)).scalars())


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        yield keys[start : start + _KEYS_AT_ONCE]
