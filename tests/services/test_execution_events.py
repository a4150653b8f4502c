"""Followed executions: nothing of the log is lost or told twice, however many follow and whenever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import delete

from markethub.app import JOBS
from markethub.control.database import Database, open_database
from markethub.control.jobs import ensure_jobs
from markethub.control.logs import LogLine
from markethub.control.schema import execution as execution_table
from markethub.control.schema import log as log_table
from markethub.domain.errors import NotFoundError
from markethub.domain.execution import ChunkStatus, ExecutionStatus
from markethub.engine.engine import Engine
from markethub.engine.handler import (
    Counters,
    NewChunk,
    NewExecution,
    Plan,
    RunningChunk,
    RunningExecution,
    WorkLog,
)
from markethub.engine.settings import EngineSettings
from markethub.ports.clock import system_clock
from markethub.services import execution_events
from markethub.services.execution_events import Ended, EventFeeds, ExecutionEvent, Quiet, Seen
from markethub.services.hub import Hub
from markethub.services.logs import list_logs
from tests.bare_hub import bare_hub

LINES = 300  # more than a page, and more than the tail


class Talker:
    """Chunks that say much, each when it is let go on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.lines = LINES
        self.again: asyncio.Event | None = None

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        return Plan([NewChunk(f"part {number}", "BNC", {}) for number in range(3)], {"processed": 0})

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        await self.go_on.wait()
        for number in range(self.lines):
            log.info(f"{chunk.key} says {number}")
        if self.again is not None:
            await self.again.wait()
            for number in range(self.lines):
                log.info(f"{chunk.key} says {number} again")
        return {"processed": 1}


@pytest.fixture
def talker() -> Talker:
    return Talker()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path / 'control.sqlite'}")
    async with opened.begin() as connection:
        await ensure_jobs(connection, JOBS, system_clock())
    yield opened
    await opened.close()


@pytest.fixture
async def hub(database: Database, talker: Talker) -> AsyncIterator[Hub]:
    engine = Engine(database, {"backfill_kline": talker}, EngineSettings(grace_s=0))
    await engine.start()
    yield bare_hub(database, engine, system_clock)
    await engine.drain()


async def queue(hub: Hub) -> int:
    return await hub.engine.enqueue(NewExecution("backfill_kline", {}, "backfill_kline_aaaaaaaa", "queued"))


async def follow(
    feeds: EventFeeds, hub: Hub, execution_id: int, after_line: int = 0, *, with_lines: bool = True
) -> list[ExecutionEvent]:
    return [
        event async for event in feeds.follow(hub, execution_id, after_line=after_line, with_lines=with_lines)
    ]


def lines_of(events: list[ExecutionEvent]) -> list[int]:
    return [event.id for event in events if isinstance(event, LogLine)]


async def stored_lines(hub: Hub) -> list[int]:
    found = []
    for offset in range(0, 3 * LINES + 10, 1000):
        found += (await list_logs(hub, job_id="backfill_kline_aaaaaaaa", limit=1000, offset=offset)).rows
    return sorted(line.id for line in found)


async def test_a_run_is_told_from_the_first_state_to_the_end(hub: Hub, talker: Talker) -> None:
    feeds = EventFeeds()
    number = await queue(hub)
    told: list[ExecutionEvent] = []
    async with aclosing(feeds.follow(hub, number)) as events:
        async for event in events:
            told.append(event)
            if isinstance(event, Seen) and event.counts[ChunkStatus.RUNNING] == 3:
                talker.go_on.set()
    states = [event for event in told if isinstance(event, Seen)]
    assert isinstance(told[0], Seen)
    assert states[-1].execution.status is ExecutionStatus.SUCCESS
    assert states[-1].counts[ChunkStatus.DONE] == 3
    assert all(one != other for one, other in pairwise(states))
    assert told[-1] == Ended(states[-1])
    assert lines_of(told) == await stored_lines(hub)
    assert len(lines_of(told)) > 3 * LINES


async def test_going_on_after_any_line_tells_the_rest_once(hub: Hub, talker: Talker) -> None:
    number = await queue(hub)
    talker.go_on.set()
    await hub.engine.wait(number, 30)
    feeds = EventFeeds()
    everything = lines_of(await follow(feeds, hub, number))
    assert everything == await stored_lines(hub)
    for place in (0, 1, 199, 200, 201, len(everything) - 1):
        rest = await follow(feeds, hub, number, everything[place])
        assert lines_of(rest) == everything[place + 1 :], place
        assert isinstance(rest[-1], Ended)


