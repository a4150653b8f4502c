"""What jobs did over time."""

from dataclasses import dataclass

from markethub.control.execution_tally import DAY_MS
from markethub.control.jobs import get_job
from markethub.control.statistics import JobTotals, sum_statistics
from markethub.domain.errors import InputError
from markethub.domain.times import format_time, parse_time
from markethub.services.hub import Hub

_LAST_MS = parse_time("9999-12-31T23:59:59.999Z")  # the day after it cannot be written


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """The sums of one job over the UTC days ``[since_ms, until_ms)``; None where there is no bound."""

    job_name: str
    since_ms: int | None
    until_ms: int | None
    totals: JobTotals


async def job_statistics(
    hub: Hub, job_id: str, since_ms: int | None = None, until_ms: int | None = None
) -> JobStatistics:
    """Add up what ended from the day of ``since_ms`` on, on days that begin before ``until_ms``.

    Executions whose rows are gone count as well. NotFoundError where there is no such job.
    """
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise InputError(f"since {format_time(since_ms)} must be before until {format_time(until_ms)}")
    since_ms = None if since_ms is None else since_ms - since_ms % DAY_MS
    until_ms = None if until_ms is None else min(-(-until_ms // DAY_MS) * DAY_MS, _LAST_MS)
    async with hub.database.read() as connection:
        found = await get_job(connection, job_id)
        totals = await sum_statistics(connection, found.id, since_ms=since_ms, until_ms=until_ms)
    return JobStatistics(found.name, since_ms, until_ms, totals)
