"""Log lines of executions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.jobs import find_job
from markethub.control.listing import check_search, contains, fetch_page
from markethub.control.log_tally import HOUR_MS, TalliedFilter, count_by_hour
from markethub.control.schema import log
from markethub.control.timed_pages import TimedList, fetch_timed_page
from markethub.control.values import is_storable
from markethub.domain.errors import InputError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class NewLogLine:
    """A line about to be stored; ``message`` must be storable text. One of a job that tells why it has not
    run is of no execution."""

    timestamp_ms: int
    level: str
    message: str
    trace_id: str | None
    job_id: int
    execution_id: int | None
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
    if level is not None and level.upper() not in LEVELS:
        raise InputError(f"level {level[:20]!r} is not one of {', '.join(LEVELS)}")
    job, trace_id = await _read_subject(connection, job_id) if job_id else (None, None)
    lines = TalliedFilter(job, None if level is None else level.upper())
    if trace_id is None and not search:
        counts = await count_by_hour(connection, lines)
        listed = TimedList(select(log), log.c.timestamp_ms, log.c.id, lines.of_lines(), HOUR_MS, counts)
        rows, total = await fetch_timed_page(
            connection,
            listed,
            after_ms=after_ms,
            before_ms=before_ms,
            limit=limit,
            offset=offset,
            order_desc=order_desc,
        )
        return [LogLine(**row._asdict()) for row in rows], total
    where = lines.of_lines()
    if after_ms is not None:
        where.append(log.c.timestamp_ms >= after_ms)
    if before_ms is not None:
        where.append(log.c.timestamp_ms < before_ms)
    if trace_id is not None:
        where.append(log.c.trace_id == trace_id)
    if search:
        where.append(contains(log.c.message, check_search(search)))
    columns = (log.c.timestamp_ms, log.c.id)
    order = [column.desc() if order_desc else column.asc() for column in columns]
    rows, total = await fetch_page(
        connection, select(log), where=where, order=order, limit=limit, offset=offset
    )
    return [LogLine(**row._asdict()) for row in rows], total


async def newest_line(connection: AsyncConnection, execution_id: int) -> int:
    """The id of an execution's last line, 0 when it has none."""
    statement = select(func.max(log.c.id)).where(log.c.execution_id == execution_id)
    return (await connection.execute(statement)).scalar_one() or 0


async def lines_between(
    connection: AsyncConnection, execution_id: int, *, after_id: int, last_id: int, limit: int
) -> list[LogLine]:
    """An execution's first lines with ``after_id < id <= last_id``, in the order they were stored."""
    statement = (
        select(log)
        .where(log.c.execution_id == execution_id, log.c.id > after_id, log.c.id <= last_id)
        .order_by(log.c.id)
        .limit(limit)
    )
    return [LogLine(**row._asdict()) for row in await connection.execute(statement)]


async def _read_subject(connection: AsyncConnection, job_id: str) -> tuple[int | None, str | None]:
    """The number of the job that is meant, else the trace id."""
    if not is_storable(job_id):
        raise InputError("job_id holds a character that cannot be stored")
    job = await find_job(connection, job_id)
    return (None, job_id) if job is None else (job.id, None)
