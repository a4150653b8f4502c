"""What a job's ended executions did. Ours, beside the contract."""

from typing import Annotated

from pydantic import Field

from markethub.wire.model import AnswerModel, RequestModel
from markethub.wire.times import LATER, AnswerTime, OptionalRequestTime


class StatisticsQuery(RequestModel):
    """Which days to add up, by the UTC day on which an execution ended."""

    since: Annotated[OptionalRequestTime, Field(description="from the day of this time on")] = None
    until: Annotated[
        OptionalRequestTime, Field(description="days that begin before this time", examples=[LATER])
    ] = None


class JobStatistics(AnswerModel):
    """What a job's ended executions did, those whose rows were cleaned up among them.

    ``failed_count`` leaves out those that timed out. ``avg_duration_ms`` is over those that had begun, null
    without any. ``since`` and ``until`` are the bounds that were used, whole days, null where there was none.
    """

    job_id: str
    since: AnswerTime | None
    until: AnswerTime | None
    total_runs: int
    success_count: int
    failed_count: int
    timeout_count: int
    avg_duration_ms: float | None
    processed: int
    inserted: int
    updated: int
