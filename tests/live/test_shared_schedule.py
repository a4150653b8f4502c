"""Two servers on one PostgreSQL share one schedule: every due moment is run once, by one of them."""

import itertools
import time
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from markethub.control.database import open_database
from markethub.control.schema import execution
from tests.hub_process import HubProcess

pytestmark = pytest.mark.postgres

TICK = {
    "MARKETHUB_SCHEDULER__ENABLED": "true",
    "MARKETHUB_CONTROL__SHARED": "true",
    "MARKETHUB_SCHEDULER__DEFAULT_JOBS": "false",
    "MARKETHUB_JOBS__TICK__TYPE": "ticker",
    "MARKETHUB_JOBS__TICK__CATEGORY": "sync",
    "MARKETHUB_JOBS__TICK__EVERY": "1s",
    "MARKETHUB_JOBS__TICK__MAX_INSTANCES": "1000",
    "MARKETHUB_JOBS__TICK__PARAMETERS": '{"exchanges": ["BNC"]}',
}


@pytest.fixture
async def shared_url(postgres_uri: str) -> AsyncIterator[str]:
    admin = await asyncpg.connect(postgres_uri)
    name = "shared_schedule"
    await admin.execute(f"CREATE DATABASE {name}")
    yield make_url(postgres_uri).set(database=name).render_as_string(hide_password=False)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def due_runs(url: str) -> list[tuple[int, str, str | None]]:
    database = await open_database(url)
    try:
        async with database.read() as connection:
            statement = select(execution.c.due_ms, execution.c.status, execution.c.worker_id)
            rows = await connection.execute(statement.where(execution.c.due_ms.is_not(None)))
            return sorted((row.due_ms, row.status, row.worker_id) for row in rows)
    finally:
        await database.close()


def wait_for_ticks(hub: HubProcess, count: int) -> None:
    """Wait until at least ``count`` runs of the job have ended well."""
    end_s = time.monotonic() + 90
    with hub.client() as client:
        while client.get_job_executions("tick", "success", limit=1)["pagination"]["total"] < count:
            assert time.monotonic() < end_s, hub.log.read_text()[-4000:]
            time.sleep(0.2)


@pytest.mark.timeout(240)
async def test_no_due_moment_twice_and_none_missed(
    shared_url: str, hub_process: Callable[[str], HubProcess]
) -> None:
    hubs = [hub_process("one"), hub_process("two")]
    for hub in hubs:
        hub.settings = TICK | {"MARKETHUB_CONTROL__URL": shared_url}
        hub.data_dir.mkdir()
    hubs[0].start()
    # the first admin token is one for both
    (hubs[1].data_dir / "admin.token").write_text((hubs[0].data_dir / "admin.token").read_text())
    hubs[1].start()
    wait_for_ticks(hubs[0], 3)
    hubs[0].kill()  # in the middle of anything; the other goes on
    wait_for_ticks(hubs[1], 6)
    hubs[0].launch()
    hubs[0].wait_until_ready()
    wait_for_ticks(hubs[1], 10)
    assert [hub.stop() for hub in hubs] == [0, 0]
    runs = await due_runs(shared_url)
    moments = [due_ms for due_ms, _, _ in runs]
    assert {after - before for before, after in itertools.pairwise(moments)} == {1000}
    workers = {worker for _, status, worker in runs if status == "SUCCESS"}
    assert len(workers) >= 2, "only one of the servers ever worked"
