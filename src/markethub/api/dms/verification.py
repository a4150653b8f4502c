"""Proof on demand that slaves hold what their master holds."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from markethub.api.access import OpenHub
from markethub.api.dms.gate import needs_dms
from markethub.api.openapi import document_dms_errors
from markethub.services.dms_verification import NodeVerification, verify_nodes
from markethub.wire.dms_verification import Verification, VerifiedNode, VerifyQuery

router = APIRouter(prefix="/api/dms", tags=["dms"])


@router.get(
    "/sync/verify",
    summary="Compare slaves with their master",
    dependencies=[Depends(needs_dms("write:dms"))],
    responses=document_dms_errors(400, 403, 404),
)
async def verify_sync(hub: OpenHub, query: Annotated[VerifyQuery, Query()]) -> Verification:
    """Compare all contents by digests, and repair what differs. Scope `write:dms`.

    A master asks one slave, or all side by side; a slave verifies itself. What the master changes meanwhile
    is no difference. 503 after `timeout_s`: the verification goes on.
    """
    found = await verify_nodes(hub, query.node, query.timeout_s)
    return Verification(nodes=[_node(one) for one in found.nodes], equal=found.is_equal)


def _node(found: NodeVerification) -> VerifiedNode:
    return VerifiedNode.model_validate(
        {
            "name": found.name,
            "status": found.status,
            "compared": found.compared,
            "repaired": list(found.repaired),
            "unsettled": list(found.unsettled),
            "revision": found.revision,
            "duration": found.duration_s,
            "error": found.error,
        }
    )
