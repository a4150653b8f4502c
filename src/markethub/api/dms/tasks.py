"""The tasks of the master: which there are, how they stand, and starting them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from markethub.api.access import OpenHub
from markethub.api.dms.gate import needs_dms, needs_role
from markethub.api.openapi import document_dms_errors
from markethub.domain.node import Role
from markethub.domain.task import TaskType
from markethub.services import dms_maintenance, dms_tasks
from markethub.services.dms_maintenance import RunStatus, TaskRun
from markethub.services.dms_tasks import Refused, TaskReport, TaskState
from markethub.wire.dms_tasks import (
    MaintenanceLog,
    MaintenanceQuery,
    MaintenanceRow,
    StartedTask,
    StartedTasks,
    Task,
    TaskOutcome,
    TaskResult,
    TaskStatistics,
    TaskStatus,
    TasksTriggered,
    TaskTriggered,
    TriggerTaskQuery,
    TriggerTasksQuery,
)
from markethub.wire.model import Text

router = APIRouter(prefix="/api/dms", tags=["dms"])

_READS = [Depends(needs_dms("read:dms")), Depends(needs_role(Role.MASTER))]
_WRITES = [Depends(needs_dms("write:dms")), Depends(needs_role(Role.MASTER))]
_TaskName = Annotated[Text, Path(description="a task's name", examples=["sync_klines_1h"])]


@router.post(
    "/tasks/trigger",
    summary="Start one task",
    dependencies=_WRITES,
    responses=document_dms_errors(400, 403, 404, 409),
)
async def trigger_task(hub: OpenHub, query: Annotated[TriggerTaskQuery, Query()]) -> TaskTriggered:
    """Queue a run now, whatever the schedule says, and answer at once; on a master only. Scope `write:dms`.

    A task that is paused or disabled runs as well. 409 while as many of its runs as its `max_instances` have
    not ended.
    """
    await dms_tasks.trigger_task(hub, query.task_name)
    return TaskTriggered(
        result=StartedTask(
            message=f"Task {query.task_name} triggered successfully, running in background",
            task_name=query.task_name,
        )
    )


@router.post(
    "/tasks/trigger-all",
    summary="Start every task",
    dependencies=_WRITES,
    responses=document_dms_errors(400, 403, 409),
)
async def trigger_all_tasks(hub: OpenHub, query: Annotated[TriggerTasksQuery, Query()]) -> TasksTriggered:
    """Queue a run of each task, or of those of one type; on a master only. Scope `write:dms`.

    Tasks that are paused or disabled are left out. One that runs already is not started again, and its result
    says so.
    """
    wanted = None if query.task_type is None else TaskType.parse(query.task_type)
    started = await dms_tasks.trigger_all(hub, wanted)
    results = {
        name: TaskOutcome(success=False, message=one.reason)
        if isinstance(one, Refused)
        else TaskOutcome(success=True)
        for name, one in started.items()
    }
    succeeded = sum(one.success for one in results.values())
    return TasksTriggered(
        result=StartedTasks(
            success=succeeded == len(results),
            message=f"Triggered {len(results)} task(s), {succeeded} succeeded",
            triggered_count=len(results),
            success_count=succeeded,
            results=results,
        )
    )


@router.get("/tasks", summary="List the tasks", dependencies=_READS, responses=document_dms_errors(403))
async def list_tasks(hub: OpenHub) -> list[Task]:
    """The jobs that keep klines up to date, by name; on a master only. Scope `read:dms`."""
    return [
        Task(
            name=one.name,
            status=one.state.value,
            last_run_time=one.last_run_ms,
            task_type=one.task_type.value,
        )
        for one in await dms_tasks.list_tasks(hub)
    ]


@router.get(
    "/tasks/{task_name}/status",
    summary="Show one task",
    dependencies=_READS,
    responses=document_dms_errors(400, 403, 404),
)
async def show_task_status(hub: OpenHub, task_name: _TaskName) -> TaskStatus:
    """How a task's last run stands, and what all its runs did; on a master only. Scope `read:dms`."""
    return _status(await dms_tasks.show_task(hub, task_name))


@router.get(
    "/maintenance/log",
    summary="Show the runs of tasks",
    dependencies=_READS,
    responses=document_dms_errors(400, 403, 404),
)
async def show_maintenance_log(hub: OpenHub, query: Annotated[MaintenanceQuery, Query()]) -> MaintenanceLog:
    """The stored runs of tasks, the last begun first; on a master only. Scope `read:dms`."""
    runs = await dms_maintenance.list_maintenance(
        hub,
        task_name=query.task_name,
        task_type=None if query.task_type is None else TaskType.parse(query.task_type),
        status=None if query.status is None else RunStatus.parse(query.status),
        limit=query.limit,
        offset=query.offset,
    )
    return MaintenanceLog(logs=[_row(run) for run in runs])


def _status(report: TaskReport) -> TaskStatus:
    task, last, totals = report.task, report.last, report.totals
    if task.state is TaskState.RUNNING:
        status = RunStatus.RUNNING.value
    else:
        status = TaskState.IDLE.value if last is None else last.status.value
    average_ms = totals.average_duration_ms or 0
    return TaskStatus(
        name=task.name,
        status=status,
        last_run_time=task.last_run_ms,
        last_result=None
        if last is None
        else TaskResult(
            success=last.status is RunStatus.COMPLETED, message=last.message, data_count=last.data_count
        ),
        stats=TaskStatistics(
            total_runs=totals.runs,
            success_count=totals.successes,
            failed_count=totals.failures + totals.timeouts,
            total_data_count=totals.inserted + totals.updated,
            avg_duration=round(average_ms / 1000, 3),
        ),
        task_type=task.task_type.value,
    )


def _row(run: TaskRun) -> MaintenanceRow:
    return MaintenanceRow(
        id=run.id,
        task_name=run.task_name,
        task_type=run.task_type.value,
        start_time=run.start_ms,
        end_time=run.end_ms,
        duration=None if run.duration_ms is None else run.duration_ms / 1000,
        status=run.status.value,
        result_message=run.message,
        data_count=run.data_count,
    )
