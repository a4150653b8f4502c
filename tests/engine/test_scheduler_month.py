"""Weeks on simulated clocks: two schedulers, downtimes, restarts, clocks set both ways, a change of hours.

What was run and what was left out is held against a model that knows all due moments from the start.
"""

import asyncio
import bisect
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import cache

import pytest
from sqlalchemy import select, update

from markethub.control.database import Database, open_database
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.control.logs import list_logs
from markethub.control.schedules import scheduled_jobs, set_next_run
from markethub.control.schema import execution
from markethub.domain.times import parse_time
from markethub.engine.engine import Engine
from markethub.engine.scheduler import Scheduler
from tests.bare_hub import StillClock
from tests.engine.calendar_model import cron_moments, interval_moments

# Clocks change on 8 March in America, on 29 March in Europe, on 5 April in Australia.
START_MS = parse_time("2026-03-06T10:20:30Z")
LATE_START_MS = parse_time("2026-03-25T10:20:30Z")
END_MS = parse_time("2026-04-06T12:00:00Z")
SLACK_MS = 3 * 86_400_000
MINUTE_MS = 60_000
TROUBLES = ("downtime", "restart", "forward", "back")

_CRON = JobSpec("", "kline", "backfill", "", schedule_type="cron")
_EVERY = JobSpec("", "kline", "backfill", "", schedule_type="interval")
JOBS = [
    replace(_CRON, name="three_hours", schedule="0 */3 * * *"),
    replace(_CRON, name="twice", schedule="20 6,18 * * *", time_zone="Europe/Berlin", catch_up=False),
    replace(_CRON, name="gap_time", schedule="30 2 * * *", time_zone="Europe/Berlin"),
    replace(_CRON, name="new_york", schedule="15,45 2 * * *", time_zone="America/New_York", max_instances=2),
    replace(_CRON, name="sydney", schedule="10 2 * * *", time_zone="Australia/Sydney", catch_up=False),
    replace(_CRON, name="workdays", schedule="0 9 * * MON-FRI", time_zone="Asia/Tokyo"),
    replace(_CRON, name="midnight", schedule="0 0 * * *", misfire_grace_seconds=0),
    replace(_CRON, name="monthly", schedule="0 6 1,15 * *", time_zone="America/New_York"),
    replace(_CRON, name="by_night", schedule="*/20 3 * * *", misfire_grace_seconds=1800),
    replace(_EVERY, name="eight_hours", interval_seconds=28_800),
    replace(_EVERY, name="odd", interval_seconds=20_431, misfire_grace_seconds=600, max_instances=3),
    replace(_EVERY, name="daily_no_catch_up", interval_seconds=86_400, catch_up=False),
]


@cache
def due_moments(name: str) -> list[int]:
    (spec,) = [spec for spec in JOBS if spec.name == name]
    start_ms, end_ms = START_MS - SLACK_MS, END_MS + 9 * SLACK_MS
    if spec.interval_seconds is not None:
        return interval_moments(spec.interval_seconds, start_ms, end_ms)
    assert spec.schedule is not None
    return cron_moments(spec.schedule, spec.time_zone or "UTC", start_ms, end_ms)


def run_length_ms(name: str, due_ms: int) -> int:
    """Most runs take a minute, some longer than until the next one."""
    chance = random.Random(f"{name} {due_ms}")
    return chance.choice([MINUTE_MS] * 6 + [30 * MINUTE_MS, 450 * MINUTE_MS])


