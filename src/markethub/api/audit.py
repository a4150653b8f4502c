"""Who changed what."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from markethub.api.access import OpenHub, needs
from markethub.api.openapi import document_errors
from markethub.control.audit import AuditRow
from markethub.services import audit
from markethub.wire.audit import AuditEntry, AuditList, AuditQuery
from markethub.wire.pagination import Pagination

router = APIRouter(prefix="/api/v1", tags=["operations"])


@router.get(
    "/audit",
    summary="List who changed what",
    dependencies=[Depends(needs("admin"))],
    responses=document_errors(401, 403, 422, 503),
)
async def list_audit(hub: OpenHub, query: Annotated[AuditQuery, Query()]) -> AuditList:
    """Every write, newest first: what was done to what, by which token, from which address. Scope `admin`.

    Each was stored with the change itself. What was refused is in the server's log.
    """
    page = await audit.list_audit(
        hub,
        token=query.token,
        action=query.action,
        limit=query.limit,
        offset=query.offset,
        before_ms=query.before,
        after_ms=query.after,
        order_desc=query.order_desc,
    )
    return AuditList(
        data=[_entry(row) for row in page.rows],
        pagination=Pagination.of(total=page.total, limit=page.limit, offset=page.offset),
    )


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=str(row.id),
        at=row.at_ms,
        token_id=None if row.token_id is None else str(row.token_id),
        token_name=row.token_name,
        address=row.address,
        action=row.action,
        target=row.target,
        details=dict(row.details),
    )
