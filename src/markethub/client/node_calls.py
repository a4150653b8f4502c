"""The requests about nodes, tasks and replicas, and what their answers are read as."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from markethub.client.calls import Call, Moment, given, listed, read_json, read_list, write_time
from markethub.client.node_answers import (
    MaintenanceLogAnswer,
    NodeListAnswer,
    NodeStatusAnswer,
    PromotionAnswer,
    SlaveAnswer,
    SlaveStatusAnswer,
    SyncAnswer,
    SyncCompletedAnswer,
    SyncHistoryAnswer,
    SyncStatusAnswer,
    SyncTriggeredAnswer,
    TaskAnswer,
    TaskStatusAnswer,
    TasksTriggeredAnswer,
    TaskTriggeredAnswer,
    VerificationAnswer,
)
from markethub.client.tables import ARROW, read_table

if TYPE_CHECKING:
    import pyarrow as pa

_ANSWERING_S = 30.0
"""What the hub gets beyond the time that it waits itself."""
_LONGEST_SYNC_S = 86_400.0


def get_node_status() -> Call[NodeStatusAnswer]:
    return Call("GET", "/api/dms/status", read_json)


def promote_node() -> Call[PromotionAnswer]:
    return Call("POST", "/api/dms/promote", read_json)


def list_nodes() -> Call[NodeListAnswer]:
    return Call("GET", "/api/dms/nodes", read_json)


def list_slaves() -> Call[list[SlaveAnswer]]:
    return Call("GET", "/api/dms/slaves", read_list)


def get_slave_status(slave_name: str) -> Call[SlaveStatusAnswer]:
    return Call("GET", f"{_slave_path(slave_name)}/status", read_json)


def get_master_status() -> Call[NodeStatusAnswer]:
    return Call("GET", "/api/dms/master/status", read_json)


def get_sync_status() -> Call[SyncStatusAnswer]:
    return Call("GET", "/api/dms/sync/status", read_json)


def list_sync_history(
    *, backup_name: str | None, limit: int | None, offset: int | None
) -> Call[SyncHistoryAnswer]:
    query = given(backup_name=backup_name, limit=limit, offset=offset)
    return Call("GET", "/api/dms/sync/history", read_json, query=query)


def trigger_sync(backup_name: str | None) -> Call[SyncTriggeredAnswer]:
    return Call("POST", "/api/dms/sync/trigger", read_json, query=given(backup_name=backup_name))


def sync_slave(
    slave_name: str, symbol: str | None, start_date: Moment | None, end_date: Moment | None
) -> Call[SyncAnswer]:
    body = _range_of(symbol, start_date, end_date)
    return Call("POST", f"{_slave_path(slave_name)}/sync", read_json, body=body)


def request_sync(
    symbol: str | None, start_date: Moment | None, end_date: Moment | None
) -> Call[SyncCompletedAnswer]:
    body = _range_of(symbol, start_date, end_date)
    return Call("POST", "/api/dms/sync/request", read_json, body=body, silence_s=_LONGEST_SYNC_S)


def verify_sync(node: str | None, timeout_s: float) -> Call[VerificationAnswer]:
    query = given(node=node, timeout_s=str(timeout_s))
    return Call("GET", "/api/dms/sync/verify", read_json, query=query, silence_s=timeout_s + _ANSWERING_S)


def list_tasks() -> Call[list[TaskAnswer]]:
    return Call("GET", "/api/dms/tasks", read_list)


def get_task_status(task_name: str) -> Call[TaskStatusAnswer]:
    return Call("GET", f"/api/dms/tasks/{quote(task_name, safe='')}/status", read_json)


def trigger_task(task_name: str) -> Call[TaskTriggeredAnswer]:
    return Call("POST", "/api/dms/tasks/trigger", read_json, query={"task_name": task_name})


def trigger_all_tasks(task_type: str | None) -> Call[TasksTriggeredAnswer]:
    return Call("POST", "/api/dms/tasks/trigger-all", read_json, query=given(task_type=task_type))


def get_maintenance_log(
    *,
    task_name: str | None,
    task_type: str | None,
    status: str | None,
    limit: int | None,
    offset: int | None,
) -> Call[MaintenanceLogAnswer]:
    query = given(task_name=task_name, task_type=task_type, status=status, limit=limit, offset=offset)
    return Call("GET", "/api/dms/maintenance/log", read_json, query=query)


def read_bars(
    symbols: Sequence[str], interval: str, *, start: Moment | None, end: Moment | None
) -> "Call[pa.Table]":
    body = given(
        symbols=listed(symbols, "symbols"),
        interval=interval,
        start_date=write_time(start),
        end_date=write_time(end),
    )
    # It reads, and may be sent again, though its body makes it a POST.
    return Call("POST", "/api/dms/read/batch", read_table, body=body, accept=ARROW, changes=False)


def _slave_path(name: str) -> str:
    return f"/api/dms/slaves/{quote(name, safe='')}"


def _range_of(symbol: str | None, start_date: Moment | None, end_date: Moment | None) -> dict[str, str]:
    return given(symbol=symbol, start_date=write_time(start_date), end_date=write_time(end_date))
