"""Whether this process can serve."""

from fastapi import APIRouter, Response

from markethub.api.access import OpenHub
from markethub.api.openapi import document_errors
from markethub.services.health import check_health
from markethub.wire.health import HealthReport

router = APIRouter()


@router.get(
    "/healthz",
    tags=["operations"],
    summary="Health",
    responses={
        **document_errors(),
        503: {"model": HealthReport, "description": "Not ready; `problems` says why."},
    },
)
async def show_health(hub: OpenHub, response: Response) -> HealthReport:
    """Ask the store and the control database one question each; needs no token."""
    health = await check_health(hub)
    if not health.ready:
        response.status_code = 503
    return HealthReport(ready=health.ready, problems=health.problems)
