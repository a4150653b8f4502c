"""What the ended executions of each job did, added up by the UTC day of their end.

The sums are written in the transactions that end executions, so they hold at every moment, and they outlive
the executions' rows.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.execution_tally import DAY_MS, RowKey, add_rows
from markethub.control.schema import job_statistics
from markethub.domain.execution import ExecutionStatus

_COUNTED_AS = {
    ExecutionStatus.SUCCESS: "successes",
    ExecutionStatus.FAILURE: "failures",
    ExecutionStatus.TIMEOUT: "timeouts",
}
_COUNTERS = ("processed", "inserted", "updated")
_KEYS = ("job_id", "day_ms")
_SUMS = tuple(column.name for column in job_statistics.columns if column.name not in _KEYS)


@dataclass(frozen=True, slots=True)
class EndedRun:
    """An execution that ends; it began at ``listed_ms`` as lists have it, ``duration_ms`` is None if it never
    did."""

    job_id: int
    status: ExecutionStatus
    listed_ms: int
    completed_ms: int
    duration_ms: int | None
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JobTotals:
    """What a job's ended executions did, those whose rows are gone among them; ``duration_ms`` is the sum
    over the ``begun_runs``: what was cancelled before it began has none."""

    runs: int
    successes: int
    failures: int
    timeouts: int
    begun_runs: int
    duration_ms: int
    processed: int
    inserted: int
    updated: int

    @property
    def average_duration_ms(self) -> float | None:
        """None where nothing has begun."""
        return self.duration_ms / self.begun_runs if self.begun_runs else None


async def add_ended_runs(connection: AsyncConnection, ended: Sequence[EndedRun]) -> None:
    """Add executions that end in this transaction.

    To be called once in a transaction, after every other lock it takes on executions and chunks: all workers
    write the same few rows, in one order, and hold them to the commit only.
    """
    sums: dict[tuple[int, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SUMS, 0))
    for run in ended:
        row = sums[run.job_id, _day_of(run.completed_ms)]
        for name in ("runs", _COUNTED_AS[run.status]):
            row[name] += 1
        if run.duration_ms is not None:
            row["begun_runs"] += 1
            row["duration_ms"] += run.duration_ms
        for name in _COUNTERS:
            row[name] += run.counters.get(name, 0)
    if not sums:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(job_statistics)
    statement = insert.on_conflict_do_update(
        index_elements=_KEYS, set_={name: job_statistics.c[name] + insert.excluded[name] for name in _SUMS}
    )
    for job_id, day_ms in sorted(sums):
        await connection.execute(statement, {"job_id": job_id, "day_ms": day_ms, **sums[job_id, day_ms]})
    await add_rows(connection, Counter(RowKey.of(run.job_id, run.status, run.listed_ms) for run in ended))


async def sum_statistics(
    connection: AsyncConnection, job_id: int, *, since_ms: int | None = None, until_ms: int | None = None
) -> JobTotals:
    """What a job's executions that ended on the UTC days from that of ``since_ms`` to that of ``until_ms``
    did; a day that ``until_ms`` begins is not among them."""
    statement = select(
        *(_whole(func.coalesce(func.sum(job_statistics.c[name]), 0)) for name in _TOTALS)
    ).where(job_statistics.c.job_id == job_id)
    if since_ms is not None:
        statement = statement.where(job_statistics.c.day_ms >= _day_of(since_ms))
    if until_ms is not None:
        statement = statement.where(job_statistics.c.day_ms < until_ms)
    return JobTotals(*(await connection.execute(statement)).one())


_TOTALS = tuple(JobTotals.__dataclass_fields__)


def _whole(value: Any) -> Any:  # noqa: ANN401 - any expression
    return cast(value, BigInteger)  # PostgreSQL sums up to NUMERIC


def _day_of(time_ms: int) -> int:
    return time_ms - time_ms % DAY_MS
