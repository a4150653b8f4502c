"""Runs of tasks, as the maintenance log shows them."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.executions import SHOWN_EXECUTIONS, Execution, execution_of
from markethub.control.jobs import handler_name
from markethub.control.listing import check_window
from markethub.control.schema import execution, started_or_created
from markethub.control.values import encode_object
from markethub.domain.execution import ExecutionStatus
from markethub.domain.task import MODE, TASK_CATEGORY, TASK_JOB_TYPE, TaskType

_EVERY_STATUS = frozenset(ExecutionStatus)
# All parameters are written by one encoder, so that there is one spelling to look for.
_FULL_SYNC = encode_object({MODE: TaskType.FULL_SYNC}, MODE)[1:-1]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Runs of one job, of one type, in some of the statuses; None is no bound."""

    job_id: int | None = None
    task_type: TaskType | None = None
    statuses: frozenset[ExecutionStatus] = _EVERY_STATUS


async def list_runs(
    connection: AsyncConnection, runs: RunFilter, *, limit: int, offset: int = 0
) -> list[Execution]:
    """Executions ``offset`` to ``offset + limit`` of these, the last begun first."""
    check_window(limit, offset)
    where = [execution.c.handler == handler_name(TASK_CATEGORY, TASK_JOB_TYPE)]
    if runs.job_id is not None:
        where.append(execution.c.job_id == runs.job_id)
    if runs.statuses != _EVERY_STATUS:
        where.append(execution.c.status.in_(sorted(runs.statuses)))
    if runs.task_type is not None:
        is_full = execution.c.parameters.contains(_FULL_SYNC, autoescape=True)
        where.append(is_full if runs.task_type is TaskType.FULL_SYNC else ~is_full)
    order = (started_or_created.desc(), execution.c.id.desc())
    statement = SHOWN_EXECUTIONS.where(*where).order_by(*order).limit(limit).offset(offset)
    return [execution_of(row) for row in await connection.execute(statement)]
