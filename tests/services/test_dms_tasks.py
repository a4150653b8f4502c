"""Tasks as an operator sees them: started, watched, counted and written down."""

import asyncio
import shutil
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import delete

from markethub.app import open_hub
from markethub.config import Settings
from markethub.control.audit import list_audit
from markethub.control.database import Database, open_database
from markethub.control.jobs import JobSpec
from markethub.control.schema import chunk, execution
from markethub.domain.errors import ConflictError, NotFoundError, VenueError
from markethub.domain.task import TaskType
from markethub.domain.times import parse_time
from markethub.engine.engine import Engine
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.engine.settings import EngineSettings
from markethub.jobs.task_parameters import EXAMPLES
from markethub.services.dms_maintenance import RunStatus, list_maintenance
from markethub.services.dms_tasks import (
    Refused,
    TaskState,
    count_tasks,
    list_tasks,
    show_task,
    trigger_all,
    trigger_task,
)
from markethub.services.hub import Hub
from markethub.services.schedules import StartedRun, apply_jobs, pause_job, run_job
from tests.bare_hub import bare_hub

JOBS = (
    JobSpec("daily_update_us", "kline", "sync", "", schedule_type="cron", schedule="0 22 * * *"),
    JobSpec("full_sync_us", "kline", "sync", "", parameters={"mode": "full_sync"}),
    JobSpec("weekly", "kline", "sync", "", enabled=False),
    JobSpec("sync_tickers_all", "ticker", "sync", ""),
)


@dataclass
class Scripted:
    """Three series of two symbols, which end when they may: well, or badly where ``error`` says so."""

    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    error: str | None = None

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        keys = ("US.AAPL 1d", "US.AAPL 1m", "US.IBM 1d")
        return Plan([NewChunk(key, "US", {}) for key in keys], {"inserted": 0, "symbols": 2})

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        await self.may_end.wait()
        if self.error is not None and chunk.key == "US.IBM 1d":
            raise VenueError(self.error)
        return {"processed": 7, "inserted": 5, "updated": 1, "unchanged": 1}


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@asynccontextmanager
async def working_hub(database: Database, scripted: Scripted) -> AsyncIterator[Hub]:
    await apply_jobs(database, JOBS)
    # It does not look for work by itself while a test lasts: what is triggered must wake it.
    engine = Engine(database, {"sync_kline": scripted, "sync_ticker": scripted}, EngineSettings(poll_s=3600))
    await engine.start()
    try:
        yield bare_hub(database, engine, database.clock)
    finally:
        scripted.may_end.set()
        await engine.drain()


@pytest.fixture
async def each_hub(database: Database, scripted: Scripted) -> AsyncIterator[Hub]:
    """On both control databases."""
    async with working_hub(database, scripted) as hub:
        yield hub


@pytest.fixture
async def hub(tmp_path: Path, sqlite_template: Path, scripted: Scripted) -> AsyncIterator[Hub]:
    if not sqlite_template.exists():  # noqa: ASYNC240 - nothing else runs in a test
        await (await open_database(f"sqlite:///{sqlite_template}")).close()
    database = await open_database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'control.sqlite')}")
    async with working_hub(database, scripted) as hub:
        yield hub
    await database.close()


async def run_once(hub: Hub, scripted: Scripted, name: str, error: str | None = None) -> None:
    scripted.error = error
    scripted.may_end.set()
    started = await trigger_task(hub, name)
    assert (await hub.engine.wait(started.execution_id, 60)).status.is_final


async def test_a_task_runs_at_once_and_once_at_a_time(hub: Hub, scripted: Scripted) -> None:
    assert [(one.name, one.state, one.last_run_ms) for one in await list_tasks(hub)] == [
        ("daily_update_us", TaskState.IDLE, None),
        ("full_sync_us", TaskState.IDLE, None),
        ("weekly", TaskState.DISABLED, None),
    ]
    started = await trigger_task(hub, "daily_update_us")
    with pytest.raises(ConflictError, match="daily_update_us has 1 executions that have not ended"):
        await trigger_task(hub, "daily_update_us")
    assert (await show_task(hub, "daily_update_us")).task.state is TaskState.RUNNING
    (shown,) = await list_maintenance(hub)
    assert (shown.status, shown.end_ms, shown.duration_ms) == (RunStatus.RUNNING, None, None)

    scripted.may_end.set()
    await hub.engine.wait(started.execution_id, 60)
    report = await show_task(hub, "daily_update_us")
    assert (report.task.state, report.task.last_run_ms is not None) == (TaskState.IDLE, True)
    assert report.last is not None
    assert (report.last.message, report.last.data_count) == ("Updated 2 symbols", 18)
    async with hub.database.read() as connection:
        (row,), _ = await list_audit(connection)
    assert (row.action, row.target) == ("task.trigger", started.trace_id)


async def test_statistics_count_what_failed_and_outlive_the_rows(each_hub: Hub, scripted: Scripted) -> None:
    hub = each_hub
    await run_once(hub, scripted, "full_sync_us")
    await run_once(hub, scripted, "full_sync_us", error="US is closed")
    report = await show_task(hub, "full_sync_us")
    assert report.last is not None
    assert report.last.status is RunStatus.FAILED
    assert report.last.message == "1 of 3 chunks failed: US.IBM 1d: US is closed"
    assert report.last.data_count == 12
    counts = (report.totals.runs, report.totals.successes, report.totals.failures)
    assert counts == (2, 1, 1)
    assert report.totals.inserted + report.totals.updated == 30

    async with hub.database.begin() as connection:
        for table in (chunk, execution):
            await connection.execute(delete(table))
    later = await show_task(hub, "full_sync_us")
    assert (later.last, later.totals) == (None, report.totals)
    assert later.task.last_run_ms == report.task.last_run_ms


