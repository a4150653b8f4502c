import asyncio
import random
from pathlib import Path

from alembic import command
from sqlalchemy import Connection, func, make_url, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from markethub.control.database import Database, open_database
from markethub.control.execution_tally import DAY_MS
from markethub.control.executions import list_executions
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.control.migrate import script_config
from markethub.control.schema import execution_tally
from markethub.control.statistics import EndedRun, JobTotals, add_ended_runs, sum_statistics
from markethub.domain.execution import ExecutionStatus

SUCCESS, FAILURE, TIMEOUT = ExecutionStatus.SUCCESS, ExecutionStatus.FAILURE, ExecutionStatus.TIMEOUT


def ended(
    job_id: int, status: ExecutionStatus, completed_ms: int, duration_ms: int | None, **counters: int
) -> EndedRun:
    return EndedRun(job_id, status, completed_ms - (duration_ms or 0), completed_ms, duration_ms, counters)


async def add(database: Database, *runs: EndedRun) -> None:
    async with database.begin() as connection:
        await add_ended_runs(connection, runs)


async def totals(
    database: Database, job_id: int, since: int | None = None, until: int | None = None
) -> JobTotals:
    async with database.read() as connection:
        return await sum_statistics(connection, job_id, since_ms=since, until_ms=until)


async def test_what_ended_is_added_up_by_day(database: Database, job_id: int) -> None:
    await add(
        database,
        ended(job_id, SUCCESS, DAY_MS - 1, 100, processed=5, inserted=3, updated=1, unchanged=1),
        ended(job_id, FAILURE, DAY_MS, 300, processed=2),
    )
    await add(database, ended(job_id, TIMEOUT, DAY_MS + 5, 200), ended(job_id, FAILURE, 3 * DAY_MS, None))
    await add(database)
    assert await totals(database, job_id) == JobTotals(4, 1, 2, 1, 3, 600, 7, 3, 1)
    assert await totals(database, job_id, until=DAY_MS) == JobTotals(1, 1, 0, 0, 1, 100, 5, 3, 1)
    assert await totals(database, job_id, since=DAY_MS + 99, until=DAY_MS + 100) == JobTotals(
        2, 0, 1, 1, 2, 500, 2, 0, 0
    )
    assert (await totals(database, job_id)).average_duration_ms == 200
    nothing = await totals(database, job_id, since=9 * DAY_MS)
    assert (nothing.runs, nothing.average_duration_ms) == (0, None)


async def test_workers_that_end_the_same_jobs_wait_in_no_ring(database: Database) -> None:
    async with database.begin() as connection:
        specs = [JobSpec(f"job_{n}", "kline", "sync", "") for n in range(6)]
        jobs = list((await ensure_jobs(connection, specs, 1)).values())

    async def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            mixed = [
                ended(job, chance.choice((SUCCESS, FAILURE)), chance.randrange(4) * DAY_MS, 1, processed=1)
                for job in chance.sample(jobs, len(jobs))
            ]
            await add(database, *mixed)

    await asyncio.gather(*(work(seed) for seed in range(4)))
    assert sum([(await totals(database, job)).processed for job in jobs]) == 4 * 15 * 6
    async with database.read() as connection:
        tallied = await connection.execute(select(func.sum(execution_tally.c.executions)))
        assert tallied.scalar_one() == 4 * 15 * 6


async def test_the_tally_alone_answers_for_what_has_ended(database: Database, job_id: int) -> None:
    await add(database, *[ended(job_id, SUCCESS, 5, 1)] * 70)
    async with database.read() as connection:
        assert (await list_executions(connection, search="success"))[1] == 70
        assert (await list_executions(connection, after_ms=DAY_MS))[1] == 0


_OLD_HISTORY = [
    # status, created, started, completed, duration, counters
    ("SUCCESS", 5, 6, 7, 1, '{"processed":10,"inserted":4,"updated":1,"unchanged":5}'),
    ("SUCCESS", DAY_MS - 1, DAY_MS, DAY_MS + 9, 9, '{"processed":1}'),
    ("FAILURE", DAY_MS - 1, None, DAY_MS + 9, None, "{}"),
    ("TIMEOUT", 5, 6, DAY_MS + 10, DAY_MS + 4, "{}"),
    ("PENDING", 5, None, None, None, "{}"),
]


async def test_what_ended_before_there_were_statistics_is_counted(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    if database.dialect == "postgresql":
        async with database.begin() as connection:
            await connection.execute(text("DROP SCHEMA public CASCADE"))
            await connection.execute(text("CREATE SCHEMA public"))
    else:
        await database.close()
        (tmp_path / "control.db").unlink()
    url = make_url(database_url)
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}[url.get_backend_name()]
    engine = create_async_engine(url.set(drivername=driver))
    async with engine.begin() as raw:
        await raw.run_sync(_migrate_to, "0004")
        await raw.execute(
            text(
                "INSERT INTO job (name, job_type, job_category, description, parameters, max_instances, "
                "enabled, created_ms, updated_ms) VALUES ('j', 'kline', 'backfill', '', '{}', 1, true, 1, 1)"
            )
        )
        for number, row in enumerate(_OLD_HISTORY):
            names = ("status", "created", "started", "completed", "duration", "counters")
            await raw.execute(
                text(
                    "INSERT INTO execution (job_id, job_name, status, priority, parameters, trace_id, "
                    "created_ms, started_ms, completed_ms, duration_ms, claims, attempts, crashes, "
                    "not_before_ms, chunks_total, chunks_done, chunks_failed, counters) "
                    "VALUES (1, 'j', :status, 0, '{}', :trace, :created, :started, :completed, :duration, "
                    "1, 1, 0, 0, 0, 0, 0, :counters)"
                ),
                {**dict(zip(names, row, strict=True)), "trace": f"t{number}"},
            )
    await engine.dispose()
    migrated = await open_database(database_url)
    try:
        assert await totals(migrated, 1) == JobTotals(4, 2, 1, 1, 3, DAY_MS + 14, 11, 4, 1)
        assert (await totals(migrated, 1, until=DAY_MS)).runs == 1
        async with migrated.read() as connection:
            for search, total in (("success", 2), ("failed", 1), ("timeout", 1), ("queued", 1), ("", 5)):
                rows, counted = await list_executions(connection, search=search)
                assert (len(rows), counted) == (total, total)
            assert (await list_executions(connection, after_ms=DAY_MS))[1] == 1
    finally:
        await migrated.close()


def _migrate_to(connection: Connection, revision: str) -> None:
    config = script_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
