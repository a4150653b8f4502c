"""Old rows of the tables that grow with use: which they are, and how they are deleted.

Rows go in small transactions, so that workers and schedulers never wait long; a deletion that is cut off goes
on with the next one. Executions that have not ended are never touched.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Row, Select, and_, delete, false, or_, select

from markethub.control.database import Database
from markethub.control.execution_export import ExportedRow, export_execution
from markethub.control.execution_tally import RowKey, add_rows, drop_empty_days
from markethub.control.log_tally import drop_empty_hours, lock_mark, subtract_lines
from markethub.control.schema import audit, chunk, execution, log, started_or_created
from markethub.control.values import decode_object
from markethub.domain.execution import ExecutionStatus

_EXECUTIONS_AT_ONCE = 200
_CHUNKS_AT_ONCE = 2_000
_LINES_AT_ONCE = 2_000

Ids = Sequence[int]


class Place(NamedTuple):
    """A row's place in the order of time."""

    time_ms: int
    id: int


@dataclass(frozen=True, slots=True)
class Expiry:
    """What may go: rows of before ``before_ms``, and all up to ``last``, it included."""

    before_ms: int | None
    last: Place | None

    def conditions(
        self, time: ColumnElement[int], number: ColumnElement[int], aged: ColumnElement[int]
    ) -> list[ColumnElement[bool]]:
        """As conditions on a table; ``aged`` is the time that ``before_ms`` means, never before ``time``."""
        either: list[ColumnElement[bool]] = []
        ends_ms = []
        if self.before_ms is not None:
            either.append(aged < self.before_ms)
            ends_ms.append(self.before_ms)
        if self.last is not None:
            last_ms, last_id = self.last
            either.append(or_(time < last_ms, and_(time == last_ms, number <= last_id)))
            ends_ms.append(last_ms + 1)
        # The first is what an index answers: without it the search for what is left would read all rows.
        return [time < max(ends_ms, default=0), or_(false(), *either)]


class Cleaned(Protocol):
    """Rows that a cleanup deletes."""

    async def find_last(self, max_count: int) -> Place | None:
        """The newest row that goes when the newest ``max_count`` stay; None when there are no more."""
        ...

    async def find(self, expiry: Expiry, limit: int) -> list[int]:
        """Ids of the oldest rows that may go, ``limit`` at most; none when nothing is left to do."""
        ...

    async def read(self, ids: Ids) -> Mapping[str, Sequence[ExportedRow]]:
        """What an export keeps of these rows, by what it is."""
        ...

    async def delete(self, ids: Ids) -> Mapping[str, int]:
        """Delete these rows, and tell how many of what; those that are gone already count as nothing."""
        ...

    async def tidy(self, before_ms: int) -> None:
        """Drop what only counted rows of before then that are all gone."""
        ...


@dataclass(frozen=True, slots=True)
class CleanedExecutions:
    """Ended executions, by the time of their end, with their chunks; the newest are those that began last."""

    database: Database

    async def find_last(self, max_count: int) -> Place | None:
        """As Cleaned.find_last."""
        return await _find_last(self.database, started_or_created, execution.c.id, max_count)

    async def find(self, expiry: Expiry, limit: int) -> list[int]:
        """As Cleaned.find."""
        where = expiry.conditions(started_or_created, execution.c.id, execution.c.completed_ms)
        where.append(execution.c.completed_ms.is_not(None))
        return await _find_oldest(self.database, where, started_or_created, execution.c.id, limit)

    async def read(self, ids: Ids) -> Mapping[str, Sequence[ExportedRow]]:
        """As Cleaned.read: ``executions`` as the API shows them, and their ``chunks``."""
        statement = select(execution).where(execution.c.id.in_(ids)).order_by(execution.c.id)
        of_them = (
            select(chunk, execution.c.trace_id)
            .join_from(chunk, execution)
            .where(chunk.c.execution_id.in_(ids))
            .order_by(chunk.c.execution_id, chunk.c.id)
        )
        async with self.database.read() as connection:
            executions = [export_execution(row) for row in await connection.execute(statement)]
            chunks = [_export_chunk(row) for row in await connection.execute(of_them)]
        return {"executions": executions, "chunks": chunks}

    async def delete(self, ids: Ids) -> Mapping[str, int]:
        """As Cleaned.delete: ``executions`` and ``chunks``."""
        deleted: Counter[str] = Counter()
        for start in range(0, len(ids), _EXECUTIONS_AT_ONCE):
            some = sorted(ids[start : start + _EXECUTIONS_AT_ONCE])
            chunks = select(chunk.c.id).where(chunk.c.execution_id.in_(some))
            while (gone := await self._delete_chunks(chunks)) > 0:
                deleted["chunks"] += gone
            deleted["executions"] += await self._delete_executions(some)
        return deleted

    async def tidy(self, before_ms: int) -> None:
        """As Cleaned.tidy."""
        async with self.database.begin() as connection:
            await drop_empty_days(connection, before_ms)

    async def _delete_chunks(self, chunks: Select[tuple[int]]) -> int:
        async with self.database.begin() as connection:
            some = chunks.limit(_CHUNKS_AT_ONCE).scalar_subquery()
            return (await connection.execute(delete(chunk).where(chunk.c.id.in_(some)))).rowcount

    async def _delete_executions(self, ids: Ids) -> int:
        listed_ms = started_or_created.label("listed_ms")
        async with self.database.begin() as connection:
            rows = await connection.execute(
                delete(execution)
                .where(execution.c.id.in_(ids), execution.c.completed_ms.is_not(None))
                .returning(execution.c.job_id, execution.c.status, listed_ms)
            )
            gone = Counter(RowKey.of(row.job_id, ExecutionStatus(row.status), row.listed_ms) for row in rows)
            await add_rows(connection, {key: -count for key, count in gone.items()})
        return gone.total()


