"""Which jobs there are, and what an operator does to them, on the control database alone."""

from dataclasses import replace

import pytest

from markethub.control.audit import list_audit
from markethub.control.database import Database
from markethub.control.executions import find_by_trace
from markethub.control.jobs import Job, JobSpec, get_job
from markethub.control.schedules import set_next_run
from markethub.domain.errors import ConflictError, InputError, NotFoundError
from markethub.engine.engine import Engine
from markethub.engine.scheduler import Scheduler
from markethub.services.caller import name_act
from markethub.services.schedules import apply_jobs, pause_job, resume_job, run_job
from tests.bare_hub import StillClock

HOUR_MS = 3_600_000
HOURLY = JobSpec(
    "hourly",
    "kline",
    "sync",
    "",
    schedule_type="cron",
    schedule="0 * * * *",
    parameters={"intervals": ["1h"]},
)
DAILY = JobSpec("daily", "symbol", "sync", "", schedule_type="interval", interval_seconds=86_400)
ON_REQUEST = JobSpec("backfill_kline", "kline", "backfill", "", max_instances=100)
ALL = (HOURLY, DAILY, ON_REQUEST)


async def stored(database: Database, name: str) -> Job:
    async with database.read() as connection:
        return await get_job(connection, name)


def next_hour(database: Database) -> int:
    return database.clock() // HOUR_MS * HOUR_MS + HOUR_MS


@pytest.fixture
async def jobs(database: Database) -> Database:
    await apply_jobs(database, ALL)
    return database


async def test_new_jobs_are_due_from_now_on(jobs: Database) -> None:
    assert (await stored(jobs, "hourly")).next_run_ms in {next_hour(jobs), next_hour(jobs) - HOUR_MS}
    daily = await stored(jobs, "daily")
    assert daily.next_run_ms is not None
    assert daily.next_run_ms % 86_400_000 == 0
    assert (await stored(jobs, "backfill_kline")).next_run_ms is None


async def test_what_came_due_while_nothing_ran_is_late_and_not_lost(jobs: Database) -> None:
    async with jobs.begin() as connection:
        await set_next_run(connection, (await get_job(connection, "hourly")).id, HOUR_MS)
    assert await apply_jobs(jobs, [replace(HOURLY, description="other", max_instances=2), DAILY]) == [
        "backfill_kline"
    ]
    kept = await stored(jobs, "hourly")
    assert (kept.next_run_ms, kept.description, kept.max_instances) == (HOUR_MS, "other", 2)


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": "30 * * * *"},
        {"time_zone": "Asia/Kathmandu"},
        {"schedule_type": "interval", "schedule": None, "interval_seconds": 600},
    ],
)
async def test_a_changed_schedule_counts_from_now(jobs: Database, change: dict[str, object]) -> None:
    async with jobs.begin() as connection:
        await set_next_run(connection, (await get_job(connection, "hourly")).id, HOUR_MS)
    await apply_jobs(jobs, [replace(HOURLY, **change)])  # type: ignore[arg-type] # columns by name
    next_ms = (await stored(jobs, "hourly")).next_run_ms
    assert next_ms is not None
    assert next_ms > jobs.clock() - 1000


async def test_jobs_that_are_configured_no_more_are_disabled_and_kept(jobs: Database) -> None:
    assert await apply_jobs(jobs, [DAILY, ON_REQUEST]) == ["hourly"]
    gone = await stored(jobs, "hourly")
    assert (gone.enabled, gone.next_run_ms) == (False, None)
    assert await apply_jobs(jobs, [DAILY, ON_REQUEST]) == []
    await apply_jobs(jobs, ALL)
    back = await stored(jobs, "hourly")
    assert (back.id, back.enabled, back.next_run_ms is not None) == (gone.id, True, True)


async def test_a_job_disabled_in_the_configuration_has_no_next_run(jobs: Database) -> None:
    await apply_jobs(jobs, [replace(HOURLY, enabled=False), DAILY, ON_REQUEST])
    assert (await stored(jobs, "hourly")).next_run_ms is None


