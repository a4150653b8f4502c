"""How many executions are stored, by the day they began, without counting them.

The ended ones are tallied in the transactions that end and delete them; the others are few, and counted.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from sqlalchemy import BigInteger, ColumnElement, cast, delete, false, func, or_, select, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import execution, execution_tally, started_or_created
from markethub.domain.execution import ExecutionStatus

DAY_MS = 86_400_000


class RowKey(NamedTuple):
    """What ended executions are tallied by."""

    day_ms: int
    job_id: int
    status: str

    @classmethod
    def of(cls, job_id: int, status: ExecutionStatus, listed_ms: int) -> Self:
        """The key of one that lists show as begun at ``listed_ms``."""
        return cls(listed_ms - listed_ms % DAY_MS, job_id, status.value)


@dataclass(frozen=True, slots=True)
class TalliedFilter:
    """Executions of one job, and either in one of some statuses or of one of some jobs; None is no bound."""

    job_id: int | None = None
    either: tuple[frozenset[ExecutionStatus], frozenset[int]] | None = None

    def of_executions(self) -> list[ColumnElement[bool]]:
        """As conditions on executions."""
        return self._conditions(execution.c.job_id, execution.c.status)

    def of_unfinished(self) -> list[ColumnElement[bool]]:
        """As conditions on executions that keep planners from any index but the one of unfinished ones."""
        return self._conditions(execution.c.job_id + 0, execution.c.status.concat(""))

    def of_tally(self) -> list[ColumnElement[bool]]:
        """As conditions on the tally."""
        return self._conditions(execution_tally.c.job_id, execution_tally.c.status)

    def _conditions(
        self, job_id: ColumnElement[int], status: ColumnElement[str]
    ) -> list[ColumnElement[bool]]:
        where = [] if self.job_id is None else [job_id == self.job_id]
        if self.either is not None:
            statuses, job_ids = self.either
            # an empty list is no question for an index
            parts = [status.in_(sorted(statuses))] if statuses else []
            parts += [job_id.in_(sorted(job_ids))] if job_ids else []
            where.append(or_(false(), *parts))
        return where


async def add_rows(connection: AsyncConnection, added: Mapping[RowKey, int]) -> None:
    """Add to the tally, or take from it where a number is negative.

    All workers write the same few rows: in one order, and after every other lock of the transaction.
    """
    if not added:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(execution_tally)
    statement = insert.on_conflict_do_update(
        index_elements=["day_ms", "job_id", "status"],
        set_={"executions": execution_tally.c.executions + insert.excluded.executions},
    )
    for key in sorted(added):
        await connection.execute(statement, {**key._asdict(), "executions": added[key]})


async def drop_empty_days(connection: AsyncConnection, before_ms: int) -> None:
    """Forget the days of which nothing is left; none that ``before_ms`` lies in, or a later one."""
    old = execution_tally.c.day_ms < before_ms - before_ms % DAY_MS
    await connection.execute(delete(execution_tally).where(old, execution_tally.c.executions == 0))


async def count_by_day(connection: AsyncConnection, rows: TalliedFilter) -> Counter[int]:
    """How many of these executions are stored, by the day they began; exactly those of this moment.

    Its cost grows with the days and with the executions that have not ended, not with the history.
    """
    tally = execution_tally.c
    ended = (
        select(tally.day_ms, cast(func.sum(tally.executions), BigInteger))
        .where(*rows.of_tally())
        .group_by(tally.day_ms)
    )
    day_ms = started_or_created - started_or_created % DAY_MS
    unfinished = (
        select(day_ms, func.count())
        .where(execution.c.completed_ms.is_(None), *rows.of_unfinished())
        .group_by(day_ms)
    )
    counts: Counter[int] = Counter()
    # One statement: PostgreSQL reads anew with each, and an execution that ends between two would be in both.
    for day, count in await connection.execute(union_all(ended, unfinished)):
        counts[day] += count
    return +counts
