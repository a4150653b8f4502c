"""What jobs did over time."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from markethub.api.access import OpenHub, needs
from markethub.api.openapi import document_errors
from markethub.services import statistics
from markethub.wire.model import Text
from markethub.wire.statistics import JobStatistics, StatisticsQuery

router = APIRouter(prefix="/api/v1", tags=["jobs"])


@router.get(
    "/jobs/{job_id}/statistics",
    summary="Add up one job's executions",
    dependencies=[Depends(needs("read:jobs"))],
    responses=document_errors(401, 403, 404, 422, 503),
)
async def get_job_statistics(
    hub: OpenHub,
    job_id: Annotated[Text, Path(description="a job's name or numeric id", examples=["sync_klines_1h"])],
    query: Annotated[StatisticsQuery, Query()],
) -> JobStatistics:
    """Runs, results, average duration and rows of one job. Scope `read:jobs`.

    Executions whose rows were cleaned up count as well.
    """
    found = await statistics.job_statistics(hub, job_id, query.since, query.until)
    totals = found.totals
    return JobStatistics(
        job_id=found.job_name,
        since=found.since_ms,
        until=found.until_ms,
        total_runs=totals.runs,
        success_count=totals.successes,
        failed_count=totals.failures,
        timeout_count=totals.timeouts,
        avg_duration_ms=totals.average_duration_ms,
        processed=totals.processed,
        inserted=totals.inserted,
        updated=totals.updated,
    )
