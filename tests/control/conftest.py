"""What the tests of the control database start from."""

import pytest

from markethub.control.database import Database
from markethub.control.executions import QueuedExecution, insert_executions
from markethub.control.jobs import JobSpec, ensure_jobs


@pytest.fixture
async def job_id(database: Database) -> int:
    """The id of a stored job named ``backfill_kline``."""
    async with database.begin() as connection:
        ids = await ensure_jobs(connection, [JobSpec("backfill_kline", "kline", "backfill", "Klines")], 1_000)
    return ids["backfill_kline"]


@pytest.fixture
async def execution_id(database: Database, job_id: int) -> int:
    """The id of a stored, queued execution of that job."""
    queued = QueuedExecution(
        job_id, "backfill_kline", "backfill_kline", '{"n": 1}', "backfill_kline_aaaa1111", 0, None
    )
    async with database.begin() as connection:
        (number,) = await insert_executions(connection, [queued], 5_000)
    return number
