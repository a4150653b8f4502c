"""Due jobs are queued once, late ones by the rules, and what is left out is told."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from markethub.control.database import Database
from markethub.control.executions import Execution, list_executions
from markethub.control.jobs import Job, JobSpec, ensure_jobs, get_job
from markethub.control.logs import list_logs
from markethub.control.schedules import set_next_run, set_paused
from markethub.control.schema import execution, job
from markethub.domain.errors import ConflictError, UnavailableError
from markethub.domain.execution import ExecutionStatus
from markethub.domain.times import parse_time
from markethub.engine.scheduler import Scheduler, request_run
from tests.bare_hub import StillClock
from tests.engine.scripted import Bureau, ScriptedHandler, plan_keys, until

NOON_MS = parse_time("2026-03-02T12:00:00Z")
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
HOURLY = JobSpec(
    "hourly",
    "kline",
    "backfill",
    "Every hour",
    schedule_type="cron",
    schedule="0 * * * *",
    parameters={"keys": ["a", "b"]},
)


@dataclass
class Desk:
    """A scheduler on a clock that the test moves; nothing works on what it queues."""

    bureau: Bureau
    clock: StillClock
    scheduler: Scheduler

    @property
    def database(self) -> Database:
        return self.bureau.database

    async def put(self, *, next_ms: int, name: str = "hourly", **changes: Any) -> None:  # noqa: ANN401 - columns
        spec = {field: getattr(HOURLY, field) for field in HOURLY.__dataclass_fields__}
        made = JobSpec(**{**spec, "name": name, **changes})
        async with self.database.begin() as connection:
            ids = await ensure_jobs(connection, [made], 1)
            await set_next_run(connection, ids[name], next_ms)

    async def look_at(self, now_ms: int) -> int | None:
        self.clock.now_ms = now_ms
        return await self.scheduler.look()

    async def job(self, name: str = "hourly") -> Job:
        async with self.database.read() as connection:
            return await get_job(connection, name)

    async def runs(self) -> list[Execution]:
        async with self.database.read() as connection:
            return (await list_executions(connection, order_by="id", order_desc=False, limit=1000))[0]

    async def due(self) -> list[int]:
        async with self.database.read() as connection:
            rows = await connection.execute(select(execution.c.due_ms).order_by(execution.c.id))
            return list(rows.scalars())

    async def lines(self) -> list[str]:
        async with self.database.read() as connection:
            rows, _ = await list_logs(connection, limit=1000)
        return [f"{row.level} {row.message}" for row in rows]

    async def end_all(self) -> None:
        async with self.database.begin() as connection:
            await connection.execute(update(execution).values(status="SUCCESS", completed_ms=1))


@pytest.fixture
async def desk(bureau: Bureau) -> Desk:
    clock = StillClock(NOON_MS)
    return Desk(bureau, clock, Scheduler(bureau.database, bureau.engine(clock=clock), clock))


async def test_a_due_job_is_queued_as_it_is_configured(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS, timeout_seconds=300)
    assert await desk.look_at(NOON_MS - 1) == NOON_MS
    assert await desk.runs() == []
    assert await desk.look_at(NOON_MS) == NOON_MS + HOUR_MS
    (run,) = await desk.runs()
    assert run.trace_id.startswith("hourly_")
    assert len(run.trace_id) == len("hourly_") + 8
    assert (run.job_name, run.parameters, run.timeout_ms) == ("hourly", {"keys": ["a", "b"]}, 300_000)
    assert (run.status, run.created_ms) == (ExecutionStatus.PENDING, NOON_MS)
    assert await desk.due() == [NOON_MS]
    assert await desk.lines() == ["INFO Due at 2026-03-02T12:00:00Z"]
    assert await desk.look_at(NOON_MS) == NOON_MS + HOUR_MS
    assert len(await desk.runs()) == 1


async def test_fresh_data_goes_before_what_people_asked_for(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS, job_category="sync")
    await desk.put(next_ms=NOON_MS, name="other")
    # A whole history is not fresh, whoever asks for it.
    await desk.put(next_ms=NOON_MS, name="history", job_category="sync", parameters={"mode": "full_sync"})
    await desk.look_at(NOON_MS)
    priorities = {run.job_name: run.priority for run in await desk.runs()}
    assert priorities == {"hourly": 1000, "other": 0, "history": 0}


async def test_nothing_that_is_paused_disabled_or_without_schedule_is_queued(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS, name="disabled", enabled=False)
    await desk.put(next_ms=NOON_MS, name="paused")
    async with desk.database.begin() as connection:
        job_id = (await get_job(connection, "paused")).id
        await set_paused(connection, job_id, paused=True, next_run_ms=NOON_MS, now_ms=2)
    assert await desk.look_at(NOON_MS) is None
    assert await desk.runs() == []
    await desk.put(next_ms=NOON_MS, name="on_request", schedule_type=None, schedule=None)
    assert await desk.look_at(NOON_MS) is None
    assert await desk.runs() == []
    assert (await desk.job("on_request")).next_run_ms is None


async def test_a_job_paused_between_look_and_turn_is_not_queued(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.put(next_ms=NOON_MS)
    settle = desk.scheduler._settle

    async def pause_first(job_id: int) -> int | None:
        async with desk.database.begin() as connection:
            await set_paused(connection, job_id, paused=True, next_run_ms=NOON_MS, now_ms=2)
        return await settle(job_id)

    monkeypatch.setattr(desk.scheduler, "_settle", pause_first)
    await desk.look_at(NOON_MS)
    assert await desk.runs() == []


async def test_runs_within_the_grace_are_all_queued(desk: Desk) -> None:
    await desk.put(
        next_ms=NOON_MS, schedule_type="interval", schedule=None, interval_seconds=20, max_instances=9
    )
    await desk.look_at(NOON_MS + MINUTE_MS)
    assert await desk.due() == [NOON_MS, NOON_MS + 20_000, NOON_MS + 40_000, NOON_MS + MINUTE_MS]


@pytest.mark.parametrize("catch_up", [True, False])
async def test_after_a_downtime_one_run_catches_up_or_none(desk: Desk, catch_up: bool) -> None:
    await desk.put(next_ms=NOON_MS, catch_up=catch_up)
    assert await desk.look_at(NOON_MS + 3 * HOUR_MS + 2 * MINUTE_MS) == NOON_MS + 4 * HOUR_MS
    assert await desk.due() == ([NOON_MS + 3 * HOUR_MS] if catch_up else [])
    told = "The runs due from 2026-03-02T12:00:00Z to 2026-03-02T15:00:00Z were missed"
    (line,) = [line for line in await desk.lines() if line.startswith("WARNING")]
    assert line.startswith(f"WARNING {told}" if catch_up else f"WARNING hourly: {told}")
    assert line.endswith("this run stands for all of them" if catch_up else "does not catch up: not run")


async def test_a_run_in_time_stands_for_those_before_it(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS)
    await desk.look_at(NOON_MS + HOUR_MS + 5_000)
    assert await desk.due() == [NOON_MS + HOUR_MS]
    (run,) = await desk.runs()
    missed = "The run due at 2026-03-02T12:00:00Z was missed by more than the grace allows"
    assert await desk.bureau.messages(run.trace_id) == [
        "INFO Due at 2026-03-02T13:00:00Z",
        f"WARNING {missed}: this run stands for all of them",
    ]


async def test_a_jobs_own_grace_counts(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS, misfire_grace_seconds=0, catch_up=False)
    await desk.put(next_ms=NOON_MS, name="patient", misfire_grace_seconds=1800, catch_up=False)
    await desk.look_at(NOON_MS + 1_800_000)
    assert [run.job_name for run in await desk.runs()] == ["patient"]
    await desk.put(next_ms=NOON_MS, name="exact", misfire_grace_seconds=0, catch_up=False)
    await desk.look_at(NOON_MS)
    assert [run.job_name for run in await desk.runs()] == ["patient", "exact"]


async def test_beyond_max_instances_a_run_is_left_out(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS, max_instances=2)
    engine = desk.bureau.engine(clock=desk.clock)
    await engine.enqueue(request_run(await desk.job(), "by hand"))
    await desk.look_at(NOON_MS)
    assert await desk.due() == [None, NOON_MS]
    assert await desk.look_at(NOON_MS + HOUR_MS) == NOON_MS + 2 * HOUR_MS
    assert await desk.due() == [None, NOON_MS]
    assert (await desk.lines())[-1] == (
        "WARNING hourly: The run due at 2026-03-02T13:00:00Z is left out: 2 executions have not ended, and "
        "max_instances is 2."
    )
    await desk.end_all()
    await desk.look_at(NOON_MS + 2 * HOUR_MS)
    assert await desk.due() == [None, NOON_MS, NOON_MS + 2 * HOUR_MS]


async def test_a_line_about_a_job_that_did_not_run_is_the_jobs(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS, catch_up=False)
    await desk.look_at(NOON_MS + HOUR_MS - 1)
    async with desk.database.read() as connection:
        (line,), _ = await list_logs(connection, job_id="hourly")
    assert (line.trace_id, line.execution_id, line.level) == (None, None, "WARNING")


async def test_a_moment_that_has_its_run_gets_no_other(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS)
    await desk.look_at(NOON_MS)
    await desk.end_all()
    async with desk.database.begin() as connection:
        await set_next_run(connection, (await get_job(connection, "hourly")).id, NOON_MS)
    assert await desk.look_at(NOON_MS) == NOON_MS + HOUR_MS
    assert await desk.due() == [NOON_MS]


async def test_a_clock_set_back_a_little_repeats_nothing(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS)
    await desk.look_at(NOON_MS)
    await desk.end_all()
    assert await desk.look_at(NOON_MS - 50 * MINUTE_MS) == NOON_MS + HOUR_MS
    assert await desk.look_at(NOON_MS) == NOON_MS + HOUR_MS
    assert await desk.due() == [NOON_MS]


async def test_a_clock_set_back_far_is_followed(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS)
    await desk.look_at(NOON_MS)
    await desk.end_all()
    assert await desk.look_at(NOON_MS - 30 * HOUR_MS + 1) == NOON_MS - 29 * HOUR_MS
    (line,) = [line for line in await desk.lines() if line.startswith("WARNING")]
    assert line == (
        "WARNING hourly: The clock was set back: due next at 2026-03-01T07:00:00Z "
        "instead of 2026-03-02T13:00:00Z"
    )
    await desk.look_at(NOON_MS - 29 * HOUR_MS)
    assert await desk.due() == [NOON_MS, NOON_MS - 29 * HOUR_MS]


async def test_a_job_that_cannot_be_read_keeps_no_other_waiting(desk: Desk) -> None:
    await desk.put(next_ms=NOON_MS - 1, name="broken", schedule="a newer version's")
    await desk.put(next_ms=NOON_MS)
    with capture_logs() as logs:
        assert await desk.look_at(NOON_MS) == NOON_MS + HOUR_MS
    assert await desk.due() == [NOON_MS]
    (said,) = [line for line in logs if line["event"] == "a job cannot be scheduled"]
    assert (said["job"], said["log_level"]) == ("broken", "error")


async def test_a_database_that_is_away_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.put(next_ms=NOON_MS)

    async def refuse(*_: object) -> bool:
        raise UnavailableError("away")

    monkeypatch.setattr(desk.scheduler, "_settle", refuse)
    with pytest.raises(UnavailableError):
        await desk.look_at(NOON_MS)


async def test_a_turn_that_fails_leaves_all_as_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.put(next_ms=NOON_MS)

    async def fail(*_: object) -> None:
        raise UnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr("markethub.engine.scheduler.set_next_run", fail)
        with pytest.raises(UnavailableError):
            await desk.look_at(NOON_MS)
    assert (await desk.due(), await desk.lines()) == ([], [])
    await desk.look_at(NOON_MS)
    assert await desk.due() == [NOON_MS]


async def test_many_schedulers_at_one_moment_queue_one_run(desk: Desk) -> None:
    for number in range(5):
        await desk.put(next_ms=NOON_MS, name=f"job_{number}")
    desk.clock.now_ms = NOON_MS
    schedulers = [
        Scheduler(desk.database, desk.bureau.engine(clock=desk.clock), desk.clock) for _ in range(6)
    ]
    await asyncio.gather(*(scheduler.look() for scheduler in schedulers))
    assert sorted(run.job_name for run in await desk.runs()) == [f"job_{number}" for number in range(5)]
    async with desk.database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(job))).scalar_one() == 6


async def test_the_loop_wakes_for_what_is_due(bureau: Bureau) -> None:
    handler = ScriptedHandler()
    engine = await bureau.started(handler)
    scheduler = Scheduler(bureau.database, engine)
    await scheduler.start()
    assert scheduler.is_working
    with pytest.raises(ConflictError):
        await scheduler.start()
    ticking = JobSpec(
        "tick", "kline", "backfill", "", schedule_type="interval", interval_seconds=1,
        parameters={"keys": ["a"]}, max_instances=9,
    )  # fmt: skip
    async with bureau.database.begin() as connection:
        ids = await ensure_jobs(connection, [ticking], 1)
        await set_next_run(connection, ids["tick"], bureau.database.clock())
    scheduler.wake()

    async def has_run_thrice() -> bool:
        return len(handler.runs) >= 3

    await until(has_run_thrice)
    await scheduler.drain()
    async with bureau.database.read() as connection:
        due = list((await connection.execute(select(execution.c.due_ms).order_by(execution.c.id))).scalars())
    # the first moment was the test's, the others are on the grid
    assert {after - before for before, after in itertools.pairwise(due[1:])} == {1000}


async def test_a_scheduled_run_ends_at_its_timeout(bureau: Bureau) -> None:
    begun = asyncio.Event()

    async def hang(*_: object) -> dict[str, int]:
        begun.set()
        await asyncio.Event().wait()
        return {}

    engine = await bureau.started(ScriptedHandler(hang, plan_keys), lease_s=1.0)
    scheduler = Scheduler(bureau.database, engine)
    slow = JobSpec(
        "slow", "kline", "backfill", "", schedule_type="cron", schedule="0 0 1 1 *",
        parameters={"keys": ["a"]}, timeout_seconds=1,
    )  # fmt: skip
    async with bureau.database.begin() as connection:
        ids = await ensure_jobs(connection, [slow], 1)
        await set_next_run(connection, ids["slow"], bureau.database.clock())
    await scheduler.look()
    await begun.wait()
    async with bureau.database.read() as connection:
        (run,), _ = await list_executions(connection, job_id=ids["slow"])
    ended = await engine.wait(run.id, 30)
    assert (ended.status, ended.error) == (ExecutionStatus.TIMEOUT, "timed out after 1 s")


async def test_drain_before_start_and_twice(bureau: Bureau) -> None:
    scheduler = Scheduler(bureau.database, bureau.engine())
    await scheduler.drain()
    await scheduler.drain()
    assert not scheduler.is_working
