"""What the client's calls about nodes, tasks and replicas return: the server's JSON, typed."""

from typing import Literal, NotRequired, TypedDict

Role = Literal["master", "slave"]
State = Literal["running", "offline", "disabled"]


class NodeStatusAnswer(TypedDict):
    """What a node is; a ``fenced`` master was replaced while it was away, and writes nothing."""

    role: Role
    running: bool
    uptime: int
    tasks_count: int
    name: str
    epoch: int
    fenced: bool


class PromotionAnswer(TypedDict):
    """The reign that a promotion has begun."""

    success: bool
    role: Literal["master"]
    epoch: int


class MasterNodeAnswer(TypedDict):
    """A master in the list of nodes; what it did not tell is None."""

    name: str
    role: Literal["master"]
    host: str
    port: int
    status: State
    uptime: int | None
    tasks_count: int | None
    last_sync: None
    epoch: int | None
    fenced: bool | None
    error: str | None


class SlaveNodeAnswer(TypedDict):
    """A slave in the list of nodes; its lag is None where nobody knows it."""

    name: str
    role: Literal["slave"]
    host: str
    port: int
    status: State
    uptime: int | None
    last_sync: str | None
    sync_delay: int | None
    lag_seconds: float | None
    lag_rows: int | None
    lag_revisions: int | None
    last_verified: str | None
    epoch: int | None
    error: str | None


class NodeListAnswer(TypedDict):
    """All nodes that the hub knows, the master first; ``role`` tells which of the two a node is."""

    nodes: list[MasterNodeAnswer | SlaveNodeAnswer]
    total_nodes: int
    online_nodes: int


class SlaveAnswer(TypedDict):
    """One node that the configuration lets follow the hub."""

    name: str
    host: str
    port: int
    enabled: bool


class SlaveStatusAnswer(TypedDict):
    """What one slave told when it was asked just now, or why it did not."""

    name: str
    role: Role
    host: str
    port: int
    status: State
    uptime: int | None
    epoch: int | None
    error: str | None


class BackupAnswer(TypedDict):
    """How far one slave has followed; None where nobody knows."""

    name: str
    host: str
    port: int
    last_sync: str | None
    enabled: bool
    lag_seconds: float | None
    lag_rows: int | None
    lag_revisions: int | None
    last_verified: str | None
    error: str | None


class SyncStatusAnswer(TypedDict):
    """How far the slaves have followed."""

    backups: list[BackupAnswer]
    total_backups: int


class SyncRowAnswer(TypedDict):
    """What one slave brought of one series in a stretch of time."""

    id: int
    backup_name: str
    symbol: str
    interval: str
    sync_mode: str
    start_time: str
    end_time: str
    data_count: int
    status: str
    error: str | None


class SyncHistoryAnswer(TypedDict):
    """A part of the sync history, the newest first; ``total`` rows match."""

    history: list[SyncRowAnswer]
    total: int


class TriggerResultAnswer(TypedDict):
    """By slave whether it was told."""

    success: bool
    results: dict[str, bool]


class SyncTriggeredAnswer(TypedDict):
    """``success`` is whether anybody was told."""

    success: bool
    message: str
    result: TriggerResultAnswer


class SyncResultAnswer(TypedDict):
    """What became of it, for people."""

    success: bool
    message: str


class SyncAnswer(TypedDict):
    """What became of a request to sync one slave."""

    success: bool
    result: SyncResultAnswer


class CompletedSyncAnswer(TypedDict):
    """What came; ``rows`` were missing or different."""

    success: bool
    message: str
    rows: int


class SyncCompletedAnswer(TypedDict):
    """The data is there."""

    success: bool
    result: CompletedSyncAnswer


class VerifiedNodeAnswer(TypedDict):
    """What one slave's verification found; None where it was not made."""

    name: str
    status: Literal["equal", "repaired", "unsettled", "offline", "failed", "disabled"]
    compared: int | None
    repaired: list[str]
    unsettled: list[str]
    revision: int | None
    duration: float | None
    error: str | None


class VerificationAnswer(TypedDict):
    """Every slave that was asked, and whether all of them hold what the master holds now."""

    nodes: list[VerifiedNodeAnswer]
    equal: bool


class TaskAnswer(TypedDict):
    """One task."""

    name: str
    status: Literal["idle", "running", "paused", "disabled"]
    last_run_time: str | None
    task_type: str


class TaskResultAnswer(TypedDict):
    """How a run ended."""

    success: bool
    message: str
    data_count: int


class TaskStatisticsAnswer(TypedDict):
    """What the ended runs did; ``avg_duration`` is seconds."""

    total_runs: int
    success_count: int
    failed_count: int
    total_data_count: int
    avg_duration: float


class TaskStatusAnswer(TypedDict):
    """One task in full."""

    name: str
    status: Literal["completed", "failed", "running", "idle"]
    last_run_time: str | None
    last_result: TaskResultAnswer | None
    stats: TaskStatisticsAnswer
    task_type: str


class StartedTaskAnswer(TypedDict):
    """A run that waits for a worker or has begun."""

    success: bool
    message: str
    status: str
    task_name: str


class TaskTriggeredAnswer(TypedDict):
    """What became of a request to start one task."""

    success: bool
    result: StartedTaskAnswer


class TaskOutcomeAnswer(TypedDict):
    """Whether one of several tasks was started; ``message`` says why not."""

    success: bool
    status: str
    message: NotRequired[str]


class StartedTasksAnswer(TypedDict):
    """By task what became of it."""

    success: bool
    message: str
    triggered_count: int
    success_count: int
    results: dict[str, TaskOutcomeAnswer]


class TasksTriggeredAnswer(TypedDict):
    """What became of a request to start several tasks."""

    success: bool
    result: StartedTasksAnswer


class MaintenanceRowAnswer(TypedDict):
    """One run of a task; ``end_time`` and ``duration`` (seconds) are None until it ends."""

    id: int
    task_name: str
    task_type: str
    start_time: str
    end_time: str | None
    duration: float | None
    status: str
    result_message: str
    data_count: int


class MaintenanceLogAnswer(TypedDict):
    """A part of the maintenance log, the last begun first."""

    logs: list[MaintenanceRowAnswer]
