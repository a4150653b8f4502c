"""Log rows of executions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from markethub.api.access import OpenHub, needs
from markethub.api.openapi import document_errors
from markethub.control.logs import LogLine
from markethub.services import logs
from markethub.wire.logs import Log, LogList, LogQuery
from markethub.wire.pagination import Pagination

router = APIRouter(prefix="/api/v1", tags=["logs"])


@router.get(
    "/logs",
    summary="List log rows",
    dependencies=[Depends(needs("read:logs"))],
    responses=document_errors(401, 403, 422, 503),
)
async def list_logs(hub: OpenHub, query: Annotated[LogQuery, Query()]) -> LogList:
    """What executions logged, oldest first. Scope `read:logs`."""
    page = await logs.list_logs(
        hub,
        job_id=query.job_id,
        level=query.level,
        search=query.search,
        limit=query.limit,
        offset=query.offset,
        before_ms=query.before,
        after_ms=query.after,
        order_desc=query.order_desc,
    )
    return LogList(
        data=[show_log(row) for row in page.rows],
        pagination=Pagination.of(total=page.total, limit=page.limit, offset=page.offset),
    )


def show_log(row: LogLine) -> Log:
    """A line as every answer shows it."""
    return Log(
        id=str(row.id),
        timestamp=row.timestamp_ms,
        level=row.level,
        message=row.message,
        trace_id=row.trace_id,
        job_id=None if row.job_id is None else str(row.job_id),
        execution_id=None if row.execution_id is None else str(row.execution_id),
        worker_id=row.worker_id,
    )
