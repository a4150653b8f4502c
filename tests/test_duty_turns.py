"""The turns from one duty to the next: their order, and what they break off."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from markethub.control.database import Database, open_database
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.domain.node import Role
from markethub.duties import Duties
from markethub.engine.engine import Engine
from markethub.engine.handler import Counters, NewChunk, NewExecution, Plan, RunningChunk, WorkLog
from markethub.engine.scheduler import Scheduler
from markethub.engine.settings import EngineSettings
from markethub.replication.node import Node
from markethub.replication.reign import Reign
from markethub.stores.memory import MemorySeriesStore
from tests.bare_hub import lone_node


class EndlessWork:
    """One chunk that ends only when it is cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.was_cancelled = asyncio.Event()

    async def plan(self, *_: object) -> Plan:
        return Plan([NewChunk("all", "BNC", {})], {})

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        self.begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        raise AssertionError("nobody sets this future")


class SlowFollowing:
    """Ends to follow when it is let."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.may_end = asyncio.Event()

    async def start(self) -> None:
        self.steps.append("started")

    async def drain(self) -> None:
        self.steps.append("draining")
        await self.may_end.wait()
        self.steps.append("drained")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(f"sqlite:///{tmp_path / 'control.sqlite'}")
    async with database.begin() as connection:
        spec = JobSpec(name="sync_kline", job_type="kline", job_category="sync", description="")
        await ensure_jobs(connection, [spec], database.clock())
    yield database
    await database.close()


def node_of(role: Role, following: Any = None) -> Node:  # noqa: ANN401 - a part of a Following
    store = MemorySeriesStore()
    return replace(lone_node(store, lambda: 0), reign=Reign(store, role), following=following)


async def wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - the state of others, who tell nobody
            await asyncio.sleep(0.002)


async def test_work_of_a_replaced_master_is_broken_off(database: Database) -> None:
    work = EndlessWork()
    engine = Engine(database, {"sync_kline": work}, EngineSettings(grace_s=3600))
    node = node_of(Role.MASTER)
    duties = Duties(node, engine, Scheduler(database, engine), wait_for_ever)
    await duties.start()
    execution_id = await engine.enqueue(NewExecution("sync_kline", {}, "trace", "message"))
    await asyncio.wait_for(work.begun.wait(), 20)
    await node.reign.hear(2)
    await asyncio.wait_for(work.was_cancelled.wait(), 20)
    await duties.drain()
    assert not (await engine.wait(execution_id, 0)).status.is_final


async def test_a_promoted_node_works_only_after_it_has_ended_to_follow(database: Database) -> None:
    engine = Engine(database, {}, EngineSettings(grace_s=0))
    scheduler = Scheduler(database, engine)
    following = SlowFollowing()
    node = node_of(Role.SLAVE, following)
    duties = Duties(node, engine, scheduler, wait_for_ever)
    await duties.start()
    assert (following.steps, engine.is_working) == (["started"], False)
    await node.reign.promote()
    await until(lambda: following.steps[-1] == "draining")
    assert not engine.is_working
    following.may_end.set()
    await until(lambda: engine.is_working and scheduler.is_working)
    assert following.steps == ["started", "draining", "drained"]
    await duties.drain()
    assert engine.is_drained
    assert not scheduler.is_working


async def test_a_turn_under_way_is_ended_before_all_is_drained(database: Database) -> None:
    engine = Engine(database, {}, EngineSettings(grace_s=0))
    following = SlowFollowing()
    node = node_of(Role.SLAVE, following)
    duties = Duties(node, engine, None, wait_for_ever)
    await duties.start()
    await node.reign.promote()
    await until(lambda: following.steps[-1] == "draining")
    draining = asyncio.create_task(duties.drain())
    following.may_end.set()
    await asyncio.wait_for(draining, 20)
    assert following.steps == ["started", "draining", "drained"]
    assert engine.is_drained


async def test_a_turn_that_fails_is_told_and_does_not_end_the_watch(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(database, {}, EngineSettings(grace_s=0))

    async def fail() -> None:
        raise OSError("no threads left")

    monkeypatch.setattr(engine, "start", fail)
    node = node_of(Role.SLAVE)
    duties = Duties(node, engine, None, wait_for_ever)
    await duties.start()
    await node.reign.promote()
    await asyncio.sleep(0)
    await node.reign.hear(9)
    await until(lambda: engine.is_drained)
    await duties.drain()
