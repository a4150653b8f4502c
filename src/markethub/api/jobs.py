"""The jobs and their histories; which jobs there are is the configuration's business."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from markethub.api.access import OpenHub, needs
from markethub.api.executions import FIRST_EXECUTION_LINKS, show_executions
from markethub.api.openapi import document_errors, document_links
from markethub.services import jobs
from markethub.services.jobs import Job as JobRow
from markethub.wire.executions import ExecutionList, ExecutionQuery
from markethub.wire.jobs import Job, JobList, JobQuery
from markethub.wire.model import Text
from markethub.wire.pagination import Pagination

router = APIRouter(prefix="/api/v1", tags=["jobs"])

_JobId = Annotated[Text, Path(description="a job's name or numeric id", examples=["sync_klines_1h"])]


@router.get(
    "/jobs",
    summary="List jobs",
    dependencies=[Depends(needs("read:jobs"))],
    responses={
        200: document_links(get_job__job_id="data/0/id", get_job_executions__job_id="data/0/id"),
        **document_errors(401, 403, 422, 503),
    },
)
async def list_jobs(hub: OpenHub, query: Annotated[JobQuery, Query()]) -> JobList:
    """The jobs, by name unless asked otherwise. Scope `read:jobs`.

    `search` is part of a job's name, type or category.
    """
    page = await jobs.list_jobs(
        hub,
        search=query.search,
        limit=query.limit,
        offset=query.offset,
        order_by=query.order_by,
        order_desc=query.order_desc,
    )
    return JobList(
        data=[_job(row) for row in page.rows],
        pagination=Pagination.of(total=page.total, limit=page.limit, offset=page.offset),
    )


@router.get(
    "/jobs/{job_id}",
    summary="Show one job",
    dependencies=[Depends(needs("read:jobs"))],
    responses=document_errors(401, 403, 404, 422, 503),
)
async def get_job(hub: OpenHub, job_id: _JobId) -> Job:
    """One job by its name or numeric id. Scope `read:jobs`."""
    return _job(await jobs.get_job(hub, job_id))


@router.get(
    "/jobs/{job_id}/executions",
    summary="List one job's executions",
    dependencies=[Depends(needs("read:jobs"))],
    responses={200: FIRST_EXECUTION_LINKS, **document_errors(401, 403, 404, 422, 503)},
)
async def get_job_executions(
    hub: OpenHub, job_id: _JobId, query: Annotated[ExecutionQuery, Query()]
) -> ExecutionList:
    """The history of one job, newest first. Scope `read:jobs`.

    `search` is part of a status, or one of the words queued, running, completed, success, failed, timeout.
    """
    page = await jobs.list_job_executions(
        hub,
        job_id,
        search=query.search,
        limit=query.limit,
        offset=query.offset,
        order_by=query.order_by,
        order_desc=query.order_desc,
        before_ms=query.before,
        after_ms=query.after,
    )
    return show_executions(page)


def _job(row: JobRow) -> Job:
    return Job(
        id=row.name,
        job_type=row.job_type,
        name=row.name,
        job_category=row.job_category,
        description=row.description,
        schedule_type=row.schedule_type,
        schedule=row.schedule,
        interval_seconds=row.interval_seconds,
        parameters=dict(row.parameters),
        timeout_seconds=row.timeout_seconds,
        max_instances=row.max_instances,
        enabled=row.is_active,
        last_run_at=row.last_run_ms,
        next_run_at=row.next_run_ms,
        created_at=row.created_ms,
        updated_at=row.updated_ms,
        time_zone=None if row.time_zone == "UTC" else row.time_zone,
        paused=row.paused,
    )
