"""What the schedules of jobs need of the database: which are due, their lock, and when they are due next."""

from collections.abc import Collection

from sqlalchemy import func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.jobs import Job, job_of
from markethub.control.schema import execution, job


async def scheduled_jobs(connection: AsyncConnection) -> list[Job]:
    """The enabled jobs that are neither paused nor without a next run, the longest due first; not locked."""
    statement = (
        select(job)
        .where(job.c.next_run_ms.is_not(None), job.c.enabled, ~job.c.paused)
        .order_by(job.c.next_run_ms, job.c.id)
    )
    return [job_of(row) for row in await connection.execute(statement)]


async def lock_jobs(connection: AsyncConnection, job_ids: Collection[int] | None = None) -> list[Job]:
    """These jobs (None: all) by id, as they stand, locked until the transaction ends; missing ones are left
    out.

    Whoever decides about a job's runs locks it first. Workers store executions of it meanwhile: their
    foreign keys need no more than that the row stays.
    """
    statement = select(job).order_by(job.c.id).with_for_update(key_share=True)
    if job_ids is not None:
        statement = statement.where(job.c.id.in_(sorted(job_ids)))
    return [job_of(row) for row in await connection.execute(statement)]


async def set_next_run(connection: AsyncConnection, job_id: int, next_run_ms: int | None) -> None:
    """Note when a locked job is due next; None: it is not."""
    await connection.execute(update(job).where(job.c.id == job_id).values(next_run_ms=next_run_ms))


async def set_paused(
    connection: AsyncConnection, job_id: int, *, paused: bool, next_run_ms: int | None, now_ms: int
) -> None:
    """Write the operator's word on a locked job, with the next run that follows from it."""
    await connection.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(paused=paused, next_run_ms=next_run_ms, updated_ms=now_ms)
    )


async def disable_others(connection: AsyncConnection, names: Collection[str], now_ms: int) -> list[str]:
    """Disable every enabled job of another name, for good until it is configured again; return their names,
    ascending. Their rows stay, for their history."""
    gone = await connection.execute(
        update(job)
        .where(job.c.name.not_in(sorted(names)), job.c.enabled == true())
        .values(enabled=False, updated_ms=now_ms)
        .returning(job.c.name)
    )
    return sorted(gone.scalars())


async def count_unfinished(connection: AsyncConnection, job_id: int) -> int:
    """How many executions of a job have not ended, those that wait included."""
    statement = (
        select(func.count())
        .select_from(execution)
        .where(execution.c.job_id == job_id, execution.c.completed_ms.is_(None))
    )
    return (await connection.execute(statement)).scalar_one()


async def find_unfinished(connection: AsyncConnection) -> set[int]:
    """The ids of the jobs that have an execution which has not ended, those that wait included."""
    statement = select(execution.c.job_id).where(execution.c.completed_ms.is_(None)).distinct()
    return set((await connection.execute(statement)).scalars())


async def has_run(connection: AsyncConnection, job_id: int, due_ms: int) -> bool:
    """Whether there is an execution for this moment of a job's schedule."""
    statement = select(execution.c.id).where(execution.c.job_id == job_id, execution.c.due_ms == due_ms)
    return (await connection.execute(statement)).one_or_none() is not None
