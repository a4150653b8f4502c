"""What master and slave tell each other: news, reports, and wishes to compare."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from markethub.api.access import OpenHub
from markethub.api.bodies import json_body
from markethub.api.dms.gate import asking_node, needs_cluster, needs_role
from markethub.domain.node import Role
from markethub.services.dms_reports import following_of, queue_repair, take_report
from markethub.services.dms_verification import verify_own
from markethub.wire.dms_reports import Done, RepairBody, ReplicaReport, WaitBody

router = APIRouter(
    prefix="/api/dms/replication", include_in_schema=False, dependencies=[Depends(needs_cluster)]
)

_OF_SLAVES = [Depends(needs_role(Role.SLAVE))]


@router.post("/wake", summary="Tell a slave of news", dependencies=_OF_SLAVES)
async def wake_replica(hub: OpenHub) -> Done:
    """It pulls soon."""
    following_of(hub).wake()
    return Done()


@router.post("/sync", summary="Let a slave compare and repair", dependencies=_OF_SLAVES)
async def queue_replica_sync(
    hub: OpenHub, body: Annotated[RepairBody, Depends(json_body(RepairBody))]
) -> Done:
    """It pulls, and compares the symbol in the range; answered when that is queued."""
    queue_repair(hub, body.symbol, body.start_ms, body.end_ms)
    return Done()


@router.post("/verify", summary="Let a slave verify itself", dependencies=_OF_SLAVES)
async def verify_replica(
    hub: OpenHub, body: Annotated[WaitBody, Depends(json_body(WaitBody))]
) -> dict[str, Any]:
    """The verdict, or that it is not there yet after the time that the caller waits."""
    return asdict(await verify_own(hub, body.timeout_s))


@router.post(
    "/report", summary="Tell the master how a slave stands", dependencies=[Depends(needs_role(Role.MASTER))]
)
async def take_replica_report(
    hub: OpenHub, request: Request, body: Annotated[ReplicaReport, Depends(json_body(ReplicaReport))]
) -> Done:
    """Of slaves in the configuration only; 404 for others."""
    report = body.model_dump(mode="json")
    await take_report(hub, asking_node(request), report["state"], report["history"])
    return Done()
