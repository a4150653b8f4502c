"""Change which jobs there are and when they run; for whoever owns the control database."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.audit import Act, insert_audit
from markethub.control.database import Database
from markethub.control.jobs import Job, JobSpec, ensure_jobs, get_job
from markethub.control.schedules import (
    count_unfinished,
    disable_others,
    lock_jobs,
    set_next_run,
    set_paused,
)
from markethub.domain.errors import ConflictError, InputError
from markethub.engine.engine import Engine
from markethub.engine.queueing import queue_executions
from markethub.engine.scheduler import request_run
from markethub.engine.schedules import read_schedule
from markethub.services.caller import name_act

_ON_REQUEST = "backfill_"


@dataclass(frozen=True, slots=True)
class StartedRun:
    """An execution that waits for a worker."""

    execution_id: int
    trace_id: str


async def apply_jobs(database: Database, specs: Sequence[JobSpec], act: Act | None = None) -> list[str]:
    """Make the enabled jobs exactly those of ``specs``; return the names of those that are disabled now.

    A job whose schedule is as it was keeps its next run, so what came due while no process ran is late, not
    lost. A new or changed schedule counts from now. What an operator has paused stays paused. ``act`` says
    who wants it, for the audit.
    """
    ordered = sorted(specs, key=lambda spec: spec.name)  # one order, or two processes could wait in a ring
    async with database.begin(durable=True) as connection:
        now_ms = database.clock()
        before = {job.name: job for job in await lock_jobs(connection)}
        await ensure_jobs(connection, ordered, now_ms)
        gone = await disable_others(connection, [spec.name for spec in ordered], now_ms)
        for job in await lock_jobs(connection):
            next_ms = _next_run_ms(job, before.get(job.name), now_ms)
            if next_ms != job.next_run_ms:
                await set_next_run(connection, job.id, next_ms)
        if act is not None:
            told = {"jobs": [spec.name for spec in ordered], "disabled": gone}
            await insert_audit(connection, act, "jobs", told, now_ms)
    return gone


async def run_job(
    database: Database, job_id: str, *, action: str = "job.run", engine: Engine | None = None
) -> StartedRun:
    """Queue one execution of a job now, whatever its schedule says, also while it is paused or disabled.

    ``action`` is what the audit calls it. Work begins at once where this process's ``engine`` is given, else
    when one hears of it.

    Raises:
        NotFoundError: no such job.
        InputError: its runs need a request's parameters, so that it has none to run with.
        ConflictError: as many executions as ``max_instances`` have not ended.
    """
    async with database.begin(durable=True) as connection:
        job = await _locked_job(connection, job_id)
        if job.name.startswith(_ON_REQUEST):
            raise InputError(
                f"job {job.name} runs on request only, with the request's parameters: use markethub backfill"
            )
        unfinished = await count_unfinished(connection, job.id)
        if unfinished >= job.max_instances:
            raise ConflictError(
                f"job {job.name} has {unfinished} executions that have not ended, and its max_instances is "
                f"{job.max_instances}"
            )
        request = request_run(job, "Run by an operator", act=name_act(action))
        queued = await queue_executions(database, connection, [request], database.clock())
    if engine is not None:
        engine.note_queued(queued)
    return StartedRun(queued.ids[0], request.trace_id)


async def pause_job(database: Database, job_id: str) -> Job:
    """Let a job miss its due runs until ``resume_job``; once this returns none is begun any more.

    What has begun goes on. Pausing twice is no error. NotFoundError; InputError for a job without schedule.
    """
    return await _set_paused(database, job_id, paused=True)


async def resume_job(database: Database, job_id: str) -> Job:
    """Let a paused job run again, from its next due moment on: what came due meanwhile is not caught up.

    Resuming one that is not paused changes nothing. NotFoundError; InputError for a job without schedule.
    """
    return await _set_paused(database, job_id, paused=False)


async def _set_paused(database: Database, job_id: str, *, paused: bool) -> Job:
    async with database.begin(durable=True) as connection:
        now_ms = database.clock()
        job = await _locked_job(connection, job_id)
        schedule = read_schedule(job)
        if schedule is None:
            raise InputError(f"job {job.name} has no schedule: it runs on request only")
        if job.paused == paused:
            return job
        next_ms = schedule.next_ms(now_ms) if job.enabled and not paused else None
        await set_paused(connection, job.id, paused=paused, next_run_ms=next_ms, now_ms=now_ms)
        act = name_act("job.pause" if paused else "job.resume")
        await insert_audit(connection, act, job.name, {}, now_ms)
        return await get_job(connection, job.name)


async def _locked_job(connection: AsyncConnection, job_id: str) -> Job:
    found = await get_job(connection, job_id)
    (locked,) = await lock_jobs(connection, [found.id])
    return locked


def _next_run_ms(job: Job, before: Job | None, now_ms: int) -> int | None:
    schedule = read_schedule(job) if job.is_active else None
    if schedule is None:
        return None
    if before is None or job.next_run_ms is None or _timing(job) != _timing(before):
        return schedule.next_ms(now_ms)
    return job.next_run_ms


def _timing(job: Job) -> tuple[object, ...]:
    return job.schedule_type, job.schedule, job.interval_seconds, job.time_zone
