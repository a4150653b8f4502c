"""Read who changed what."""

from markethub.control import audit
from markethub.control.audit import AuditRow
from markethub.services.hub import Hub
from markethub.services.page import Page


async def list_audit(
    hub: Hub,
    *,
    token: str | None = None,
    action: str | None = None,
    limit: int = 50,
    offset: int = 0,
    before_ms: int | None = None,
    after_ms: int | None = None,
    order_desc: bool = True,
) -> Page[AuditRow]:
    """Acts, newest first unless told otherwise; ``token`` is a token's id or name."""
    async with hub.database.read() as connection:
        rows, total = await audit.list_audit(
            connection,
            token=token,
            action=action,
            limit=limit,
            offset=offset,
            before_ms=before_ms,
            after_ms=after_ms,
            order_desc=order_desc,
        )
    return Page(rows, total, limit, offset)
