from dataclasses import replace

import pytest

from markethub.control.database import Database
from markethub.control.jobs import JobSpec, ensure_jobs, find_job, get_job, job_ids, mark_run
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
        assert await job_ids(connection, {"sync_klines_1h", "backfill_kline"}) == {
            "sync_klines_1h": by_name.id,
            "backfill_kline": job_id,
        }


async def test_a_job_that_is_not_there(database: Database, job_id: int) -> None:
    async with database.read() as connection:
        for name in ("invalid_job_name", "0", str(job_id + 1), "9" * 40, "²", "a\x00b", "\ud800", ""):
            assert await find_job(connection, name) is None
            with pytest.raises(NotFoundError, match="Job not found"):
                await get_job(connection, name)
            with pytest.raises(NotFoundError, match="Job not found"):
                await job_ids(connection, [name])


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
