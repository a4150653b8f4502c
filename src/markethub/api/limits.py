"""What the exchanges allow, and what was used of it."""

from fastapi import APIRouter, Depends

from markethub.api.access import OpenHub, needs
from markethub.api.openapi import document_errors
from markethub.services.limits import BudgetReport, list_limits
from markethub.wire.limits import Limit, LimitList

router = APIRouter(prefix="/api/v1", tags=["operations"])


@router.get(
    "/limits",
    summary="Show what the exchanges allow",
    dependencies=[Depends(needs("read:jobs"))],
    responses=document_errors(401, 403, 503),
)
async def show_limits(hub: OpenHub) -> LimitList:
    """Each exchange's budgets: what was used, what waits, until when the exchange wants no request.

    Scope `read:jobs`. No exchange is asked.
    """
    return LimitList(data=[_limit(report) for report in list_limits(hub)])


def _limit(report: BudgetReport) -> Limit:
    limits = report.limits
    return Limit(
        exchange=report.exchange,
        budget=report.budget,
        used=limits.used,
        limit=limits.limit,
        window_seconds=limits.window_s,
        fleet_used=limits.fleet_used,
        waiting=limits.waiting,
        closed_until=limits.closed_until_ms,
        banned=limits.is_banned,
    )
