"""Jobs. Source: jobs_api, "Job list" and "One job"."""

from typing import Annotated, Any

from pydantic import Field

from markethub.wire.model import AnswerModel, RequestModel, SearchText, Text
from markethub.wire.pagination import Descending, Limit, Offset, Pagination
from markethub.wire.times import AnswerTime


class Job(AnswerModel):
    """One job; its ``id`` is its name, as the contract has it.

    ``schedule`` is a cron expression where ``schedule_type`` is ``cron``, ``interval_seconds`` is set where
    it is ``interval``; all three are null for a job that runs on request only. The last two fields are not
    the contract's: they are there only where they say something.
    """

    id: str
    job_type: str
    name: str
    job_category: str
    description: str
    schedule_type: str | None
    schedule: str | None
    interval_seconds: int | None
    parameters: dict[str, Any]
    timeout_seconds: int | None
    max_instances: int
    enabled: bool
    last_run_at: AnswerTime | None
    next_run_at: AnswerTime | None
    created_at: AnswerTime
    updated_at: AnswerTime
    time_zone: Annotated[
        str | None,
        Field(description="of the schedule; left out where it is UTC", exclude_if=lambda zone: zone is None),
    ] = None
    paused: Annotated[
        bool,
        Field(
            description="an operator has paused it; left out where not", exclude_if=lambda paused: not paused
        ),
    ] = False


class JobQuery(RequestModel):
    """Which jobs to list; ``search`` matches name, type and category."""

    search: Annotated[
        SearchText | None, Field(description="part of a name, type or category", examples=["kline"])
    ] = None
    limit: Limit = 50
    offset: Offset = 0
    order_by: Annotated[
        Text, Field(description="a field of the answer", json_schema_extra={"enum": [*Job.model_fields]})
    ] = "name"
    order_desc: Descending = False


class JobList(AnswerModel):
    """A page of jobs."""

    data: list[Job]
    pagination: Pagination
