"""The tools about the nodes of a group, their tasks and their replicas."""

from typing import Annotated

from pydantic import Field

from markethub.mcp.tool import NoParameters, Shape, Tool
from markethub.wire.dms import HistoryQuery, SyncBody, SyncTriggerQuery
from markethub.wire.dms_tasks import MaintenanceQuery, TriggerTaskQuery, TriggerTasksQuery
from markethub.wire.dms_verification import VerifyQuery
from markethub.wire.model import RequestModel, Text

_SlaveName = Annotated[Text, Field(description="a slave's name, as datahub_list_slaves has it")]


class SlaveChoice(RequestModel):
    """Which slave."""

    slave_name: _SlaveName


class SlaveSync(SyncBody):
    """Which slave, and what to bring and compare; everything for what is left out.

    Times without a zone are UTC, the range is ``start_date <= time < end_date``.
    """

    slave_name: _SlaveName


class TaskChoice(RequestModel):
    """Which task."""

    task_name: Annotated[Text, Field(description="a task's name, as datahub_list_tasks has it")]


def _reading(name: str, words: str, model: type[RequestModel], path: str, shape: Shape = Shape.ONE) -> Tool:
    return Tool(f"datahub_{name}", words, model, "read:dms", f"/api/dms/{path}", shape)


def _writing(
    name: str,
    words: str,
    model: type[RequestModel],
    path: str,
    *,
    in_query: bool = False,
    is_slow: bool = False,
) -> Tool:
    return Tool(
        f"datahub_{name}",
        words,
        model,
        "write:dms",
        f"/api/dms/{path}",
        Shape.ONE,
        method="POST",
        in_query=in_query,
        is_slow=is_slow,
    )


_NODES = (
    _reading("get_node_status", "Show the node that answers: role, uptime, epoch.", NoParameters, "status"),
    _reading(
        "list_nodes", "Ask all nodes of the group how they are, and how far behind.", NoParameters, "nodes"
    ),
    _reading("list_slaves", "List the configured slaves; on a master.", NoParameters, "slaves", Shape.LIST),
    _reading(
        "get_slave_status", "Ask one slave how it is; on a master.", SlaveChoice, "slaves/{slave_name}/status"
    ),
    _reading("get_master_status", "Ask the master how it is; on a slave.", NoParameters, "master/status"),
)

_SYNCS = (
    _reading("get_sync_status", "Show how far each slave has followed.", NoParameters, "sync/status"),
    _reading(
        "list_sync_history", "List what the slaves brought, newest first.", HistoryQuery, "sync/history"
    ),
    _writing(
        "trigger_sync", "Tell slaves to pull what is new.", SyncTriggerQuery, "sync/trigger", in_query=True
    ),
    _writing(
        "sync_slave",
        "Let one slave pull, compare and repair; on a master.",
        SlaveSync,
        "slaves/{slave_name}/sync",
    ),
    _writing(
        "request_sync",
        "Let this slave pull, compare and repair, and wait for it.",
        SyncBody,
        "sync/request",
        is_slow=True,
    ),
    Tool(
        "datahub_verify_sync",
        "Prove by digests that slaves hold what the master holds; what differs is repaired.",
        VerifyQuery,
        "write:dms",
        "/api/dms/sync/verify",
        Shape.ONE,
        is_slow=True,
    ),
)

_TASKS = (
    _reading("list_tasks", "List the tasks that keep bars up to date.", NoParameters, "tasks", Shape.LIST),
    _reading(
        "get_task_status",
        "Show how a task's last run stands, and what all its runs did.",
        TaskChoice,
        "tasks/{task_name}/status",
    ),
    _writing("trigger_task", "Start one task now.", TriggerTaskQuery, "tasks/trigger", in_query=True),
    _writing(
        "trigger_all_tasks", "Start every task now.", TriggerTasksQuery, "tasks/trigger-all", in_query=True
    ),
    _reading("get_maintenance_log", "List runs of tasks, newest first.", MaintenanceQuery, "maintenance/log"),
)

NODE_TOOLS = (*_NODES, *_SYNCS, *_TASKS)
"""In the order of the DMS pages' sections."""