async def test_a_wrong_job_changes_nothing(jobs: Database) -> None:
    before = await stored(jobs, "daily")
    with pytest.raises(InputError):
        await apply_jobs(jobs, [replace(DAILY, description="changed"), replace(HOURLY, schedule="wrong")])
    assert await stored(jobs, "daily") == before


async def test_who_applied_jobs_is_noted(jobs: Database) -> None:
    await apply_jobs(jobs, [DAILY], name_act("configuration.reload"))
    async with jobs.read() as connection:
        (row,), _ = await list_audit(connection)
    assert (row.action, row.target) == ("configuration.reload", "jobs")
    assert row.details == {"jobs": ["daily"], "disabled": ["backfill_kline", "hourly"]}
    assert row.token_name.startswith("local:")


async def test_a_paused_job_misses_its_runs_until_resumed(jobs: Database) -> None:
    paused = await pause_job(jobs, "hourly")
    assert (paused.paused, paused.is_active, paused.next_run_ms) == (True, False, None)
    assert await pause_job(jobs, "hourly") == paused
    await apply_jobs(jobs, [replace(HOURLY, schedule="30 * * * *"), DAILY, ON_REQUEST])
    still = await stored(jobs, "hourly")
    assert (still.paused, still.next_run_ms) == (True, None)
    resumed = await resume_job(jobs, str(still.id))
    assert resumed.is_active
    assert resumed.next_run_ms is not None
    assert resumed.next_run_ms > jobs.clock() - 1000
    assert await resume_job(jobs, "hourly") == resumed
    async with jobs.read() as connection:
        rows, _ = await list_audit(connection)
    assert [(row.action, row.target) for row in rows] == [("job.resume", "hourly"), ("job.pause", "hourly")]


async def test_a_job_resumed_while_disabled_waits_for_the_configuration(jobs: Database) -> None:
    await pause_job(jobs, "hourly")
    await apply_jobs(jobs, [DAILY])
    assert (await resume_job(jobs, "hourly")).next_run_ms is None


async def test_what_has_no_schedule_cannot_be_paused(jobs: Database) -> None:
    for change in (pause_job, resume_job):
        with pytest.raises(InputError, match="backfill_kline has no schedule"):
            await change(jobs, "backfill_kline")
        with pytest.raises(NotFoundError, match="Job not found: nothing"):
            await change(jobs, "nothing")


async def test_a_run_out_of_turn(jobs: Database) -> None:
    next_ms = (await stored(jobs, "hourly")).next_run_ms
    started = await run_job(jobs, "hourly")
    async with jobs.read() as connection:
        run = await find_by_trace(connection, started.trace_id)
        rows, _ = await list_audit(connection)
    assert run is not None
    assert (run.id, run.job_name, run.parameters) == (started.execution_id, "hourly", {"intervals": ["1h"]})
    assert [(row.action, row.target) for row in rows] == [("job.run", started.trace_id)]
    assert (await stored(jobs, "hourly")).next_run_ms == next_ms
    with pytest.raises(
        ConflictError, match="hourly has 1 executions that have not ended, and its max_instances is 1"
    ):
        await run_job(jobs, "hourly")


async def test_a_paused_job_runs_when_told(jobs: Database) -> None:
    await pause_job(jobs, "hourly")
    assert (await run_job(jobs, "hourly")).trace_id.startswith("hourly_")


async def test_runs_by_hand_count_as_instances_of_due_ones(jobs: Database) -> None:
    await run_job(jobs, "hourly")
    clock = StillClock(next_hour(jobs))
    scheduler = Scheduler(jobs, Engine(jobs, {}, clock=clock), clock)
    await scheduler.look()
    with pytest.raises(ConflictError):
        await run_job(jobs, "hourly")


async def test_jobs_of_requests_and_unknown_ones_are_not_run(jobs: Database) -> None:
    with pytest.raises(InputError, match="job backfill_kline runs on request only"):
        await run_job(jobs, "backfill_kline")
    with pytest.raises(NotFoundError):
        await run_job(jobs, "nothing")
