"""The tasks of a group's master: jobs that keep series of klines up to date, seen through DMS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from markethub.control.jobs import Job, find_job, jobs_of_handler
from markethub.control.schedules import find_unfinished
from markethub.control.statistics import JobTotals, sum_statistics
from markethub.control.task_runs import RunFilter, list_runs
from markethub.domain.errors import ConflictError
from markethub.domain.execution import ExecutionStatus
from markethub.domain.node import Role
from markethub.domain.task import TASK_CATEGORY, TASK_JOB_TYPE, TaskType
from markethub.services.dms_maintenance import TaskRun, named_task, run_of
from markethub.services.hub import Hub
from markethub.services.schedules import StartedRun, run_job

_ENDED = frozenset(status for status in ExecutionStatus if status.is_final)


class TaskState(StrEnum):
    """What a task is doing. ``paused``: an operator stopped its schedule; ``disabled``: the configuration
    did."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Task:
    """One task; ``last_run_ms`` is when a run of it last began, None before the first."""

    name: str
    task_type: TaskType
    state: TaskState
    last_run_ms: int | None


@dataclass(frozen=True, slots=True)
class TaskReport:
    """A task, how its last ended run ended (None where none is stored), and what all of them did."""

    task: Task
    last: TaskRun | None
    totals: JobTotals


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a task was not started."""

    reason: str


async def count_tasks(hub: Hub) -> int:
    """How many tasks there are, on a node of any role."""
    async with hub.database.read() as connection:
        return len(await jobs_of_handler(connection, TASK_CATEGORY, TASK_JOB_TYPE))


async def list_tasks(hub: Hub) -> list[Task]:
    """Every task by name, also those that the configuration has disabled. ForbiddenError on a slave."""
    hub.node.reign.require_role(Role.MASTER)
    async with hub.database.read() as connection:
        jobs = await jobs_of_handler(connection, TASK_CATEGORY, TASK_JOB_TYPE)
        running = await find_unfinished(connection)
    return [_task(job, is_running=job.id in running) for job in jobs]


async def show_task(hub: Hub, name: str) -> TaskReport:
    """One task with its statistics, which outlive the runs' rows. ForbiddenError on a slave,
    NotFoundError."""
    hub.node.reign.require_role(Role.MASTER)
    async with hub.database.read() as connection:
        job = named_task(await find_job(connection, name), name)
        running = await find_unfinished(connection)
        ended = await list_runs(connection, RunFilter(job.id, statuses=_ENDED), limit=1)
        totals = await sum_statistics(connection, job.id)
    last = run_of(ended[0]) if ended else None
    return TaskReport(_task(job, is_running=job.id in running), last, totals)


async def trigger_task(hub: Hub, name: str) -> StartedRun:
    """Queue a run of a task now, also of one that is paused or disabled: whoever names it wants it.

    Raises:
        ForbiddenError: this node is a slave.
        NotFoundError: no such task.
        ConflictError: as many runs as its ``max_instances`` have not ended, or this master was replaced.
    """
    _require_reign(hub)
    async with hub.database.read() as connection:
        job = named_task(await find_job(connection, name), name)
    return await _start(hub, job)


async def trigger_all(hub: Hub, task_type: TaskType | None) -> Mapping[str, StartedRun | Refused]:
    """Queue a run of every task (of that type) that is neither paused nor disabled; by name what became of
    it.

    A task that runs already is refused and keeps none of the others from being started. Errors as
    ``trigger_task``.
    """
    _require_reign(hub)
    async with hub.database.read() as connection:
        jobs = await jobs_of_handler(connection, TASK_CATEGORY, TASK_JOB_TYPE)
    started: dict[str, StartedRun | Refused] = {}
    for job in _chosen(jobs, task_type):
        try:
            started[job.name] = await _start(hub, job)
        except ConflictError as error:
            started[job.name] = Refused(str(error))
    return started


def _require_reign(hub: Hub) -> None:
    hub.node.reign.require_role(Role.MASTER)
    hub.node.reign.require_write()


async def _start(hub: Hub, job: Job) -> StartedRun:
    return await run_job(hub.database, job.name, action="task.trigger", engine=hub.engine)


def _chosen(jobs: Sequence[Job], task_type: TaskType | None) -> list[Job]:
    return [
        job
        for job in jobs
        if job.is_active and (task_type is None or TaskType.of(job.parameters) is task_type)
    ]


def _task(job: Job, *, is_running: bool) -> Task:
    if is_running:
        state = TaskState.RUNNING
    elif not job.enabled:
        state = TaskState.DISABLED
    else:
        state = TaskState.PAUSED if job.paused else TaskState.IDLE
    return Task(job.name, TaskType.of(job.parameters), state, job.last_run_ms)