async def test_many_followers_hear_the_same_and_are_looked_for_once(
    hub: Hub, talker: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    look = execution_events._Feed._look

    async def count(feed: execution_events._Feed) -> None:
        nonlocal looks
        looks += 1
        await look(feed)

    monkeypatch.setattr(execution_events._Feed, "_look", count)
    feeds = EventFeeds()
    number = await queue(hub)
    followers = [asyncio.create_task(follow(feeds, hub, number)) for _ in range(100)]
    await asyncio.sleep(0)
    talker.go_on.set()
    heard = await asyncio.gather(*followers)
    expected = await stored_lines(hub)
    assert all(lines_of(events) == expected for events in heard)
    assert looks < 100
    assert not feeds._feeds


async def test_a_slow_follower_loses_no_line(hub: Hub, talker: Talker) -> None:
    feeds = EventFeeds()
    number = await queue(hub)
    told: list[ExecutionEvent] = []
    async with aclosing(feeds.follow(hub, number)) as events:
        told.append(await anext(events))
        talker.go_on.set()
        await hub.engine.wait(number, 30)
        async for event in events:
            told.append(event)
            await asyncio.sleep(0)
    assert lines_of(told) == await stored_lines(hub)


async def test_who_falls_behind_what_is_kept_reads_it(hub: Hub, talker: Talker) -> None:
    talker.lines, talker.again = 50, asyncio.Event()
    feeds = EventFeeds()
    number = await queue(hub)
    slow: list[ExecutionEvent] = []
    async with aclosing(feeds.follow(hub, number)) as events:
        async for event in events:
            slow.append(event)
            if isinstance(event, Seen) and event.counts[ChunkStatus.RUNNING] == 3:
                break  # it has all lines of before, and takes no more for a while
        (feed,) = feeds._feeds.values()
        before = feed._newest
        talker.go_on.set()
        while feed._newest < before + 150:
            await feed.changed.wait()
        talker.again.set()
        await hub.engine.wait(number, 30)
        while not feed.is_over:
            await feed.changed.wait()
        slow += [event async for event in events]
    assert lines_of(slow) == await stored_lines(hub)


async def test_without_lines_only_states_are_told(hub: Hub, talker: Talker) -> None:
    talker.go_on.set()
    told = await follow(EventFeeds(), hub, await queue(hub), with_lines=False)
    assert {type(event) for event in told} == {Seen, Ended}


async def test_silence_is_told_now_and_then(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_events, "BEAT_S", 0.01)
    async with aclosing(EventFeeds().follow(hub, await queue(hub))) as events:
        async for event in events:
            if isinstance(event, Quiet):
                return


async def test_closing_ends_every_following_and_the_next_ones(hub: Hub) -> None:
    feeds = EventFeeds()
    number = await queue(hub)
    following = asyncio.create_task(follow(feeds, hub, number))
    async with aclosing(feeds.follow(hub, number)) as events:
        await anext(events)
        feeds.close()
    assert not any(isinstance(event, Ended) for event in await following)
    assert await follow(feeds, hub, number) == []


async def test_one_that_is_deleted_meanwhile_is_not_found(
    hub: Hub, talker: Talker, database: Database
) -> None:
    feeds = EventFeeds()
    with pytest.raises(NotFoundError, match="Execution not found: 999"):
        await follow(feeds, hub, 999)
    waiting = await hub.engine.enqueue(
        NewExecution("backfill_symbol", {"exchanges": []}, "backfill_symbol_aaaaaaaa", "queued")
    )
    async with aclosing(feeds.follow(hub, waiting)) as events:
        await anext(events)
        async with database.begin() as connection:
            await connection.execute(delete(log_table).where(log_table.c.execution_id == waiting))
            await connection.execute(delete(execution_table).where(execution_table.c.id == waiting))
        with pytest.raises(NotFoundError):
            async for _ in events:
                pass


async def test_work_of_another_process_is_seen_by_looking(
    hub: Hub, talker: Talker, database: Database
) -> None:
    idle = bare_hub(database, Engine(database, {}), system_clock)
    number = await queue(hub)
    talker.go_on.set()
    told = await follow(EventFeeds(), idle, number)
    assert isinstance(told[-1], Ended)
    assert lines_of(told) == await stored_lines(hub)
