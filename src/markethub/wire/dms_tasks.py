"""Tasks of a group's master, and what became of their runs. Source: dms_api, "Endpoints of the master"."""

from typing import Annotated, Literal

from pydantic import Field

from markethub.wire.model import AnswerModel, RequestModel, Text
from markethub.wire.pagination import Limit, Offset
from markethub.wire.times import AnswerSecond

TaskTypeName = Annotated[
    Literal["incremental", "full_sync"],
    Field(description="`incremental`: from the last stored bar on; `full_sync`: the whole history again"),
]
RunStatusName = Literal["running", "completed", "failed"]
DataCount = Annotated[int, Field(description="bars inserted or updated", examples=[100])]
_TASK_TYPE_EXAMPLE = {"enum": ["incremental", "full_sync"]}


class Task(AnswerModel):
    """One task; ``task_type`` is not the page's."""

    name: str
    status: Annotated[
        Literal["idle", "running", "paused", "disabled"],
        Field(description="`paused` by an operator, `disabled` by the configuration"),
    ]
    last_run_time: Annotated[
        AnswerSecond | None, Field(description="when a run last began; null before the first")
    ]
    task_type: TaskTypeName


class TaskResult(AnswerModel):
    """How a run ended; ``message`` says how many symbols it asked for, or why it failed."""

    success: bool
    message: Annotated[str, Field(examples=["Updated 5 symbols"])]
    data_count: DataCount


class TaskStatistics(AnswerModel):
    """What the ended runs did, those whose rows were cleaned up among them.

    ``failed_count`` counts those that took too long as well; ``avg_duration`` is seconds, 0 without any run.
    """

    total_runs: int
    success_count: int
    failed_count: int
    total_data_count: DataCount
    avg_duration: Annotated[float, Field(examples=[5.2])]


class TaskStatus(AnswerModel):
    """One task in full; ``task_type`` is not the page's."""

    name: str
    status: Annotated[
        Literal["completed", "failed", "running", "idle"],
        Field(description="how its last run stands; `idle` before the first"),
    ]
    last_run_time: Annotated[
        AnswerSecond | None, Field(description="when a run last began; null before the first")
    ]
    last_result: Annotated[
        TaskResult | None, Field(description="of the last run that ended and is still stored")
    ]
    stats: TaskStatistics
    task_type: TaskTypeName


class TriggerTaskQuery(RequestModel):
    """Which task to start."""

    task_name: Annotated[Text, Field(description="a task's name", examples=["sync_klines_1h"])]


class TriggerTasksQuery(RequestModel):
    """Which tasks to start."""

    task_type: Annotated[
        Text | None,
        Field(description="those of one type; all when left out", json_schema_extra=_TASK_TYPE_EXAMPLE),
    ] = None


class StartedTask(AnswerModel):
    """A run that waits for a worker or has begun."""

    success: Literal[True] = True
    message: str
    status: Literal["running"] = "running"
    task_name: str


class TaskTriggered(AnswerModel):
    """What became of a request to start one task."""

    success: Literal[True] = True
    result: StartedTask


class TaskOutcome(AnswerModel):
    """Whether one of several tasks was started; ``message`` says why not, and is there only then."""

    success: bool
    status: Literal["running"] = "running"
    message: Annotated[
        str | None,
        Field(
            description="why it was not started; left out where it was", exclude_if=lambda text: text is None
        ),
    ] = None


class StartedTasks(AnswerModel):
    """By task what became of it; ``success`` is whether all were started."""

    success: bool
    message: Annotated[str, Field(examples=["Triggered 2 task(s), 2 succeeded"])]
    triggered_count: int
    success_count: int
    results: dict[str, TaskOutcome]


class TasksTriggered(AnswerModel):
    """What became of a request to start several tasks."""

    success: Literal[True] = True
    result: StartedTasks


class MaintenanceQuery(RequestModel):
    """Which runs of tasks to show."""

    task_name: Annotated[Text | None, Field(description="of one task only", examples=["sync_klines_1h"])] = (
        None
    )
    task_type: Annotated[
        Text | None, Field(description="of one type only", json_schema_extra=_TASK_TYPE_EXAMPLE)
    ] = None
    status: Annotated[
        Text | None,
        Field(
            description="in one status only",
            json_schema_extra={"enum": ["running", "completed", "failed"]},
        ),
    ] = None
    limit: Limit = 100
    offset: Offset = 0


class MaintenanceRow(AnswerModel):
    """One run of a task; ``end_time`` and ``duration`` (seconds) are null until it ends."""

    id: int
    task_name: str
    task_type: TaskTypeName
    start_time: AnswerSecond
    end_time: AnswerSecond | None
    duration: Annotated[float | None, Field(examples=[1800.5])]
    status: RunStatusName
    result_message: Annotated[
        str, Field(description="how many symbols were asked for, how far it is, or why it failed")
    ]
    data_count: DataCount


class MaintenanceLog(AnswerModel):
    """A part of the maintenance log, the last begun first."""

    logs: list[MaintenanceRow]
