"""The promotion of this node."""

from fastapi import APIRouter, Depends

from markethub.api.access import OpenHub
from markethub.api.dms.gate import needs_dms
from markethub.api.openapi import document_dms_errors
from markethub.services import promotion
from markethub.wire.dms_promotion import Promotion

router = APIRouter(prefix="/api/dms", tags=["dms"])


@router.post(
    "/promote",
    summary="Make this node the master",
    dependencies=[Depends(needs_dms("admin"))],
    responses=document_dms_errors(403, 409),
)
async def promote_node(hub: OpenHub) -> Promotion:
    """Begin a reign of this node, when the master of its group is lost. Scope `admin`.

    It stops following, and its engine and scheduler start. A former master that hears of the new epoch writes
    nothing from then on. 409 on a node that is the master already.
    """
    return Promotion(epoch=await promotion.promote_node(hub))
