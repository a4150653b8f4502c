"""Jobs. Source: jobs_api, "Job list" and "One job"."""

from typing import Any

from markethub.wire.model import AnswerModel, RequestModel, SearchText, Text
from markethub.wire.pagination import Limit, Offset, Pagination
from markethub.wire.times import AnswerTime


class JobQuery(RequestModel):
    """Which jobs to list; ``search`` matches name, type and category."""

    search: SearchText | None = None
    limit: Limit = 50
    offset: Offset = 0
    order_by: Text = "name"
    order_desc: bool = False


class Job(AnswerModel):
    """One job; its ``id`` is its name, as the contract has it.

    ``schedule`` is a cron expression where ``schedule_type`` is ``cron``, ``interval_seconds`` is set where
    it is ``interval``; all three are null for a job that runs on request only.
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


class JobList(AnswerModel):
    """A page of jobs."""

    data: list[Job]
    pagination: Pagination
