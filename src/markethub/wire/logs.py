"""Log rows of jobs. Source: decisions, "Jobs, executions and logs"."""

from markethub.wire.model import AnswerModel, RequestModel, SearchText, Text
from markethub.wire.pagination import Limit, Offset, Pagination
from markethub.wire.times import AnswerTime, OptionalRequestTime


class LogQuery(RequestModel):
    """Which log rows to list, oldest first; ``job_id`` takes a trace id, a job's name or an id."""

    job_id: Text | None = None
    level: Text | None = None
    search: SearchText | None = None
    limit: Limit = 50
    offset: Offset = 0
    before: OptionalRequestTime = None
    after: OptionalRequestTime = None
    order_desc: bool = False


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
