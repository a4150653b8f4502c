"""Queues the jobs that are due. Each process has one; together they queue every due run once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.audit import Act
from markethub.control.database import Database
from markethub.control.jobs import Job
from markethub.control.logs import NewLogLine, insert_logs
from markethub.control.schedules import (
    count_unfinished,
    has_run,
    lock_jobs,
    scheduled_jobs,
    set_next_run,
)
from markethub.domain.errors import ConflictError, MarketHubError
from markethub.domain.execution import new_trace_id
from markethub.domain.task import TaskType
from markethub.domain.times import format_time
from markethub.engine.engine import Engine
from markethub.engine.handler import NewExecution
from markethub.engine.loops import repeat
from markethub.engine.queueing import Queued, queue_executions
from markethub.engine.schedules import GRACE_SECONDS, Turn, is_far_ahead, read_schedule, take_turn
from markethub.engine.worklog import WorkContext, emit, new_line
from markethub.ports.clock import Clock

LOOK_S = 2.0
"""How often a scheduler looks though nothing is due: clocks are set, and other processes change jobs."""

_FRESH_CATEGORY = "sync"
_FRESH_PRIORITY = 1_000
_log = structlog.get_logger("markethub.scheduler")


@dataclass(slots=True)
class _Settled:
    """What one transaction did about a job; true only once it is committed."""

    queued: Queued | None = None
    lines: list[NewLogLine] = field(default_factory=list)
    next_run_ms: int | None = None


class Scheduler:
    """Looks at the jobs of a database and queues with ``engine`` what is due.

    Any number of them may share a database: each decides about a job under the job's lock, in the
    transaction that also stores the execution and when the job is due next. So a process may be killed at
    any moment: a due run is queued once or, when its transaction was not committed, by the next look.
    ``clock`` is the database's own unless given.
    """

    def __init__(self, database: Database, engine: Engine, clock: Clock | None = None) -> None:
        self._database = database
        self._engine = engine
        self._clock: Clock = clock or database.clock
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look; returns at once. ConflictError if it was started before."""
        if self._looking is not None:
            raise ConflictError("the scheduler was started before")
        self._looking = asyncio.create_task(
            repeat(self._look_and_wait, wake=self._wake, stopped=self._stopped, pause_s=LOOK_S),
            name="scheduler",
        )

    async def drain(self) -> None:
        """Stop for good, after the look that is under way; what it has queued stays queued."""
        self._stopped.set()
        self._wake.set()
        if self._looking is not None:
            await self._looking

    def wake(self) -> None:
        """Look now: jobs have changed."""
        self._wake.set()

    @property
    def is_working(self) -> bool:
        """Whether it was started and not drained."""
        return self._looking is not None and not self._looking.done() and not self._stopped.is_set()

    async def look(self) -> int | None:
        """Queue everything that is due; return when something is due next, None if nothing ever is.

        A job that cannot be scheduled is told of in the process's log and keeps none of the others waiting.
        UnavailableError where the database is away.
        """
        async with self._database.read() as connection:
            jobs = await scheduled_jobs(connection)
        now_ms = self._clock()
        ahead_ms = []
        for job in jobs:
            try:
                next_ms = await self._serve(job, now_ms)
            except MarketHubError as error:
                if error.retryable:
                    raise
                _log.error("a job cannot be scheduled", job=job.name, error=str(error))
            else:
                ahead_ms += [] if next_ms is None else [next_ms]
        return min(ahead_ms, default=None)

    async def _look_and_wait(self) -> float | None:
        next_ms = await self.look()
        # a little late rather than early: the next look must find it due
        return None if next_ms is None else max(0, next_ms - self._clock() + 1) / 1000

    async def _serve(self, job: Job, now_ms: int) -> int | None:
        """Take a job's turns until it is not due any more; when it is due next."""
        next_ms, is_due = job.next_run_ms, _needs_turn(job, now_ms)
        while is_due:
            next_ms = await self._settle(job.id)
            is_due = next_ms is not None and next_ms <= now_ms
        return next_ms

    async def _settle(self, job_id: int) -> int | None:
        """Decide about one due moment of a job in one transaction; when the job is due next."""
        async with self._database.begin() as connection:
            settled = await self._decide(connection, job_id, self._clock())
        for line in settled.lines:
            emit(line)
        if settled.queued is not None:
            self._engine.note_queued(settled.queued)
        return settled.next_run_ms

    async def _decide(self, connection: AsyncConnection, job_id: int, now_ms: int) -> _Settled:
        settled = _Settled()
        job = next(iter(await lock_jobs(connection, [job_id])), None)
        # another process may have been faster, or an operator
        if job is None or not job.is_active or job.next_run_ms is None:
            return settled
        settled.next_run_ms = job.next_run_ms
        schedule = read_schedule(job)
        if schedule is None:
            settled.next_run_ms = None
        elif job.next_run_ms <= now_ms:
            turn = take_turn(
                schedule, job.next_run_ms, now_ms, grace_ms=1000 * _grace_s(job), catch_up=job.catch_up
            )
            await self._carry_out(connection, job, turn, now_ms, settled)
            settled.next_run_ms = turn.next_ms
        elif is_far_ahead(schedule, job.next_run_ms, now_ms):
            settled.next_run_ms = schedule.next_ms(now_ms)
            text = (
                f"The clock was set back: due next at {format_time(settled.next_run_ms)} "
                f"instead of {format_time(job.next_run_ms)}"
            )
            settled.lines.append(_job_line(job, text, now_ms))
        if settled.next_run_ms != job.next_run_ms:
            await set_next_run(connection, job.id, settled.next_run_ms)
        await insert_logs(connection, settled.lines)
        return settled

    async def _carry_out(
        self, connection: AsyncConnection, job: Job, turn: Turn, now_ms: int, settled: _Settled
    ) -> None:
        missed = "" if turn.missed is None else _name_missed(turn.missed)
        if turn.run_ms is None:
            text = f"{missed} missed by more than the grace allows, and the job does not catch up: not run"
            settled.lines.append(_job_line(job, text, now_ms))
        elif await has_run(connection, job.id, turn.run_ms):
            _log.info("a due run is there already", job=job.name, due=format_time(turn.run_ms))
        elif (unfinished := await count_unfinished(connection, job.id)) >= job.max_instances:
            also = f" {missed} missed." if missed else ""
            text = (
                f"The run due at {format_time(turn.run_ms)} is left out: {unfinished} executions have not "
                f"ended, and max_instances is {job.max_instances}.{also}"
            )
            settled.lines.append(_job_line(job, text, now_ms))
        else:
            request = request_run(job, f"Due at {format_time(turn.run_ms)}", due_ms=turn.run_ms)
            settled.queued = await queue_executions(self._database, connection, [request], now_ms)
            if missed:
                context = WorkContext(request.trace_id, job.id, settled.queued.ids[0], None)
                text = f"{missed} missed by more than the grace allows: this run stands for all of them"
                settled.lines.append(new_line(context, "WARNING", text, now_ms))