async def test_the_log_is_filtered_and_paged(each_hub: Hub, scripted: Scripted) -> None:
    hub = each_hub
    await run_once(hub, scripted, "daily_update_us")
    await run_once(hub, scripted, "full_sync_us")
    await run_once(hub, scripted, "full_sync_us", error="US is closed")
    other = await run_job(hub.database, "sync_tickers_all", engine=hub.engine)
    assert (await hub.engine.wait(other.execution_id, 60)).status.is_final
    # What a run was is not changed by what its task is now.
    await apply_jobs(hub.database, [JOBS[0], JobSpec("full_sync_us", "kline", "sync", "")])

    async def names(**wanted: object) -> list[str]:
        found = await list_maintenance(hub, **wanted)  # type: ignore[arg-type] # filters by name
        return [f"{one.task_name} {one.task_type} {one.status}" for one in found]

    daily = "daily_update_us incremental completed"
    good, bad = "full_sync_us full_sync completed", "full_sync_us full_sync failed"
    assert await names() == [bad, good, daily]
    assert await names(task_name="full_sync_us") == [bad, good]
    assert await names(task_type=TaskType.FULL_SYNC) == [bad, good]
    assert await names(task_type=TaskType.INCREMENTAL) == [daily]
    assert await names(status=RunStatus.FAILED) == [bad]
    assert await names(status=RunStatus.COMPLETED, task_type=TaskType.FULL_SYNC) == [good]
    assert await names(status=RunStatus.RUNNING) == []
    assert await names(limit=1, offset=1) == [good]
    assert await names(offset=3) == []


async def test_all_means_those_whose_schedule_counts(hub: Hub) -> None:
    await pause_job(hub.database, "daily_update_us")
    assert (await list_tasks(hub))[0].state is TaskState.PAUSED
    started = await trigger_all(hub, None)
    assert list(started) == ["full_sync_us"]
    assert isinstance(started["full_sync_us"], StartedRun)
    again = await trigger_all(hub, TaskType.FULL_SYNC)
    assert isinstance(again["full_sync_us"], Refused)
    assert await trigger_all(hub, TaskType.INCREMENTAL) == {}
    # Whoever names one wants it.
    for name in ("daily_update_us", "weekly"):
        assert (await trigger_task(hub, name)).execution_id
    assert await count_tasks(hub) == 3


async def test_only_tasks_are_tasks(hub: Hub) -> None:
    for name in ("sync_tickers_all", "1", "nobody", "Daily_Update_US", "x" * 5000, "\x00"):
        for use in (trigger_task, show_task):
            with pytest.raises(NotFoundError, match="Task not found: "):
                await use(hub, name)
        with pytest.raises(NotFoundError):
            await list_maintenance(hub, task_name=name)


async def test_a_master_that_was_replaced_starts_nothing(hub: Hub) -> None:
    await hub.node.reign.hear(2)
    with pytest.raises(ConflictError, match="this master was replaced"):
        await trigger_task(hub, "daily_update_us")
    with pytest.raises(ConflictError, match="this master was replaced"):
        await trigger_all(hub, None)
    assert await list_maintenance(hub) == []
    assert len(await list_tasks(hub)) == 3


async def test_the_documented_tasks_of_stocks_run_as_configured(tmp_path: Path) -> None:
    for name in ("US.AAPL", "US.MSFT", "HK.00700"):
        (tmp_path / f"{name}.1d.csv").write_text(
            "date,open,high,low,close,volume\n2024-06-03,10,12,9,11,1000\n2024-06-04,11,13,10,12,1100\n"
        )
    folder = {"source": "folder", "path": str(tmp_path), "adjustment": "adjusted"}
    settings = Settings(
        data_dir=tmp_path / "data",
        venues={"US": folder, "HK": folder},
        scheduler={"enabled": False, "default_jobs": False},
        jobs=tomllib.loads(EXAMPLES)["jobs"],
    )
    now_ms = parse_time("2024-06-05T12:00")
    async with open_hub(settings, lambda: now_ms) as hub:
        tasks = {one.name: one.task_type for one in await list_tasks(hub)}
        assert tasks == {
            "daily_update_us": TaskType.INCREMENTAL,
            "daily_update_hk": TaskType.INCREMENTAL,
            "full_sync_us": TaskType.FULL_SYNC,
        }
        updated = {}
        for name in tasks:
            started = await trigger_task(hub, name)
            ended = await hub.engine.wait(started.execution_id, 60)
            assert ended.error is None
            updated[name] = [
                (one.message, one.data_count) for one in await list_maintenance(hub, task_name=name)
            ]
        assert updated["daily_update_hk"] == [("Updated 1 symbols", 2)]
        assert updated["daily_update_us"] == [("Updated 2 symbols", 4)]
        # It found what the other had stored.
        assert updated["full_sync_us"] == [("Updated 1 symbols", 0)]
