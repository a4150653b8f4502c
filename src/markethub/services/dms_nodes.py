"""How the nodes of the group are: this one from its own knowledge, the others as they answer just now."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from markethub.domain.errors import NotFoundError, ReplicationError, UnavailableError
from markethub.domain.node import NodeAddress, Role
from markethub.replication.node import SlaveNode
from markethub.services.dms_lag import ReplicaLag, replica_lags
from markethub.services.dms_tasks import count_tasks
from markethub.services.hub import Hub

STATUS_PATH = "/api/dms/status"

NodeState = Literal["running", "offline", "disabled"]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What a node tells of itself. ``is_fenced``: it is a master that was replaced, and writes nothing."""

    name: str
    role: Role
    is_running: bool
    uptime_s: int
    tasks_count: int
    epoch: int
    is_fenced: bool


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node as it is seen from here.

    ``status`` is None where it was not asked or did not answer; ``error`` says why it did not, or what its
    last run of replication failed for. ``role`` is the one that it told, else the one that the configuration
    expects. ``lag`` is None for masters, and where nobody knows it.
    """

    address: NodeAddress
    role: Role
    state: NodeState
    status: NodeStatus | None
    error: str | None
    lag: ReplicaLag | None = None


async def read_status(hub: Hub) -> NodeStatus:
    """How this node is; asks nobody."""
    node = hub.node
    return NodeStatus(
        name=node.name,
        role=node.role,
        is_running=True,
        uptime_s=max(0, (hub.clock() - node.started_ms) // 1000),
        tasks_count=await count_tasks(hub),
        epoch=node.reign.epoch,
        is_fenced=node.reign.fenced_by is not None,
    )


async def list_nodes(hub: Hub) -> list[NodeReport]:
    """A master before its slaves in the configuration's order, a slave after its master; asked side by side.

    Whoever does not answer within the node's ``status_timeout_s`` is offline.
    """
    own, lags = await asyncio.gather(read_status(hub), replica_lags(hub))
    here = NodeAddress(hub.node.name, hub.node.host, hub.node.port)
    myself = NodeReport(here, own.role, "running", own, None)
    if own.role is Role.MASTER:
        reports = (_report_slave(hub, slave, lags) for slave in list_slaves(hub))
        return [myself, *await asyncio.gather(*reports)]
    lag = lags.get(here.name)
    myself = NodeReport(here, own.role, "running", own, None if lag is None else lag.error, lag)
    if hub.node.master is None:
        return [myself]
    return [await _report_node(hub, hub.node.master, Role.MASTER), myself]


def list_slaves(hub: Hub) -> list[SlaveNode]:
    """Who may follow this node, in the configuration's order, disabled ones too."""
    return list(hub.node.slaves.values())


def find_slave(hub: Hub, name: str) -> SlaveNode:
    """The slave of that name; NotFoundError lists those that there are."""
    slave = hub.node.slaves.get(name)
    if slave is None:
        known = ", ".join(hub.node.slaves) or "none in the configuration"
        raise NotFoundError(f"Slave not found: {name[:64]}; there are {known}")
    return slave


async def read_slave_status(hub: Hub, name: str) -> NodeReport:
    """How one slave is, asked just now unless it is disabled; NotFoundError if there is none."""
    return await _report_slave(hub, find_slave(hub, name), {})


async def read_master_status(hub: Hub) -> NodeStatus:
    """How the master that this slave follows is; UnavailableError while it does not answer."""
    if hub.node.master is None:
        raise UnavailableError("the configuration names no [master] that this slave could ask")
    return await ask_status(hub, hub.node.master)


async def ask_status(hub: Hub, node: NodeAddress, *, patience: int = 1) -> NodeStatus:
    """Ask ``node`` how it is, for at most ``status_timeout_s``, ``patience`` times as long.

    UnavailableError where it does not answer; ReplicationError where it refuses, or tells nonsense.
    """
    if hub.node.link is None:
        raise UnavailableError("no [node] cluster_token is set, so this node asks no other")
    answer = await hub.node.link.ask(node, "GET", STATUS_PATH, timeout_s=patience * hub.node.status_timeout_s)
    try:
        return _parse_status(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise ReplicationError(f"{node.name} at {node.url} answers {STATUS_PATH} with no status") from error


async def _report_slave(hub: Hub, slave: SlaveNode, lags: Mapping[str, ReplicaLag]) -> NodeReport:
    lag = lags.get(slave.address.name)
    if not slave.enabled:
        return NodeReport(slave.address, Role.SLAVE, "disabled", None, None, lag)
    return await _report_node(hub, slave.address, Role.SLAVE, lag)


async def _report_node(
    hub: Hub, address: NodeAddress, expected: Role, lag: ReplicaLag | None = None
) -> NodeReport:
    try:
        status = await ask_status(hub, address)
    except (UnavailableError, ReplicationError) as error:
        return NodeReport(address, expected, "offline", None, str(error), lag)
    error_of_run = None if lag is None else lag.error
    return NodeReport(address, status.role, "running", status, error_of_run, lag)


def _parse_status(answer: Any) -> NodeStatus:  # noqa: ANN401 - JSON of another node
    return NodeStatus(
        name=str(answer["name"]),
        role=Role(answer["role"]),
        is_running=bool(answer["running"]),
        uptime_s=int(answer["uptime"]),
        tasks_count=int(answer["tasks_count"]),
        epoch=int(answer["epoch"]),
        is_fenced=bool(answer["fenced"]),
    )
