"""The history of executions, and their end or their repetition on demand."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from markethub.api.access import OpenHub, needs
from markethub.api.backfill import QUEUED_LINKS, show_queued
from markethub.api.openapi import document_errors, document_links
from markethub.services import executions
from markethub.services.executions import Execution as ExecutionRow
from markethub.services.page import Page
from markethub.wire.backfill import QueuedResponse
from markethub.wire.executions import (
    Chunk,
    ChunkList,
    ChunkProgress,
    ChunkQuery,
    Execution,
    ExecutionDetail,
    ExecutionList,
    ExecutionQuery,
)
from markethub.wire.model import Text
from markethub.wire.pagination import Pagination

router = APIRouter(prefix="/api/v1", tags=["executions"])

FIRST_EXECUTION_LINKS = document_links(
    get_execution__execution_id="data/0/id",
    follow_execution__execution_id="data/0/id",
    cancel_execution__execution_id="data/0/id",
    retry_execution__execution_id="data/0/id",
    list_logs__job_id="data/0/trace_id",
)
"""What can be done next with the first of a list."""

_ENDED_LINKS = document_links(
    get_execution__execution_id="id", retry_execution__execution_id="id", list_logs__job_id="trace_id"
)

ExecutionId = Annotated[Text, Path(description="an execution's id or trace id", examples=["12345"])]


@router.get(
    "/jobs/executions",
    summary="List executions",
    dependencies=[Depends(needs("read:jobs"))],
    responses={200: FIRST_EXECUTION_LINKS, **document_errors(401, 403, 422, 503)},
)
async def list_executions(hub: OpenHub, query: Annotated[ExecutionQuery, Query()]) -> ExecutionList:
    """The execution history, newest first. Scope `read:jobs`.

    `search` is part of a job's name or a status, or one of the words queued, running, completed, success,
    failed, timeout.
    """
    page = await executions.list_executions(
        hub,
        search=query.search,
        limit=query.limit,
        offset=query.offset,
        order_by=query.order_by,
        order_desc=query.order_desc,
        before_ms=query.before,
        after_ms=query.after,
    )
    return show_executions(page)


@router.get(
    "/executions/{execution_id}",
    summary="Show one execution",
    dependencies=[Depends(needs("read:jobs"))],
    responses=document_errors(401, 403, 404, 422, 503),
)
async def get_execution(
    hub: OpenHub, execution_id: ExecutionId, query: Annotated[ChunkQuery, Query()]
) -> ExecutionDetail:
    """One execution with its progress, and a page of its chunks. Scope `read:jobs`.

    `status`, `limit` and `offset` choose among the chunks.
    """
    found = await executions.show_progress(
        hub, execution_id, status=query.status, limit=query.limit, offset=query.offset
    )
    row, page = found.execution, found.chunks
    return ExecutionDetail(
        **execution_fields(row),
        retry_of=None if row.retry_of is None else str(row.retry_of),
        chunks=ChunkProgress(
            total=row.chunks_total, **{status.value.lower(): count for status, count in found.counts.items()}
        ),
        counters=dict(row.counters),
        chunk_list=ChunkList(
            data=[
                Chunk(key=one.key, status=one.status, attempts=one.attempts, error=one.error)
                for one in page.rows
            ],
            pagination=Pagination.of(total=page.total, limit=page.limit, offset=page.offset),
        ),
    )


@router.post(
    "/executions/{execution_id}/retry",
    summary="Retry an execution",
    dependencies=[Depends(needs("write:backfill"))],
    responses={200: QUEUED_LINKS, **document_errors(401, 403, 404, 409, 422, 503)},
)
async def retry_execution(hub: OpenHub, execution_id: ExecutionId) -> QueuedResponse:
    """Queue a new execution with the parameters of one that ended as FAILURE or TIMEOUT.

    It fetches what is missing, and its `retry_of` names the one it repeats. Scope `write:backfill`.
    """
    return show_queued(await executions.retry_execution(hub, execution_id))


@router.post(
    "/executions/{execution_id}/cancel",
    summary="Cancel an execution",
    dependencies=[Depends(needs("write:backfill"))],
    responses={200: _ENDED_LINKS, **document_errors(401, 403, 404, 409, 422, 503)},
)
async def cancel_execution(hub: OpenHub, execution_id: ExecutionId) -> Execution:
    """End an execution as FAILURE with the error `cancelled`; what it stored stays.

    Scope `write:backfill`.
    """
    row = await executions.cancel_execution(hub, execution_id)
    return Execution(**execution_fields(row))


def show_executions(page: Page[ExecutionRow]) -> ExecutionList:
    """A page of the history, as every list of executions shows it."""
    return ExecutionList(
        data=[Execution(**execution_fields(row)) for row in page.rows],
        pagination=Pagination.of(total=page.total, limit=page.limit, offset=page.offset),
    )


def execution_fields(row: ExecutionRow) -> dict[str, Any]:
    """The fields of an execution that every answer about one has."""
    return {
        "id": str(row.id),
        "job_id": str(row.job_id),
        "job_name": row.job_name,
        "status": row.status,
        "started_at": row.started_ms,
        "completed_at": row.completed_ms,
        "duration_ms": row.duration_ms,
        "result": row.result,
        "error": row.error,
        "trace_id": row.trace_id,
        "worker_id": row.worker_id,
        "parameters_snapshot": row.parameters,
        "created_at": row.created_ms,
    }
