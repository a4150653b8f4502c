"""Pages of ten million log lines, beside a plain count of what a page says there is in all."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.control_rows import FIRST_MS, LOG_SPAN_MS, control_urls, count_of, opened, write_lines
from benchmarks.report import Row
from benchmarks.rounds import quantile
from markethub.control.database import Database
from markethub.control.logs import list_logs

Ask = Callable[[AsyncConnection], Awaitable[object]]

_ROUNDS = 11
_TARGET_MS = 100.0
_HALF_MS = FIRST_MS + LOG_SPAN_MS // 2


def run() -> list[Row]:
    """Fill a database of each kind, and ask each for pages of 50 lines."""
    count = count_of("LINES", 10_000_000)
    with control_urls() as urls:
        return [row for name, url in urls.items() for row in asyncio.run(_measure(name, url, count))]


async def _measure(name: str, url: str, count: int) -> list[Row]:
    pages: Mapping[str, Ask] = {
        "the oldest": list_logs,
        "the newest": partial(list_logs, order_desc=True),
        "from the middle": partial(list_logs, offset=count // 2),
        "errors": partial(list_logs, level="error"),
        "one job": partial(list_logs, job_id="job_3", order_desc=True),
        "one job's errors": partial(list_logs, job_id="job_3", level="error"),
        "one execution": partial(list_logs, job_id="job_3_2"),
        "the older half, from its middle": partial(list_logs, before_ms=_HALF_MS, offset=count // 4),
    }
    async with opened(url) as database:
        await write_lines(database, count)
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
    (await connection.execute(text("SELECT count(*) FROM log"))).scalar_one()
