"""How the nodes of the group are."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from markethub.api.access import OpenHub
from markethub.api.dms.gate import needs_dms, needs_role
from markethub.api.openapi import document_dms_errors
from markethub.domain.node import Role
from markethub.services import dms_nodes
from markethub.services.dms_nodes import NodeReport
from markethub.services.hub import Hub
from markethub.wire.dms import MasterNode, NodeList, NodeStatus, Slave, SlaveNode, SlaveStatus
from markethub.wire.model import Text

router = APIRouter(prefix="/api/dms", tags=["dms"])

SlaveName = Annotated[Text, Path(description="a name of `[[slaves]]`", examples=["backup1"])]


@router.get(
    "/status",
    summary="Show this node",
    dependencies=[Depends(needs_dms("read:dms"))],
    responses=document_dms_errors(403),
)
async def show_node_status(hub: OpenHub) -> NodeStatus:
    """Role, uptime and tasks of the node that answers. Scope `read:dms`."""
    return _status(await dms_nodes.read_status(hub))


@router.get(
    "/nodes",
    summary="List the nodes of the group",
    dependencies=[Depends(needs_dms("read:dms"))],
    responses=document_dms_errors(403),
)
async def list_nodes(hub: OpenHub) -> NodeList:
    """A master lists itself and all its slaves, a slave its master and itself. Scope `read:dms`.

    All are asked side by side; one that does not answer within `node.status_timeout_s` is `offline`.
    """
    reports = await dms_nodes.list_nodes(hub)
    return NodeList(
        nodes=[_node(hub, report) for report in reports],
        total_nodes=len(reports),
        online_nodes=sum(report.state == "running" for report in reports),
    )


@router.get(
    "/slaves",
    summary="List the slaves",
    dependencies=[Depends(needs_dms("read:dms")), Depends(needs_role(Role.MASTER))],
    responses=document_dms_errors(403),
)
async def list_slaves(hub: OpenHub) -> list[Slave]:
    """The slaves of the configuration; on a master only. Scope `read:dms`. Nobody is asked."""
    return [
        Slave(
            name=slave.address.name,
            host=slave.address.host,
            port=slave.address.port,
            enabled=slave.enabled,
        )
        for slave in dms_nodes.list_slaves(hub)
    ]


@router.get(
    "/slaves/{slave_name}/status",
    summary="Ask one slave how it is",
    dependencies=[Depends(needs_dms("read:dms")), Depends(needs_role(Role.MASTER))],
    responses=document_dms_errors(400, 403, 404),
)
async def show_slave_status(hub: OpenHub, slave_name: SlaveName) -> SlaveStatus:
    """What one slave tells of itself just now; on a master only. Scope `read:dms`.

    One that does not answer within `node.status_timeout_s` is `offline`, and `error` says why.
    """
    report = await dms_nodes.read_slave_status(hub, slave_name)
    return SlaveStatus(
        name=report.address.name,
        role=report.role.value,
        host=report.address.host,
        port=report.address.port,
        status=report.state,
        uptime=None if report.status is None else report.status.uptime_s,
        epoch=None if report.status is None else report.status.epoch,
        error=report.error,
    )


@router.get(
    "/master/status",
    summary="Ask the master how it is",
    dependencies=[Depends(needs_dms("read:dms")), Depends(needs_role(Role.SLAVE))],
    responses=document_dms_errors(403),
)
async def show_master_status(hub: OpenHub) -> NodeStatus:
    """What the master tells of itself just now; on a slave only. Scope `read:dms`.

    503 while it does not answer.
    """
    return _status(await dms_nodes.read_master_status(hub))


def _status(status: dms_nodes.NodeStatus) -> NodeStatus:
    return NodeStatus(
        role=status.role.value,
        running=status.is_running,
        uptime=status.uptime_s,
        tasks_count=status.tasks_count,
        name=status.name,
        epoch=status.epoch,
        fenced=status.is_fenced,
    )


def _node(hub: Hub, report: NodeReport) -> MasterNode | SlaveNode:
    address, status, lag = report.address, report.status, report.lag
    uptime = None if status is None else status.uptime_s
    epoch = None if status is None else status.epoch
    if report.role is Role.MASTER:
        return MasterNode(
            name=address.name,
            host=address.host,
            port=address.port,
            status=report.state,
            uptime=uptime,
            tasks_count=None if status is None else status.tasks_count,
            epoch=epoch,
            fenced=None if status is None else status.is_fenced,
            error=report.error,
        )
    last_ms = None if lag is None else lag.last_sync_ms
    return SlaveNode(
        name=address.name,
        host=address.host,
        port=address.port,
        status=report.state,
        uptime=uptime,
        last_sync=last_ms,
        sync_delay=None if last_ms is None else max(0, (hub.clock() - last_ms) // 1000),
        lag_seconds=None if lag is None else lag.seconds,
        lag_rows=None if lag is None else lag.rows,
        lag_revisions=None if lag is None else lag.revisions,
        last_verified=None if lag is None else lag.verified_ms,
        epoch=epoch,
        error=report.error,
    )