@dataclass
class ModelJob:
    """What the policy says of one job."""

    spec: JobSpec
    moments: list[int]
    next_ms: int
    runs: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)

    def after(self, now_ms: int, steps: int = 1) -> int:
        return self.moments[bisect.bisect_right(self.moments, now_ms) + steps - 1]

    def look(self, now_ms: int, elapsed_ms: int) -> None:
        self.ends = [end_ms for end_ms in self.ends if end_ms > elapsed_ms]
        if self.next_ms > now_ms:
            if self.next_ms > self.after(now_ms, 2):
                self.told["set back"] += 1
                self.next_ms = self.after(now_ms)
            return
        first = bisect.bisect_left(self.moments, self.next_ms)
        due = self.moments[first : bisect.bisect_right(self.moments, now_ms)]
        self.next_ms = self.after(now_ms)
        grace_s = self.spec.misfire_grace_seconds
        grace_ms = 1000 * (60 if grace_s is None else grace_s)
        chosen = [ms for ms in due if now_ms - ms <= grace_ms]
        has_missed = len(chosen) < len(due)
        if not chosen and self.spec.catch_up:
            chosen = due[-1:]
        # one that has had its run stood for those before it then
        self.told["missed"] += has_missed and not (chosen and chosen[0] in self.runs)
        for ms in chosen:
            if ms in self.runs:
                continue
            if len(self.ends) >= self.spec.max_instances:
                self.told["left out"] += 1
            else:
                self.runs.append(ms)
                self.ends.append(elapsed_ms + run_length_ms(self.spec.name, ms))


class World:
    """Two processes' schedulers on one database, one clock, and what became of the runs so far."""

    def __init__(self, databases: list[Database], chance: random.Random, start_ms: int = START_MS) -> None:
        self.databases = databases
        self.chance = chance
        self.clock = StillClock(start_ms)
        self.elapsed_ms = 0
        self.ends: dict[int, int] = {}
        self.schedulers = [self._new_scheduler(database) for database in databases]

    def _new_scheduler(self, database: Database) -> Scheduler:
        return Scheduler(database, Engine(database, {}, clock=self.clock), self.clock)

    def restart(self) -> None:
        number = self.chance.randrange(len(self.databases))
        self.schedulers[number] = self._new_scheduler(self.databases[number])

    def pass_time(self, span_ms: int) -> None:
        self.elapsed_ms += span_ms
        self.clock.now_ms += span_ms

    async def look(self) -> int:
        """One looks, or both at once; return when something is due next."""
        await self._end_runs()
        looking = self.chance.sample(self.schedulers, self.chance.choice([1, 2]))
        told = await asyncio.gather(*(scheduler.look() for scheduler in looking))
        await self._note_begun()
        assert told[0] is not None
        return told[0]

    async def _end_runs(self) -> None:
        over = [number for number, end_ms in self.ends.items() if end_ms <= self.elapsed_ms]
        if over:
            async with self.databases[0].begin() as connection:
                await connection.execute(
                    update(execution)
                    .where(execution.c.id.in_(over))
                    .values(status="SUCCESS", completed_ms=self.clock())
                )
            for number in over:
                del self.ends[number]

    async def _note_begun(self) -> None:
        statement = select(execution.c.id, execution.c.job_name, execution.c.due_ms).where(
            execution.c.completed_ms.is_(None)
        )
        async with self.databases[0].read() as connection:
            for row in await connection.execute(statement):
                if row.id not in self.ends:
                    assert row.due_ms is not None
                    self.ends[row.id] = self.elapsed_ms + run_length_ms(row.job_name, row.due_ms)


@pytest.fixture
async def two_databases(database_url: str) -> AsyncIterator[list[Database]]:
    opened = [await open_database(database_url), await open_database(database_url)]
    yield opened
    for one in opened:
        await one.close()


async def configure(database: Database, start_ms: int = START_MS) -> dict[str, ModelJob]:
    models = {}
    async with database.begin() as connection:
        ids = await ensure_jobs(connection, JOBS, start_ms)
        for spec in JOBS:
            model = ModelJob(spec, due_moments(spec.name), 0)
            model.next_ms = model.after(start_ms)
            await set_next_run(connection, ids[spec.name], model.next_ms)
            models[spec.name] = model
    return models