def request_run(job: Job, message: str, *, due_ms: int | None = None, act: Act | None = None) -> NewExecution:
    """The request to run a job as it is configured, for a moment of its schedule or (None) out of turn."""
    is_fresh = job.job_category == _FRESH_CATEGORY and TaskType.of(job.parameters) is not TaskType.FULL_SYNC
    return NewExecution(
        job.name,
        job.parameters,
        new_trace_id(job.name),
        message,
        # before any backfill, whatever its priority: by the time that ended, fresh data would be history
        priority=_FRESH_PRIORITY if is_fresh else 0,
        timeout_s=job.timeout_seconds,
        due_ms=due_ms,
        act=act,
    )


def _needs_turn(job: Job, now_ms: int) -> bool:
    if job.next_run_ms is None or job.next_run_ms <= now_ms:
        return job.next_run_ms is not None
    schedule = read_schedule(job)
    return schedule is None or is_far_ahead(schedule, job.next_run_ms, now_ms)


def _grace_s(job: Job) -> int:
    return GRACE_SECONDS if job.misfire_grace_seconds is None else job.misfire_grace_seconds


def _name_missed(missed: Sequence[int]) -> str:
    first, last = (format_time(time_ms) for time_ms in missed)
    return f"The run due at {first} was" if first == last else f"The runs due from {first} to {last} were"


def _job_line(job: Job, text: str, now_ms: int) -> NewLogLine:
    # by name: in the process's log no trace id tells whose it is
    return new_line(WorkContext(None, job.id, None, None), "WARNING", f"{job.name}: {text}", now_ms)
