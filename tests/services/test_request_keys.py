"""Keys of requests on both databases: side by side, after a restart, and after their time."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import Table, func, select

from markethub.app import JOBS
from markethub.control.database import Database, open_database
from markethub.control.jobs import ensure_jobs
from markethub.control.request_keys import KEPT_MS, RequestKey
from markethub.control.schema import execution, log, request_key
from markethub.domain.errors import ConflictError, InputError
from markethub.engine.engine import Engine
from markethub.services.backfill import Queued, queue_symbol_backfill
from markethub.services.hub import Hub
from markethub.services.request_keys import queue_once
from tests.bare_hub import StillClock, bare_hub

NAME = RequestKey(1, "one", "a" * 64)
OTHER_REQUEST = RequestKey(1, "one", "b" * 64)


async def hub_on(database: Database, clock: StillClock) -> Hub:
    async with database.begin() as connection:
        await ensure_jobs(connection, JOBS, clock())
    return bare_hub(database, Engine(database, {}, clock=clock), clock)


async def queue(hub: Hub, name: RequestKey | None, exchange: str = "BNC") -> Queued:
    return await queue_once(hub, name, partial(queue_symbol_backfill, hub, exchanges=[exchange]))


async def count(database: Database, table: Table) -> int:
    async with database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


async def test_side_by_side_one_is_queued_and_all_are_told(database: Database) -> None:
    hubs = [await hub_on(database, StillClock()) for _ in range(4)]
    told = await asyncio.gather(*(queue(hub, NAME) for hub in hubs * 3))
    assert all(one == told[0] for one in told)
    assert [await count(database, table) for table in (execution, log, request_key)] == [1, 1, 1]


async def test_a_restart_forgets_nothing(database_url: str) -> None:
    clock, told = StillClock(), []
    for _ in range(2):
        database = await open_database(database_url)
        told.append(await queue(await hub_on(database, clock), NAME))
        assert await count(database, execution) == 1
        await database.close()
    assert told[0] == told[1]


async def test_a_key_is_free_again_after_its_time(database: Database) -> None:
    clock = StillClock()
    hub = await hub_on(database, clock)
    first = await queue(hub, NAME)
    assert KEPT_MS >= 24 * 3_600_000
    clock.now_ms += KEPT_MS - 1
    assert await queue(hub, NAME) == first
    with pytest.raises(ConflictError, match=r"'one' was used for another request \(execution 1\)"):
        await queue(hub, OTHER_REQUEST)
    clock.now_ms += 1
    later = await queue(hub, OTHER_REQUEST)
    assert later.execution_id != first.execution_id
    assert await queue(hub, OTHER_REQUEST) == later
    assert await count(database, request_key) == 1


async def test_any_keyed_request_clears_away_what_has_expired(database: Database) -> None:
    clock = StillClock()
    hub = await hub_on(database, clock)
    for number in range(3):
        await queue(hub, RequestKey(number, "old", "a" * 64))
    clock.now_ms += KEPT_MS
    await queue(hub, NAME)
    assert await count(database, request_key) == 1


async def test_the_answer_stands_though_the_request_would_be_refused_today(database: Database) -> None:
    hub = await hub_on(database, StillClock())
    first = await queue(hub, NAME, "BNC")
    # What the hash says is the same request; the exchange would no longer be one.
    assert await queue(hub, NAME, "GONE") == first


async def test_a_refused_request_leaves_nothing(database: Database) -> None:
    hub = await hub_on(database, StillClock())
    with pytest.raises(InputError):
        await queue(hub, NAME, "GONE")
    assert [await count(database, table) for table in (execution, request_key)] == [0, 0]


async def test_an_answer_that_cannot_be_kept_takes_its_execution_back(database: Database) -> None:
    hub = await hub_on(database, StillClock())
    await queue(hub, NAME)
    with pytest.raises(ConflictError):
        await queue_symbol_backfill(hub, exchanges=["BNC"], request_key=OTHER_REQUEST)
    assert [await count(database, table) for table in (execution, log, request_key)] == [1, 1, 1]


async def test_without_a_key_nothing_is_kept(database: Database) -> None:
    hub = await hub_on(database, StillClock())
    assert await queue(hub, None) != await queue(hub, None)
    assert await count(database, request_key) == 0
