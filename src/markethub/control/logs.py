"""Log lines of executions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.jobs import find_job
from markethub.control.listing import check_search, contains, fetch_page
from markethub.control.schema import log
from markethub.control.values import is_storable
from markethub.domain.errors import InputError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class NewLogLine:
    """A line about to be stored; ``message`` must be storable text."""

    timestamp_ms: int
    level: str
    message: str
    trace_id: str
    job_id: int
    execution_id: int
    worker_id: str | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A stored line; ``id`` orders lines of one millisecond as they were written."""

    id: int
    timestamp_ms: int
    level: str
    message: str
    trace_id: str | None
    job_id: int | None
    execution_id: int | None
    worker_id: str | None


async def insert_logs(connection: AsyncConnection, lines: Sequence[NewLogLine]) -> None:
    """Store lines in the order given."""
    if lines:
        await connection.execute(insert(log), [asdict(line) for line in lines])


async def list_logs(
    connection: AsyncConnection,
    *,
    job_id: str | None = None,
    level: str | None = None,
    search: str | None = None,
    before_ms: int | None = None,
    after_ms: int | None = None,
    order_desc: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[LogLine], int]:
    """One window of the matching lines by time, oldest first unless ``order_desc``, and how many match.

    ``job_id`` is a job's name, its numeric id, or else a trace id. ``level`` is one of LEVELS in any case;
    ``search`` finds a part of the message in any case; ``after_ms <= timestamp < before_ms``.
    """
    where: list[ColumnElement[bool]] = []
    if job_id:
        where.append(await _about(connection, job_id))
    if level is not None:
        if level.upper() not in LEVELS:
            raise InputError(f"level {level[:20]!r} is not one of {', '.join(LEVELS)}")
        where.append(log.c.level == level.upper())
    if search:
        where.append(contains(log.c.message, check_search(search)))
    if after_ms is not None:
        where.append(log.c.timestamp_ms >= after_ms)
    if before_ms is not None:
        where.append(log.c.timestamp_ms < before_ms)
    columns = (log.c.timestamp_ms, log.c.id)
    order = [column.desc() if order_desc else column.asc() for column in columns]
    rows, total = await fetch_page(
        connection, select(log), where=where, order=order, limit=limit, offset=offset
    )
    return [LogLine(**row._asdict()) for row in rows], total


async def _about(connection: AsyncConnection, job_id: str) -> ColumnElement[bool]:
    if not is_storable(job_id):
        raise InputError("job_id holds a character that cannot be stored")
    job = await find_job(connection, job_id)
    return log.c.trace_id == job_id if job is None else log.c.job_id == job.id
