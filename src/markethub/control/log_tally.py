"""How many log lines there are, by hour, without counting them.

Lines are tallied some time after they were stored, by id: what stands behind the mark is still counted one by
one. So storing a line writes no counter, and no two workers ever wait for one.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    bindparam,
    cast,
    delete,
    func,
    literal,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import log, log_mark, log_tally

HOUR_MS = 3_600_000

_HOUR_OF_LINE = log.c.timestamp_ms - log.c.timestamp_ms % HOUR_MS
_JOB_OF_LINE = func.coalesce(log.c.job_id, 0)
_LOCK_PATIENCE_MS = 200


@dataclass(frozen=True, slots=True)
class TalliedFilter:
    """Lines of one job, of one level, or both; of all without either."""

    job_id: int | None = None
    level: str | None = None

    def of_lines(self) -> list[ColumnElement[bool]]:
        """As conditions on lines."""
        return _equal((log.c.job_id, self.job_id), (log.c.level, self.level))

    def of_newest_lines(self) -> list[ColumnElement[bool]]:
        """As conditions on lines that keep planners from any index but that of the ids."""
        return _equal((log.c.job_id + 0, self.job_id), (log.c.level.concat(""), self.level))

    def of_tally(self) -> list[ColumnElement[bool]]:
        """As conditions on the tally."""
        return _equal((log_tally.c.job_id, self.job_id), (log_tally.c.level, self.level))


async def count_by_hour(connection: AsyncConnection, lines: TalliedFilter) -> Counter[int]:
    """How many of these lines there are, by the hour of their time; exactly those stored now."""
    tallied = (
        select(
            log_tally.c.hour_ms, cast(func.sum(log_tally.c.lines), BigInteger), literal(0, type_=BigInteger)
        )
        .where(*lines.of_tally())
        .group_by(log_tally.c.hour_ms)
    )
    seen = await _read_mark(connection)
    while True:
        behind = (
            # As a value: with the mark as a subquery PostgreSQL expects a third of the table, and reads all.
            select(_HOUR_OF_LINE, func.count(), literal(0))
            .where(log.c.id > seen, *lines.of_newest_lines())
            .group_by(_HOUR_OF_LINE)
        )
        mark = select(literal(0), literal(0), log_mark.c.tallied_id)
        counts: Counter[int] = Counter()
        now = seen
        for hour_ms, count, tallied_id in await connection.execute(union_all(tallied, behind, mark)):
            counts[hour_ms] += count
            now = max(now, tallied_id)
        if now == seen:
            return +counts
        seen = now  # PostgreSQL reads anew with each statement, and the mark has moved between the two


async def count_waiting_lines(connection: AsyncConnection) -> int:
    """About how many lines stand behind the mark; ids that no line got are counted with them."""
    newest = select(func.coalesce(func.max(log.c.id), 0)).scalar_subquery()
    statement = select(newest - log_mark.c.tallied_id)
    waiting: int = (await connection.execute(statement)).scalar_one()
    return waiting


async def find_settled_id(connection: AsyncConnection) -> int:
    """The newest line's id, when no line with a smaller one can appear any more; in a transaction of its own.

    UnavailableError where PostgreSQL's writers of lines do not pause in a moment: ask again later.
    """
    if connection.dialect.name == "postgresql":
        # Its ids are given before the commit. Whoever has one holds the table's lock for writers.
        await connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_PATIENCE_MS}"))
        await connection.execute(text("LOCK TABLE log IN SHARE MODE"))
    return await _read_newest(connection)


async def tally_lines(connection: AsyncConnection, settled_id: int, most: int) -> bool:
    """Move the mark over at most ``most`` ids, up to ``settled_id``; whether lines are left behind it."""
    tallied_id = await lock_mark(connection)
    # SQLite gives the ids of the newest lines again once those are deleted: no mark may lie beyond them.
    settled_id = min(settled_id, await _read_newest(connection))
    end_id = min(settled_id, tallied_id + most)
    if end_id <= tallied_id:
        return False
    lines = (
        select(_HOUR_OF_LINE, _JOB_OF_LINE, log.c.level, func.count())
        .where(log.c.id > tallied_id, log.c.id <= end_id)
        .group_by(_HOUR_OF_LINE, _JOB_OF_LINE, log.c.level)
    )
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(log_tally).from_select(["hour_ms", "job_id", "level", "lines"], lines)
    await connection.execute(
        insert.on_conflict_do_update(
            index_elements=["hour_ms", "job_id", "level"],
            set_={"lines": log_tally.c.lines + insert.excluded.lines},
        )
    )
    await connection.execute(update(log_mark).values(tallied_id=end_id))
    return end_id < settled_id


async def lock_mark(connection: AsyncConnection) -> int:
    """Keep the mark where it is until the transaction ends; return the last id before it."""
    mark: int = (await connection.execute(select(log_mark.c.tallied_id).with_for_update())).scalar_one()
    return mark


async def subtract_lines(connection: AsyncConnection, deleted: Iterable[tuple[int, int | None, str]]) -> None:
    """Take tallied lines (time, job, level), just deleted, out again; to be called under ``lock_mark``."""
    await connection.execute(
        update(log_mark)
        .where(log_mark.c.tallied_id > await _read_newest(connection))
        .values(tallied_id=select(func.coalesce(func.max(log.c.id), 0)).scalar_subquery())
    )
    counts = Counter((time_ms - time_ms % HOUR_MS, job_id or 0, level) for time_ms, job_id, level in deleted)
    if not counts:
        return
    places = (
        log_tally.c.hour_ms == bindparam("of_hour"),
        log_tally.c.job_id == bindparam("of_job"),
        log_tally.c.level == bindparam("of_level"),
    )
    await connection.execute(
        update(log_tally).where(*places).values(lines=log_tally.c.lines - bindparam("less")),
        [
            {"of_hour": hour_ms, "of_job": job_id, "of_level": level, "less": count}
            for (hour_ms, job_id, level), count in sorted(counts.items())
        ],
    )


async def drop_empty_hours(connection: AsyncConnection, before_ms: int) -> None:
    """Forget the hours before ``before_ms`` of which nothing is left; to be called under ``lock_mark``."""
    old = log_tally.c.hour_ms < before_ms - HOUR_MS
    await connection.execute(delete(log_tally).where(old, log_tally.c.lines == 0))


async def _read_newest(connection: AsyncConnection) -> int:
    newest: int = (await connection.execute(select(func.coalesce(func.max(log.c.id), 0)))).scalar_one()
    return newest


async def _read_mark(connection: AsyncConnection) -> int:
    mark: int = (await connection.execute(select(log_mark.c.tallied_id))).scalar_one()
    return mark


def _equal(*pairs: tuple[ColumnElement[int] | ColumnElement[str], object]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in pairs if value is not None]
