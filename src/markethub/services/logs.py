"""Read logs."""

from markethub.control import logs
from markethub.control.logs import LogLine
from markethub.services.hub import Hub
from markethub.services.page import Page


async def list_logs(
    hub: Hub,
    *,
    job_id: str | None = None,
    level: str | None = None,
    search: str | None = None,
    limit: int = 50,
    offset: int = 0,
    before_ms: int | None = None,
    after_ms: int | None = None,
    order_desc: bool = False,
) -> Page[LogLine]:
    """Log rows, oldest first unless ``order_desc``; ``job_id`` is a trace id, a job's name or an id."""
    async with hub.database.read() as connection:
        rows, total = await logs.list_logs(
            connection,
            job_id=job_id,
            level=level,
            search=search,
            limit=limit,
            offset=offset,
            before_ms=before_ms,
            after_ms=after_ms,
            order_desc=order_desc,
        )
    return Page(rows, total, limit, offset)
