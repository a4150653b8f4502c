"""Executions as the jobs API shows them: insert, get, list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.execution_tally import DAY_MS, TalliedFilter, count_by_day
from markethub.control.listing import check_search, contains, fetch_page, ordering
from markethub.control.schema import execution, job, started_or_created
from markethub.control.timed_pages import TimedList, count_between, fetch_timed_page
from markethub.control.values import decode_object, is_storable
from markethub.domain.errors import NotFoundError
from markethub.domain.execution import ExecutionStatus

SEARCH_WORDS = {
    "queued": ExecutionStatus.PENDING,
    "running": ExecutionStatus.RUNNING,
    "completed": ExecutionStatus.SUCCESS,
    "success": ExecutionStatus.SUCCESS,
    "failed": ExecutionStatus.FAILURE,
    "timeout": ExecutionStatus.TIMEOUT,
}
"""Words that ``search`` takes for a status, beside its own spelling."""

_TIME_FIELD = "started_at"

ORDER_FIELDS: dict[str, ColumnElement[Any]] = {
    "id": execution.c.id,
    "job_id": execution.c.job_id,
    "job_name": execution.c.job_name,
    "status": execution.c.status,
    "started_at": started_or_created,
    "completed_at": execution.c.completed_ms,
    "duration_ms": execution.c.duration_ms,
    "result": execution.c.result,
    "error": execution.c.error,
    "trace_id": execution.c.trace_id,
    "worker_id": execution.c.worker_id,
    "parameters_snapshot": execution.c.parameters,
    "created_at": execution.c.created_ms,
}
"""What ``order_by`` takes; ``started_at`` counts a queued execution with its creation time."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One stored execution.

    ``chunks_*`` and ``counters`` are its progress so far, ``result`` is there once it is final. Times in ms;
    ``started_ms`` is when planning first began, ``duration_ms`` runs from there. ``retry_of`` is the id of
    the execution whose parameters it runs again.
    """

    id: int
    job_id: int
    job_name: str
    status: ExecutionStatus
    priority: int
    parameters: Mapping[str, Any]
    trace_id: str
    timeout_ms: int | None
    created_ms: int
    started_ms: int | None
    completed_ms: int | None
    duration_ms: int | None
    deadline_ms: int | None
    worker_id: str | None
    chunks_total: int
    chunks_done: int
    chunks_failed: int
    counters: Mapping[str, int]
    result: Mapping[str, Any] | None
    error: str | None
    retry_of: int | None


@dataclass(frozen=True, slots=True)
class QueuedExecution:
    """What is stored of an execution that has not begun; ``parameters`` is a JSON object's text."""

    job_id: int
    job_name: str
    handler: str
    parameters: str
    trace_id: str
    priority: int
    timeout_ms: int | None
    retry_of: int | None = None
    due_ms: int | None = None


SHOWN_EXECUTIONS = select(*(execution.c[name] for name in Execution.__dataclass_fields__))
"""What an Execution is made of."""


async def insert_executions(
    connection: AsyncConnection, queued: Sequence[QueuedExecution], now_ms: int
) -> list[int]:
    """Store executions as PENDING; return their ids in the order given.

    ConflictError on a taken trace id, and where a due moment of a job has its execution already.
    """
    if not queued:
        return []
    rows = [
        {
            "job_id": one.job_id,
            "job_name": one.job_name,
            "handler": one.handler,
            "due_ms": one.due_ms,
            "status": ExecutionStatus.PENDING.value,
            "priority": one.priority,
            "parameters": one.parameters,
            "trace_id": one.trace_id,
            "timeout_ms": one.timeout_ms,
            "created_ms": now_ms,
            "claims": 0,
            "attempts": 0,
            "crashes": 0,
            "not_before_ms": now_ms,
            "chunks_total": 0,
            "chunks_done": 0,
            "chunks_failed": 0,
            "counters": "{}",
            "retry_of": one.retry_of,
        }
        for one in queued
    ]
    statement = insert(execution).returning(execution.c.id, sort_by_parameter_order=True)
    return list((await connection.execute(statement, rows)).scalars())


async def get_execution(connection: AsyncConnection, execution_id: int) -> Execution:
    """The execution as it stands, with its progress; NotFoundError if there is none."""
    row = (await connection.execute(SHOWN_EXECUTIONS.where(execution.c.id == execution_id))).one_or_none()
    if row is None:
        raise NotFoundError(f"Execution not found: {execution_id}")
    return execution_of(row)


async def find_by_trace(connection: AsyncConnection, trace_id: str) -> Execution | None:
    """The execution of that trace id, or None."""
    if not is_storable(trace_id):
        return None
    row = (await connection.execute(SHOWN_EXECUTIONS.where(execution.c.trace_id == trace_id))).one_or_none()
    return None if row is None else execution_of(row)


async def list_executions(
    connection: AsyncConnection,
    *,
    job_id: int | None = None,
    search: str | None = None,
    before_ms: int | None = None,
    after_ms: int | None = None,
    order_by: str = "started_at",
    order_desc: bool = True,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[Execution], int]:
    """One window of the matching executions, and how many match.

    ``search`` finds a part of the status in any case, the words of SEARCH_WORDS, and without ``job_id``
    also a part of the job's name.
    ``after_ms <= started < before_ms``, where a queued one counts with its creation time.
    """
    either = None
    if search:
        either = await read_search(connection, check_search(search), with_names=job_id is None)
    rows = TalliedFilter(job_id, either)
    where = rows.of_executions()
    order = ordering(ORDER_FIELDS, order_by, descending=order_desc, tie=execution.c.id)
    counts = await count_by_day(connection, rows)
    listed = TimedList(SHOWN_EXECUTIONS, started_or_created, execution.c.id, where, DAY_MS, counts)
    if order_by == _TIME_FIELD:
        found, total = await fetch_timed_page(
            connection,
            listed,
            after_ms=after_ms,
            before_ms=before_ms,
            limit=limit,
            offset=offset,
            order_desc=order_desc,
        )
    else:
        total = await count_between(connection, listed, after_ms, before_ms)
        where += [] if after_ms is None else [started_or_created >= after_ms]
        where += [] if before_ms is None else [started_or_created < before_ms]
        found, total = await fetch_page(
            connection, SHOWN_EXECUTIONS, where=where, order=order, limit=limit, offset=offset, total=total
        )
    return [execution_of(row) for row in found], total


async def read_search(
    connection: AsyncConnection, search: str, *, with_names: bool
) -> tuple[frozenset[ExecutionStatus], frozenset[int]]:
    """The statuses and the jobs that a search text stands for, as a TalliedFilter takes them.

    There are few of them, beside the executions; and equalities are what indexes answer.
    """
    word = SEARCH_WORDS.get(search.strip().lower())
    statuses = frozenset(status for status in ExecutionStatus if search.upper() in status or status == word)
    if not with_names:
        return statuses, frozenset()
    named = await connection.execute(select(job.c.id).where(contains(job.c.name, search)))
    return statuses, frozenset(named.scalars())


def execution_of(row: Row[Any]) -> Execution:
    """The execution that a row of SHOWN_EXECUTIONS holds."""
    values = row._asdict()
    values["status"] = ExecutionStatus(row.status)
    values["parameters"] = decode_object(row.parameters)
    values["counters"] = decode_object(row.counters)
    values["result"] = None if row.result is None else decode_object(row.result)
    return Execution(**values)
