"""Executions in the order of their ids, page by page: an order that nothing moves while it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.execution_tally import DAY_MS, TalliedFilter, count_by_day
from markethub.control.executions import SHOWN_EXECUTIONS, read_search
from markethub.control.listing import check_search
from markethub.control.schema import execution, started_or_created
from markethub.control.timed_pages import TimedList, count_between
from markethub.control.values import decode_object

ExportedRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """Which executions an export holds: those that match, as of its beginning."""

    rows: TalliedFilter
    after_ms: int | None
    before_ms: int | None
    last_id: int
    total: int


async def begin_export(
    connection: AsyncConnection,
    *,
    job_id: int | None,
    search: str | None,
    after_ms: int | None,
    before_ms: int | None,
) -> Export:
    """An export of what ``list_executions`` would list, and how many that are; what comes later is not in."""
    either = None
    if search:
        either = await read_search(connection, check_search(search), with_names=job_id is None)
    rows = TalliedFilter(job_id, either)
    counts = await count_by_day(connection, rows)
    listed = TimedList(
        SHOWN_EXECUTIONS, started_or_created, execution.c.id, rows.of_executions(), DAY_MS, counts
    )
    total = await count_between(connection, listed, after_ms, before_ms)
    last_id: int = (await connection.execute(select(func.coalesce(func.max(execution.c.id), 0)))).scalar_one()
    return Export(rows, after_ms, before_ms, last_id, total)


async def read_page(
    connection: AsyncConnection, export: Export, after_id: int, limit: int
) -> list[ExportedRow]:
    """The first executions behind ``after_id``; fewer than ``limit`` are the last ones."""
    where = [execution.c.id > after_id, execution.c.id <= export.last_id, *export.rows.of_executions()]
    if export.after_ms is not None:
        where.append(started_or_created >= export.after_ms)
    if export.before_ms is not None:
        where.append(started_or_created < export.before_ms)
    statement = select(execution).where(*where).order_by(execution.c.id).limit(limit)
    return [export_execution(row) for row in await connection.execute(statement)]


def export_execution(row: Row[Any]) -> ExportedRow:
    """A row of the table ``execution`` with the names and values that the API gives it; times in ms."""
    return {
        "id": str(row.id),
        "job_id": str(row.job_id),
        "job_name": row.job_name,
        "status": row.status,
        "started_at": row.started_ms,
        "completed_at": row.completed_ms,
        "duration_ms": row.duration_ms,
        "result": None if row.result is None else decode_object(row.result),
        "error": row.error,
        "trace_id": row.trace_id,
        "worker_id": row.worker_id,
        "parameters_snapshot": decode_object(row.parameters),
        "created_at": row.created_ms,
    }
