"""What became of the runs of tasks: the execution history, seen through DMS."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from markethub.control.executions import Execution
from markethub.control.jobs import Job, find_job
from markethub.control.task_runs import RunFilter, list_runs
from markethub.domain.errors import InputError, NotFoundError
from markethub.domain.execution import ExecutionStatus
from markethub.domain.node import Role
from markethub.domain.task import TASK_CATEGORY, TASK_JOB_TYPE, TaskType
from markethub.services.hub import Hub


class RunStatus(StrEnum):
    """How a run stands; one that waits counts as running, one that took too long as failed."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a status; InputError that lists the allowed ones otherwise."""
        try:
            return cls(text)
        except ValueError:
            raise InputError(f"status {text[:60]!r} is not one of {', '.join(cls)}") from None


_STATUSES = {
    RunStatus.RUNNING: frozenset({ExecutionStatus.PENDING, ExecutionStatus.RUNNING}),
    RunStatus.COMPLETED: frozenset({ExecutionStatus.SUCCESS}),
    RunStatus.FAILED: frozenset({ExecutionStatus.FAILURE, ExecutionStatus.TIMEOUT}),
}
_STATUS_OF = {one: status for status, ones in _STATUSES.items() for one in ones}


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One run of a task, of the type that it had then.

    ``start_ms`` is when it began, or was asked for while it waits; ``end_ms`` and ``duration_ms`` are None
    until it ends, the latter also where it ended before it began. ``data_count`` is the bars that were
    inserted or updated so far.
    """

    id: int
    task_name: str
    task_type: TaskType
    status: RunStatus
    message: str
    data_count: int
    start_ms: int
    end_ms: int | None
    duration_ms: int | None


async def list_maintenance(
    hub: Hub,
    *,
    task_name: str | None = None,
    task_type: TaskType | None = None,
    status: RunStatus | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[TaskRun]:
    """The stored runs of tasks, the last begun first. ForbiddenError on a slave; NotFoundError: no such
    task."""
    hub.node.reign.require_role(Role.MASTER)
    statuses = frozenset(ExecutionStatus) if status is None else _STATUSES[status]
    async with hub.database.read() as connection:
        job = None if task_name is None else named_task(await find_job(connection, task_name), task_name)
        runs = RunFilter(None if job is None else job.id, task_type, statuses)
        found = await list_runs(connection, runs, limit=limit, offset=offset)
    return [run_of(one) for one in found]


def named_task(job: Job | None, name: str) -> Job:
    """The job if it is the task of that very name; NotFoundError otherwise."""
    if job is None or job.name != name or (job.job_category, job.job_type) != (TASK_CATEGORY, TASK_JOB_TYPE):
        raise NotFoundError(f"Task not found: {name[:100]}")
    return job


def run_of(execution: Execution) -> TaskRun:
    """An execution as a run of its task."""
    counters = execution.counters
    data_count = counters.get("inserted", 0) + counters.get("updated", 0)
    return TaskRun(
        id=execution.id,
        task_name=execution.job_name,
        task_type=TaskType.of(execution.parameters),
        status=_STATUS_OF[execution.status],
        message=_describe(execution, data_count),
        data_count=data_count,
        start_ms=execution.created_ms if execution.started_ms is None else execution.started_ms,
        end_ms=execution.completed_ms,
        duration_ms=execution.duration_ms,
    )


def _describe(execution: Execution, data_count: int) -> str:
    match execution.status:
        case ExecutionStatus.PENDING:
            return "Waiting"
        case ExecutionStatus.RUNNING:
            ended = execution.chunks_done + execution.chunks_failed
            return f"{ended} of {execution.chunks_total} chunks done"
        case ExecutionStatus.SUCCESS:
            symbols = execution.counters.get("symbols")  # runs of older versions did not count them
            return f"Updated {data_count} bars" if symbols is None else f"Updated {symbols} symbols"
        case _:
            return execution.error or f"Ended as {execution.status}"
