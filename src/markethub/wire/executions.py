"""Runs of jobs. Source: jobs_api, "All executions"."""

from typing import Annotated, Any, Literal

from pydantic import Field

from markethub.domain.execution import ChunkStatus, ExecutionStatus
from markethub.wire.model import AnswerModel, RequestModel, SearchText, Text
from markethub.wire.pagination import Descending, Limit, Offset, Pagination
from markethub.wire.times import LATER, AnswerTime, OptionalRequestTime


class Execution(AnswerModel):
    """One run of a job; ids are strings as the contract has them, times are null until they happen."""

    id: str
    job_id: str
    job_name: str
    status: ExecutionStatus
    started_at: AnswerTime | None
    completed_at: AnswerTime | None
    duration_ms: int | None
    result: dict[str, Any] | None
    error: str | None
    trace_id: str
    worker_id: str | None
    parameters_snapshot: dict[str, Any]
    created_at: AnswerTime


class ExecutionQuery(RequestModel):
    """Which executions to list; ``search`` matches name and status, ``after``/``before`` are half-open."""

    search: Annotated[
        SearchText | None,
        Field(description="part of a job's name or a status, or a word for statuses", examples=["failed"]),
    ] = None
    limit: Limit = 50
    offset: Offset = 0
    order_by: Annotated[
        Text,
        Field(description="a field of the answer", json_schema_extra={"enum": [*Execution.model_fields]}),
    ] = "started_at"
    order_desc: Descending = True
    before: Annotated[OptionalRequestTime, Field(description="begun before this", examples=[LATER])] = None
    after: Annotated[OptionalRequestTime, Field(description="begun at this time or later")] = None


ExportFormat = Literal["jsonl", "parquet"]


class ExecutionExportQuery(RequestModel):
    """Which executions to export, and how to write them; without ``format`` the Accept header decides."""

    job_id: Annotated[
        Text | None, Field(description="only of this job, by name or numeric id", examples=["sync_klines_1h"])
    ] = None
    search: Annotated[
        SearchText | None,
        Field(description="part of a job's name or a status, or a word for statuses", examples=["failed"]),
    ] = None
    before: Annotated[OptionalRequestTime, Field(description="begun before this", examples=[LATER])] = None
    after: Annotated[OptionalRequestTime, Field(description="begun at this time or later")] = None
    format: Annotated[
        ExportFormat | None,
        Field(description="how to write them; the `Accept` header decides when left out", examples=["jsonl"]),
    ] = None


class ExecutionList(AnswerModel):
    """A page of executions."""

    data: list[Execution]
    pagination: Pagination


class ChunkQuery(RequestModel):
    """Which chunks of an execution to show, by key."""

    status: Annotated[ChunkStatus | None, Field(description="only chunks in this status")] = None
    limit: Limit = 50
    offset: Offset = 0


class ChunkProgress(AnswerModel):
    """How many units of work an execution was planned into, and how many are in which status.

    One that was cancelled or overdue has dropped those that had not ended: they count in ``total`` alone.
    """

    total: int
    pending: int
    running: int
    done: int
    failed: int


class Chunk(AnswerModel):
    """One unit of work; ``attempts`` are the tries that have ended, ``error`` what the last of them met."""

    key: str
    status: ChunkStatus
    attempts: int
    error: str | None


class ChunkList(AnswerModel):
    """A page of chunks, by key."""

    data: list[Chunk]
    pagination: Pagination


class ExecutionDetail(Execution):
    """One execution with its progress; ``counters`` are the sums so far of what its chunks did.

    ``retry_of`` is the id of the execution that it runs again.
    """

    retry_of: str | None
    chunks: ChunkProgress
    counters: dict[str, int]
    chunk_list: ChunkList
