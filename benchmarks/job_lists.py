"""Pages of the jobs and of a million executions, beside a plain count of what a page says there is in all."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.control_rows import FIRST_MS, SPAN_MS, control_urls, count_of, opened, write_executions
from benchmarks.report import Row
from benchmarks.rounds import quantile
from markethub.control.database import Database
from markethub.control.executions import list_executions
from markethub.control.jobs import list_jobs

Ask = Callable[[AsyncConnection], Awaitable[object]]

_ROUNDS = 21
_TARGET_MS = 50.0
_HALF_MS = FIRST_MS + SPAN_MS // 2


def run() -> list[Row]:
    """Fill a database of each kind, and ask each for pages of 50 rows."""
    count = count_of("EXECUTIONS", 1_000_000)
    with control_urls() as urls:
        return [row for name, url in urls.items() for row in asyncio.run(_measure(name, url, count))]


async def _measure(name: str, url: str, count: int) -> list[Row]:
    pages: Mapping[str, Ask] = {
        "jobs": list_jobs,
        "executions, the newest": list_executions,
        "executions, from the middle": partial(list_executions, offset=count // 2),
        "executions, search=failed": partial(list_executions, search="failed"),
        "executions, search=job_1 (11 of 20 jobs)": partial(list_executions, search="job_1"),
        "executions of one job": partial(list_executions, job_id=3),
        "executions, the older half": partial(list_executions, before_ms=_HALF_MS),
        "executions, order_by=duration_ms (sorts all)": partial(list_executions, order_by="duration_ms"),
    }
    async with opened(url) as database:
        await write_executions(database, count)
        counting_ms = await _time_ms(database, _count_plainly)
        baseline = f"SELECT count(*), {name}"
        return [
            Row(f"{name}: page of {what}, p50", await _time_ms(database, ask), "ms", baseline, counting_ms)
            for what, ask in pages.items()
        ] + [Row(f"{name}: the target of a page", _TARGET_MS, "ms")]


async def _time_ms(database: Database, ask: Ask) -> float:
    samples = []
    for _ in range(_ROUNDS):
        began_s = time.perf_counter()
        async with database.read() as connection:
            await ask(connection)
        samples.append((time.perf_counter() - began_s) * 1000)
    return quantile(samples, 0.5)


async def _count_plainly(connection: AsyncConnection) -> None:
    (await connection.execute(text("SELECT count(*) FROM execution"))).scalar_one()
