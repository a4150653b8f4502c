"""Schedulers die by SIGKILL between any two steps; no due run is lost, none is stored twice."""

import asyncio
import itertools
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from sqlalchemy import select

from markethub.control.database import Database
from markethub.control.jobs import JobSpec, ensure_jobs, get_job
from markethub.control.schedules import set_next_run
from markethub.control.schema import execution, log
from tests.engine.scheduler_child import fast_clock

_ROOT = Path(__file__).parents[2]
_MINUTE_MS = 60_000


async def start(url: str) -> Process:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.engine.scheduler_child", url, stdout=PIPE, cwd=_ROOT
    )
    await looks(child, 1)
    return child


async def looks(child: Process, count: int) -> None:
    assert child.stdout is not None
    for _ in range(count):
        assert await asyncio.wait_for(child.stdout.readline(), 60) == b"looked\n"


async def kill(child: Process) -> None:
    assert child.stdout is not None
    child.kill()
    await child.stdout.read()
    await child.wait()


async def test_killed_schedulers_lose_nothing(database: Database, database_url: str) -> None:
    minutely = JobSpec(
        "minutely", "kline", "backfill", "", schedule_type="interval", interval_seconds=60,
        max_instances=10**6, misfire_grace_seconds=10**8,
    )  # fmt: skip
    first_ms = fast_clock() // _MINUTE_MS * _MINUTE_MS
    async with database.begin() as connection:
        ids = await ensure_jobs(connection, [minutely], 1)
        await set_next_run(connection, ids["minutely"], first_ms)
    chance = random.Random(7)
    survivor, victim = await asyncio.gather(start(database_url), start(database_url))
    for _ in range(4):
        await looks(victim, chance.randrange(1, 4))
        await asyncio.sleep(chance.uniform(0, 0.02))  # not between two looks only
        await kill(victim)
        victim, survivor = survivor, await start(database_url)
    await asyncio.gather(kill(victim), kill(survivor))
    async with database.read() as connection:
        statement = select(execution.c.id, execution.c.due_ms).order_by(execution.c.due_ms)
        rows = (await connection.execute(statement)).all()
        told = set((await connection.execute(select(log.c.execution_id))).scalars())
        next_ms = (await get_job(connection, "minutely")).next_run_ms
    due = [row.due_ms for row in rows]
    assert due[0] == first_ms
    assert {after - before for before, after in itertools.pairwise(due)} == {_MINUTE_MS}
    assert next_ms == due[-1] + _MINUTE_MS
    assert told == {row.id for row in rows}
    assert len(due) > 10