def disturb(world: World, kind: str) -> None:
    chance = world.chance
    match kind:
        case "downtime":
            world.pass_time(chance.randrange(5 * MINUTE_MS, 40 * 60 * MINUTE_MS))
            world.restart()
        case "restart":
            world.restart()
        case "forward":
            world.clock.now_ms += chance.randrange(MINUTE_MS, 30 * 60 * MINUTE_MS)
        case "back":
            world.clock.now_ms -= chance.randrange(1_000, 30 * 60 * MINUTE_MS)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("start_ms", "trouble", "seed"),
    [(LATE_START_MS, 0.12, 5), pytest.param(START_MS, 0.05, 4, marks=pytest.mark.chaos)],
    ids=["weeks", "month"],
)
async def test_a_troubled_time_runs_as_the_model_says(
    two_databases: list[Database], start_ms: int, trouble: float, seed: int
) -> None:
    chance = random.Random(seed)
    world = World(two_databases, chance, start_ms)
    models = await configure(two_databases[0], start_ms)
    kinds = Counter[str]()
    while world.clock.now_ms < END_MS:
        next_ms = await world.look()
        for model in models.values():
            model.look(world.clock(), world.elapsed_ms)
        assert next_ms == min(model.next_ms for model in models.values())
        # a loop is late by its turn; the next look finds what has come due meanwhile
        world.pass_time(max(1, next_ms - world.clock()) + chance.choice([0, 0, 1, 700, 45_000, 400_000]))
        if chance.random() < trouble:
            kind = chance.choice(TROUBLES)
            kinds[kind] += 1
            disturb(world, kind)
    await compare(two_databases[0], models)
    assert min(kinds[kind] for kind in TROUBLES) >= 3, kinds


async def compare(database: Database, models: dict[str, ModelJob]) -> None:
    """Every run is the model's, in its order, once; every line about what was not run is there."""
    async with database.read() as connection:
        stored = {job.name: job.next_run_ms for job in await scheduled_jobs(connection)}
        statement = select(execution.c.job_name, execution.c.due_ms).order_by(execution.c.id)
        rows = (await connection.execute(statement)).all()
        lines, total = await list_logs(connection, level="WARNING", limit=100_000)
    runs: dict[str, list[int]] = {name: [] for name in models}
    for row in rows:
        runs[row.job_name].append(row.due_ms)
    assert stored == {name: model.next_ms for name, model in models.items()}
    for name, model in models.items():
        assert runs[name] == model.runs, name
        assert len(set(runs[name])) == len(runs[name]), name
    assert total == len(lines)
    told = Counter[str]()
    for line in lines:
        told["missed"] += " missed" in line.message
        told["left out"] += "is left out" in line.message
        told["set back"] += "was set back" in line.message
    expected = sum((model.told for model in models.values()), Counter[str]())
    assert told == expected
    assert min(expected[what] for what in ("missed", "left out", "set back")) > 3
    assert len(rows) > 200


async def test_an_undisturbed_month_runs_every_due_moment_once(two_databases: list[Database]) -> None:
    world = World(two_databases, random.Random(5))
    models = await configure(two_databases[0])
    some = ["gap_time", "new_york", "sydney", "workdays", "midnight", "monthly"]
    async with two_databases[0].begin() as connection:
        ids = await ensure_jobs(connection, JOBS, START_MS)
        for name in models.keys() - some:
            await set_next_run(connection, ids[name], None)
    while (next_ms := await world.look()) <= END_MS:
        world.elapsed_ms += 10**9  # every run has ended by the next look
        world.clock.now_ms = next_ms
    async with two_databases[0].read() as connection:
        for name in some:
            statement = (
                select(execution.c.due_ms).where(execution.c.job_name == name).order_by(execution.c.id)
            )
            stored = list((await connection.execute(statement)).scalars())
            assert stored == [ms for ms in models[name].moments if START_MS < ms <= END_MS], name
