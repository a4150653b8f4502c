"""Log rows of jobs. Source: decisions, "Jobs, executions and logs"."""

from typing import Annotated

from pydantic import Field

from markethub.wire.model import AnswerModel, RequestModel, SearchText, Text
from markethub.wire.pagination import Limit, Offset, Pagination
from markethub.wire.times import LATER, AnswerTime, OptionalRequestTime

_LEVELS = {"enum": ["DEBUG", "INFO", "WARNING", "ERROR"]}


class LogQuery(RequestModel):
    """Which log rows to list, oldest first; ``job_id`` takes a trace id, a job's name or an id."""

    job_id: Annotated[
        Text | None,
        Field(
            description="a trace id, a job's name or an id",
            examples=["backfill_kline_a1b2c3d4", "sync_klines_1h"],
        ),
    ] = None
    level: Annotated[
        Text | None,
        Field(description="one level, in any case", examples=["WARNING"], json_schema_extra=_LEVELS),
    ] = None
    search: Annotated[
        SearchText | None, Field(description="part of a message", examples=["Connection timeout"])
    ] = None
    limit: Limit = 50
    offset: Offset = 0
    before: Annotated[OptionalRequestTime, Field(description="logged before this", examples=[LATER])] = None
    after: Annotated[OptionalRequestTime, Field(description="logged at this time or later")] = None
    order_desc: Annotated[bool, Field(description="the newest first")] = False


class Log(AnswerModel):
    """One line of a job's log."""

    id: str
    timestamp: AnswerTime
    level: str
    message: str
    trace_id: str | None
    job_id: str | None
    execution_id: str | None
    worker_id: str | None


class LogList(AnswerModel):
    """A page of log rows."""

    data: list[Log]
    pagination: Pagination
