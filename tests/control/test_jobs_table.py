from dataclasses import replace

import pytest

from markethub.control.database import Database
from markethub.control.jobs import (
    ORDER_FIELDS,
    JobSpec,
    ensure_jobs,
    find_job,
    get_job,
    job_keys,
    list_jobs,
    mark_run,
)
from markethub.domain.errors import InputError, NotFoundError

SYNC = JobSpec(
    "sync_klines_1h",
    "kline",
    "sync",
    "Sync 1-hour klines from all exchanges",
    schedule_type="cron",
    schedule="0 * * * *",
    parameters={"intervals": ["1h"]},
    timeout_seconds=300,
)


async def test_a_job_is_found_by_name_and_by_number(database: Database, job_id: int) -> None:
    async with database.begin() as connection:
        ids = await ensure_jobs(connection, [SYNC], 7_000)
        by_name = await get_job(connection, "sync_klines_1h")
        assert by_name == await get_job(connection, str(ids["sync_klines_1h"]))
        assert (by_name.id, by_name.parameters, by_name.created_ms, by_name.enabled) == (
            ids["sync_klines_1h"],
            {"intervals": ["1h"]},
            7_000,
            True,
        )
        assert await job_keys(connection, {"sync_klines_1h", "backfill_kline"}) == {
            "sync_klines_1h": (by_name.id, "sync_kline"),
            "backfill_kline": (job_id, "backfill_kline"),
        }


async def test_a_job_that_is_not_there(database: Database, job_id: int) -> None:
    async with database.read() as connection:
        for name in ("invalid_job_name", "0", str(job_id + 1), "9" * 40, "²", "a\x00b", "\ud800", ""):
            assert await find_job(connection, name) is None
            with pytest.raises(NotFoundError, match="Job not found"):
                await get_job(connection, name)
            with pytest.raises(NotFoundError, match="Job not found"):
                await job_keys(connection, [name])


async def test_ensuring_changes_only_what_differs(database: Database) -> None:
    async with database.begin() as connection:
        first = await ensure_jobs(connection, [SYNC], 1_000)
    async with database.begin() as connection:
        assert await ensure_jobs(connection, [SYNC], 2_000) == first
        assert (await get_job(connection, SYNC.name)).updated_ms == 1_000
        await ensure_jobs(connection, [replace(SYNC, schedule="5 * * * *", enabled=False)], 3_000)
        changed = await get_job(connection, SYNC.name)
    assert (changed.id, changed.schedule, changed.enabled) == (first[SYNC.name], "5 * * * *", False)
    assert (changed.created_ms, changed.updated_ms) == (1_000, 3_000)


async def test_ensuring_nothing_and_what_is_not_json(database: Database) -> None:
    async with database.begin() as connection:
        assert await ensure_jobs(connection, [], 1_000) == {}
        with pytest.raises(InputError, match="parameters is not JSON"):
            await ensure_jobs(connection, [replace(SYNC, parameters={"a": object()})], 1_000)


async def test_a_run_is_noted(database: Database, job_id: int) -> None:
    async with database.begin() as connection:
        await mark_run(connection, {job_id}, 9_000)
        assert (await get_job(connection, "backfill_kline")).last_run_ms == 9_000


@pytest.fixture
async def jobs(database: Database) -> list[str]:
    """Names, ascending, of four jobs that differ in type, category, schedule and runs."""
    specs = [
        JobSpec("a_100%", "ticker", "monitor", "", schedule_type="interval", interval_seconds=60),
        JobSpec("b_x", "balance", "sync", "", enabled=False),
        JobSpec("c_sync", "kline", "cleanup", "", timeout_seconds=5, max_instances=3),
        SYNC,
    ]
    async with database.begin() as connection:
        ids = await ensure_jobs(connection, specs[::-1], 1_000)
        await mark_run(connection, {ids["c_sync"]}, 9_000)
    return [spec.name for spec in specs]


async def test_jobs_come_by_name_in_windows(database: Database, jobs: list[str]) -> None:
    async with database.read() as connection:
        rows, total = await list_jobs(connection)
        assert ([row.name for row in rows], total) == (jobs, 4)
        rows, total = await list_jobs(connection, order_desc=True, limit=2, offset=1)
        assert ([row.name for row in rows], total) == ([jobs[2], jobs[1]], 4)
        assert await list_jobs(connection, offset=4) == ([], 4)
        rows, _ = await list_jobs(connection, order_by="last_run_at", order_desc=True, limit=1)
        assert (rows[0].name, rows[0].last_run_ms, rows[0].max_instances) == ("c_sync", 9_000, 3)


async def test_every_field_of_a_job_orders_both_ways(database: Database, jobs: list[str]) -> None:
    async with database.read() as connection:
        for field in ORDER_FIELDS:
            up, _ = await list_jobs(connection, order_by=field)
            down, _ = await list_jobs(connection, order_by=field, order_desc=True)
            assert [row.name for row in up] == [row.name for row in down][::-1]
            assert sorted(row.name for row in up) == jobs
        with pytest.raises(InputError, match="order_by 'next_run_ms' is not one of id, job_type, name"):
            await list_jobs(connection, order_by="next_run_ms")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("KLINE", ["c_sync", "sync_klines_1h"]),
        ("sync", ["b_x", "c_sync", "sync_klines_1h"]),
        ("0%", ["a_100%"]),
        ("a_1", ["a_100%"]),
        ("cron", []),
        ("", ["a_100%", "b_x", "c_sync", "sync_klines_1h"]),
    ],
)
async def test_jobs_are_searched_by_name_type_and_category(
    database: Database, jobs: list[str], search: str, found: list[str]
) -> None:
    async with database.read() as connection:
        rows, total = await list_jobs(connection, search=search)
    assert ([row.name for row in rows], total) == (found, len(found))
