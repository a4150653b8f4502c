"""How a request becomes a stored execution: row, answer, audit and first log line in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.audit import insert_audit
from markethub.control.database import Database
from markethub.control.executions import QueuedExecution, insert_executions
from markethub.control.jobs import job_keys
from markethub.control.logs import NewLogLine, insert_logs
from markethub.control.request_keys import insert_answer
from markethub.control.values import encode_object, is_storable
from markethub.domain.errors import InputError
from markethub.engine.handler import NewExecution
from markethub.engine.news import announce_work
from markethub.engine.worklog import WorkContext, new_line

_MAX_PRIORITY = 1_000_000


@dataclass(frozen=True, slots=True)
class Queued:
    """Executions that this transaction stores, in the order asked, and their first log lines; true once it
    is committed."""

    ids: list[int]
    lines: list[NewLogLine]


async def queue_executions(
    database: Database, connection: AsyncConnection, requests: Sequence[NewExecution], now_ms: int
) -> Queued:
    """Store requests within the caller's transaction, and tell all engines once it commits.

    Raises:
        NotFoundError: no such job.
        ConflictError: a trace id, a request key, or a job's due moment is taken.
        InputError: parameters are not JSON, or a number is out of range.
    """
    if not requests:
        return Queued([], [])
    texts = [check_request(request) for request in requests]
    jobs = await job_keys(connection, {request.job_name for request in requests})
    queued = [
        QueuedExecution(
            job_id=jobs[request.job_name].id,
            job_name=request.job_name,
            handler=jobs[request.job_name].handler,
            due_ms=request.due_ms,
            parameters=text,
            trace_id=request.trace_id,
            priority=request.priority,
            timeout_ms=None if request.timeout_s is None else max(1, round(request.timeout_s * 1000)),
            retry_of=request.retry_of,
        )
        for request, text in zip(requests, texts, strict=True)
    ]
    ids = await insert_executions(connection, queued, now_ms)
    await _keep_answers(connection, requests, ids, now_ms)
    await _note_acts(connection, requests, ids, now_ms)
    lines = [
        new_line(
            WorkContext(request.trace_id, jobs[request.job_name].id, execution_id, None),
            "INFO",
            request.message,
            now_ms,
        )
        for request, execution_id in zip(requests, ids, strict=True)
    ]
    await insert_logs(connection, lines)
    await announce_work(database, connection)
    return Queued(ids, lines)


def check_request(request: NewExecution) -> str:
    """The parameters as JSON text, once every field is known to be storable; InputError otherwise."""
    if not is_storable(request.trace_id):
        raise InputError(f"trace_id {request.trace_id!r} holds a character that cannot be stored")
    if abs(request.priority) > _MAX_PRIORITY:
        raise InputError(f"priority {request.priority} is not within ±{_MAX_PRIORITY}")
    if request.timeout_s is not None and not 0 < request.timeout_s <= 10**9:
        raise InputError(f"timeout_s {request.timeout_s} is not between 0 and 1000000000")
    return encode_object(request.parameters, "parameters")


async def _keep_answers(
    connection: AsyncConnection, requests: Sequence[NewExecution], ids: Sequence[int], now_ms: int
) -> None:
    for request, execution_id in zip(requests, ids, strict=True):
        if (name := request.request_key) is not None:
            await insert_answer(
                connection,
                name,
                execution_id=execution_id,
                trace_id=request.trace_id,
                message=request.message,
                now_ms=now_ms,
            )


async def _note_acts(
    connection: AsyncConnection, requests: Sequence[NewExecution], ids: Sequence[int], now_ms: int
) -> None:
    for request, execution_id in zip(requests, ids, strict=True):
        if request.act is not None:
            told = {
                "execution_id": execution_id,
                "job_name": request.job_name,
                "message": request.message,
                "parameters": request.parameters,
            }
            await insert_audit(connection, request.act, request.trace_id, told, now_ms)
