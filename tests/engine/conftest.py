"""Engines that are always drained at the end of a test."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from markethub.control.database import Database
from markethub.control.jobs import JobSpec, ensure_jobs
from tests.engine.scripted import Bureau


@pytest.fixture(autouse=True)
def plain_process_log() -> Iterator[None]:
    """Process log lines as plain text: the default prints rich tracebacks, which take most of a second."""
    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()], cache_logger_on_first_use=False)
    yield
    structlog.configure(**before)


@pytest.fixture
async def bureau(database: Database) -> AsyncIterator[Bureau]:
    """A bureau whose engines are drained at the end of the test."""
    async with database.begin() as connection:
        await ensure_jobs(connection, [JobSpec("work", "kline", "backfill", "Work")], 1)
    made = Bureau(database)
    yield made
    for engine in made.engines:
        await engine.drain()