@dataclass(frozen=True, slots=True)
class CleanedLines:
    """Log lines, by their time."""

    database: Database

    async def find_last(self, max_count: int) -> Place | None:
        """As Cleaned.find_last."""
        return await _find_last(self.database, log.c.timestamp_ms, log.c.id, max_count)

    async def find(self, expiry: Expiry, limit: int) -> list[int]:
        """As Cleaned.find."""
        where = expiry.conditions(log.c.timestamp_ms, log.c.id, log.c.timestamp_ms)
        return await _find_oldest(self.database, where, log.c.timestamp_ms, log.c.id, limit)

    async def read(self, ids: Ids) -> Mapping[str, Sequence[ExportedRow]]:
        """As Cleaned.read: ``logs`` as the API shows them."""
        statement = select(log).where(log.c.id.in_(ids)).order_by(log.c.timestamp_ms, log.c.id)
        async with self.database.read() as connection:
            return {"logs": [_export_line(row) for row in await connection.execute(statement)]}

    async def delete(self, ids: Ids) -> Mapping[str, int]:
        """As Cleaned.delete: ``logs``."""
        deleted = 0
        for start in range(0, len(ids), _LINES_AT_ONCE):
            deleted += await self._delete(ids[start : start + _LINES_AT_ONCE])
        return {"logs": deleted}

    async def tidy(self, before_ms: int) -> None:
        """As Cleaned.tidy."""
        async with self.database.begin() as connection:
            await lock_mark(connection)
            await drop_empty_hours(connection, before_ms)

    async def _delete(self, ids: Ids) -> int:
        async with self.database.begin() as connection:
            tallied_id = await lock_mark(connection)
            rows = (
                await connection.execute(
                    delete(log)
                    .where(log.c.id.in_(ids))
                    .returning(log.c.id, log.c.timestamp_ms, log.c.job_id, log.c.level)
                )
            ).all()
            tallied = ((row.timestamp_ms, row.job_id, row.level) for row in rows if row.id <= tallied_id)
            await subtract_lines(connection, tallied)
        return len(rows)


@dataclass(frozen=True, slots=True)
class CleanedAudit:
    """What was written down about changes, by its time."""

    database: Database

    async def find_last(self, max_count: int) -> Place | None:
        """As Cleaned.find_last."""
        return await _find_last(self.database, audit.c.at_ms, audit.c.id, max_count)

    async def find(self, expiry: Expiry, limit: int) -> list[int]:
        """As Cleaned.find."""
        where = expiry.conditions(audit.c.at_ms, audit.c.id, audit.c.at_ms)
        return await _find_oldest(self.database, where, audit.c.at_ms, audit.c.id, limit)

    async def read(self, ids: Ids) -> Mapping[str, Sequence[ExportedRow]]:
        """As Cleaned.read: ``audit``."""
        statement = select(audit).where(audit.c.id.in_(ids)).order_by(audit.c.at_ms, audit.c.id)
        async with self.database.read() as connection:
            return {"audit": [_export_act(row) for row in await connection.execute(statement)]}

    async def delete(self, ids: Ids) -> Mapping[str, int]:
        """As Cleaned.delete: ``audit``."""
        deleted = 0
        for start in range(0, len(ids), _LINES_AT_ONCE):
            some = ids[start : start + _LINES_AT_ONCE]
            async with self.database.begin() as connection:
                deleted += (await connection.execute(delete(audit).where(audit.c.id.in_(some)))).rowcount
        return {"audit": deleted}

    async def tidy(self, before_ms: int) -> None:
        """As Cleaned.tidy: nothing counts these rows."""


async def _find_last(
    database: Database, time: ColumnElement[int], number: ColumnElement[int], max_count: int
) -> Place | None:
    # Not by the tallies: what cannot be undone shall not hang on a sum.
    statement = select(time, number).order_by(time.desc(), number.desc()).offset(max_count).limit(1)
    async with database.read() as connection:
        row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Place(*row)


async def _find_oldest(
    database: Database,
    where: Sequence[ColumnElement[bool]],
    time: ColumnElement[int],
    number: ColumnElement[int],
    limit: int,
) -> list[int]:
    statement = select(number).where(*where).order_by(time, number).limit(limit)
    async with database.read() as connection:
        return list((await connection.execute(statement)).scalars())


def _export_chunk(row: Row[Any]) -> ExportedRow:
    return {
        "execution_id": str(row.execution_id),
        "trace_id": row.trace_id,
        "key": row.key,
        "status": row.status,
        "attempts": row.attempts,
        "error": row.error,
        "parameters": decode_object(row.parameters),
        "finished_at": row.finished_ms,
    }


def _export_line(row: Row[Any]) -> ExportedRow:
    return {
        "id": str(row.id),
        "timestamp": row.timestamp_ms,
        "level": row.level,
        "message": row.message,
        "trace_id": row.trace_id,
        "job_id": None if row.job_id is None else str(row.job_id),
        "execution_id": None if row.execution_id is None else str(row.execution_id),
        "worker_id": row.worker_id,
    }


def _export_act(row: Row[Any]) -> ExportedRow:
    return {
        "id": str(row.id),
        "at": row.at_ms,
        "token_id": None if row.token_id is None else str(row.token_id),
        "token_name": row.token_name,
        "address": row.address,
        "action": row.action,
        "target": row.target,
        "details": decode_object(row.details),
    }
