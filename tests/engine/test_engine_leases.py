import asyncio
import random
import socket
import sys
from collections.abc import Sequence

import pytest

from markethub.control.chunks import (
    ClaimedChunk,
    PlannedChunk,
    claim_chunks,
    expired_chunks,
    lock_chunks,
    renew_chunks,
)
from markethub.control.database import Database, open_database
from markethub.control.planning import claim_executions, expired_plannings, renew_executions
from markethub.domain.execution import ExecutionStatus
from markethub.engine.handler import Counters, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.engine.identity import new_worker_id
from markethub.engine.moves import Ending
from markethub.engine.settings import EngineSettings
from markethub.engine.settlement import ChunkEnd, End, PlanEnd, Settlement, Settler
from tests.engine.scripted import Bureau, ScriptedHandler, until


async def take(database: Database, worker_id: str, now_ms: int, lease_ms: int = 1_000) -> list[ClaimedChunk]:
    async with database.begin() as connection:
        return await claim_chunks(
            connection,
            worker_id=worker_id,
            now_ms=now_ms,
            lease_until_ms=now_ms + lease_ms,
            limit=10,
            handlers=["backfill_kline"],
            room={},
        )


async def settle(database: Database, ends: Sequence[End], now_ms: int, **settings: int) -> Settlement:
    settler = Settler(EngineSettings(worker_id="settler", **settings), random.Random(1))  # type: ignore[arg-type] # ints only
    async with database.begin() as connection:
        return await settler.settle(connection, ends, now_ms)


async def planned(bureau: Bureau, *keys: str, now_ms: int = 0) -> int:
    """An execution whose plan is settled at ``now_ms``, without an engine."""
    execution_id = await bureau.engine(clock=lambda: now_ms).enqueue(bureau.request(*keys))
    async with bureau.database.begin() as connection:
        (state,) = await claim_executions(
            connection,
            worker_id="p",
            now_ms=now_ms,
            lease_until_ms=now_ms + 1_000,
            limit=1,
            handlers=["backfill_kline"],
        )
    chunks = [PlannedChunk(key, "q", "{}", 0) for key in keys]
    await settle(bureau.database, [PlanEnd(state.id, state.claims, Ending.DONE, chunks)], now_ms)
    return execution_id


def end_of(claimed: ClaimedChunk, ending: Ending = Ending.DONE) -> ChunkEnd:
    # Nobody knows what one that crashed has counted.
    counters = {} if ending is Ending.CRASHED else {"processed": 1}
    return ChunkEnd(claimed.id, claimed.execution_id, claimed.claims, ending, counters, "why")


async def test_a_zombie_changes_nothing(bureau: Bureau) -> None:
    database = bureau.database
    execution_id = await planned(bureau, "a", "b")
    old, _ = await take(database, "zombie", 0)
    sweep = await settle(database, [end_of(old, Ending.CRASHED)], 1_001)
    assert (sweep.crashed, sweep.stale) == (1, 0)
    (new,) = await take(database, "heir", 1_001)
    assert (new.id, new.claims, new.attempts) == (old.id, 2, 1)
    for ending in Ending:
        late = await settle(database, [end_of(old, ending)], 9_000)
        assert (late.stale, late.closed, late.chunks_done) == (1, [], 0)
    async with database.begin() as connection:
        assert await renew_chunks(connection, {old.id: old.claims}, 99_000) == set()
    done = await settle(database, [end_of(new)], 9_001)
    assert (done.stale, done.chunks_done) == (0, 1)
    twice = await settle(database, [end_of(new)], 9_002)
    assert (twice.stale, twice.chunks_done) == (1, 0)
    progress = await bureau.engine().wait(execution_id, 0)
    assert (progress.chunks_done, progress.counters) == (1, {"processed": 1})


async def test_a_zombie_planner_changes_nothing(bureau: Bureau) -> None:
    database = bureau.database
    execution_id = await bureau.engine(clock=lambda: 0).enqueue(bureau.request("a"))

    async def claim(now_ms: int) -> int:
        async with database.begin() as connection:
            (state,) = await claim_executions(
                connection,
                worker_id="w",
                now_ms=now_ms,
                lease_until_ms=now_ms + 1_000,
                limit=1,
                handlers=["backfill_kline"],
            )
            assert state.started_ms == 0
        return state.claims

    first = await claim(0)
    async with database.begin() as connection:
        assert await renew_executions(connection, {execution_id: first}, 2_000) == {execution_id}
        assert [one.id for one in await expired_plannings(connection, 2_001, 10)] == [execution_id]
    await settle(database, [PlanEnd(execution_id, first, Ending.CRASHED)], 2_001)
    second = await claim(2_001)
    assert (first, second) == (1, 2)
    late = await settle(database, [PlanEnd(execution_id, first, Ending.DONE)], 2_002)
    assert (late.stale, late.closed) == (1, [])
    done = await settle(database, [PlanEnd(execution_id, second, Ending.DONE)], 2_003)
    assert [one.status for one in done.closed] == [ExecutionStatus.SUCCESS]


async def test_a_sweep_spares_a_lease_that_was_just_renewed(bureau: Bureau) -> None:
    await planned(bureau, "a")
    (claimed,) = await take(bureau.database, "slow", 0)
    async with bureau.database.begin() as connection:
        (expired,) = await expired_chunks(connection, 1_001, 10)
        assert await renew_chunks(connection, {claimed.id: claimed.claims}, 5_000) == {claimed.id}
    sweep = await settle(
        bureau.database,
        [ChunkEnd(expired.id, expired.execution_id, expired.claims, Ending.CRASHED)],
        1_001,
    )
    assert (sweep.stale, sweep.crashed) == (1, 0)


async def test_a_chunk_that_kills_its_workers_fails_in_the_end(bureau: Bureau) -> None:
    execution_id = await planned(bureau, "a")
    for now_ms in range(0, 6_000, 2_000):
        (claimed,) = await take(bureau.database, f"w{now_ms}", now_ms)
        last = await settle(bureau.database, [end_of(claimed, Ending.CRASHED)], now_ms + 1_001, max_crashes=3)
    assert [one.status for one in last.closed] == [ExecutionStatus.FAILURE]
    ended = await bureau.engine().wait(execution_id, 0)
    assert ended.error == "1 of 1 chunks failed: a: worker died 3 times"


async def test_chunks_that_end_together_close_their_execution_once(bureau: Bureau) -> None:
    await planned(bureau, "a", "b", "c")
    claimed = await take(bureau.database, "w", 0)
    settlements = await asyncio.gather(
        *(settle(bureau.database, [end_of(one), end_of(one)], 10) for one in claimed)
    )
    assert sum(len(one.closed) for one in settlements) == 1
    assert sum(one.chunks_done for one in settlements) == 3


async def test_two_engines_share_the_work_and_run_nothing_twice_at_once(
    bureau: Bureau, database_url: str
) -> None:
    running: set[str] = set()
    ran: list[str] = []
    both_work = asyncio.Event()

    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        if all(handler.runs for handler in handlers):
            both_work.set()
        await both_work.wait()
        assert chunk.key not in running
        running.add(chunk.key)
        await asyncio.sleep(0.001)
        running.discard(chunk.key)
        ran.append(chunk.key)
        return {"processed": 1}

    other_database = await open_database(database_url)
    handlers = [ScriptedHandler(do_run), ScriptedHandler(do_run)]
    first = await bureau.started(handlers[0], concurrency=4, poll_s=0.02)
    second = await bureau.started(handlers[1], concurrency=4, poll_s=0.02, database=other_database)
    keys = [f"c{n}" for n in range(200)]
    ids = await first.enqueue_many([bureau.request(*keys[:100]), bureau.request(*keys[100:])])
    for execution_id in ids:
        ended = await second.wait(execution_id, 60)
        assert (ended.status, ended.counters) == (ExecutionStatus.SUCCESS, {"processed": 100})
    assert sorted(ran) == sorted(keys)
    await second.drain()
    await other_database.close()


async def test_the_lease_of_a_running_chunk_is_renewed(bureau: Bureau) -> None:
    renewed = asyncio.Event()

    async def do_run(_chunk: RunningChunk, _log: WorkLog) -> Counters:
        await renewed.wait()
        return {}

    async def lease_until_ms() -> int | None:
        async with bureau.database.read() as connection:
            leased = await expired_chunks(connection, 2**60, 10)
        return leased[0].lease_until_ms if leased else None

    engine = await bureau.started(ScriptedHandler(do_run), lease_s=2.0)
    execution_id = await engine.enqueue(bureau.request("a"))
    seen: set[int | None] = set()

    async def seen_thrice() -> bool:
        seen.add(await lease_until_ms())
        return len(seen - {None}) >= 3

    await until(seen_thrice)
    renewed.set()
    assert (await engine.wait(execution_id, 30)).status is ExecutionStatus.SUCCESS
    assert await lease_until_ms() is None


async def test_a_worker_that_lost_its_lease_stops_the_work(bureau: Bureau) -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def do_run(_chunk: RunningChunk, _log: WorkLog) -> Counters:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError("unreachable")

    engine = await bureau.started(ScriptedHandler(do_run), lease_s=0.4, concurrency=1, poll_s=300.0)
    execution_id = await engine.enqueue(bureau.request("a"))
    await entered.wait()
    # as if this worker had been frozen while another one swept and claimed
    far_ms = bureau.database.clock() + 3_600_000
    async with bureau.database.begin() as connection:
        (chunk,) = await expired_chunks(connection, far_ms, 10)
        crash = ChunkEnd(chunk.id, execution_id, chunk.claims, Ending.CRASHED)
        await Settler(EngineSettings(), random.Random(1)).settle(connection, [crash], far_ms)
        (stolen,) = await claim_chunks(
            connection,
            worker_id="thief",
            now_ms=far_ms,
            lease_until_ms=far_ms + 1_000,
            limit=1,
            handlers=["backfill_kline"],
            room={},
        )
    await asyncio.wait_for(cancelled.wait(), 30)
    async with bureau.database.begin() as connection:
        state = (await lock_chunks(connection, [stolen.id]))[stolen.id]
    assert (state.worker_id, state.claims) == ("thief", stolen.claims)


async def test_the_work_of_a_dead_worker_is_taken_up(bureau: Bureau) -> None:
    now_ms = bureau.database.clock()
    execution_id = await planned(bureau, "a", "b", now_ms=now_ms)
    await take(bureau.database, "dead", now_ms, lease_ms=200)
    request_planning = bureau.request("c")
    planning_id = await bureau.engine().enqueue(request_planning)
    async with bureau.database.begin() as connection:
        await claim_executions(
            connection,
            worker_id="dead",
            now_ms=now_ms + 1_000,
            lease_until_ms=now_ms + 1_200,
            limit=1,
            handlers=["backfill_kline"],
        )
    heir = await bureau.started(ScriptedHandler(), lease_s=0.4, poll_s=300.0)
    for one in (execution_id, planning_id):
        assert (await heir.wait(one, 30)).status is ExecutionStatus.SUCCESS
    assert heir.metrics.crashed == 3
    lines = await bureau.messages(request_planning.trace_id)
    assert "WARNING Planning is taken up again | worker dead let its lease expire" in lines


async def test_a_worker_whose_process_has_ended_is_not_waited_for(bureau: Bureau) -> None:
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    now_ms = bureau.database.clock()
    execution_id = await planned(bureau, "a", now_ms=now_ms)
    planning_id = await bureau.engine().enqueue(bureau.request("b"))
    dead = f"{socket.gethostname()}-{ended.pid}-0a1b"
    await take(bureau.database, dead, now_ms, lease_ms=3_600_000)
    async with bureau.database.begin() as connection:
        await claim_executions(
            connection,
            worker_id=dead,
            now_ms=now_ms + 1_000,
            lease_until_ms=now_ms + 3_600_000,
            limit=1,
            handlers=["backfill_kline"],
        )
    alive = await planned(bureau, "c", now_ms=now_ms)
    await take(bureau.database, new_worker_id(), now_ms, lease_ms=3_600_000)
    heir = await bureau.started(ScriptedHandler())
    for one in (execution_id, planning_id):
        assert (await heir.wait(one, 30)).status is ExecutionStatus.SUCCESS
    assert (await heir.wait(alive, 0)).status is ExecutionStatus.RUNNING


async def test_the_lease_of_a_planning_is_renewed(bureau: Bureau) -> None:
    renewed = asyncio.Event()

    async def do_plan(_execution: RunningExecution, _log: WorkLog) -> Plan:
        await renewed.wait()
        return Plan([])

    engine = await bureau.started(ScriptedHandler(do_plan=do_plan), lease_s=2.0)
    execution_id = await engine.enqueue(bureau.request("a"))
    seen: set[int | None] = set()

    async def seen_thrice() -> bool:
        async with bureau.database.read() as connection:
            seen.update(one.lease_until_ms for one in await expired_plannings(connection, 2**60, 10))
        return len(seen) >= 3

    await until(seen_thrice)
    renewed.set()
    assert (await engine.wait(execution_id, 30)).status is ExecutionStatus.SUCCESS


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
async def test_a_notification_wakes_other_processes_at_once(bureau: Bureau, database_url: str) -> None:
    handler = ScriptedHandler()
    await bureau.started(handler, poll_s=300.0)
    other_database = await open_database(database_url)
    other = await bureau.started(ScriptedHandler(), poll_s=300.0, database=other_database)
    await other.drain()  # it takes requests, and works on none
    await asyncio.sleep(0.2)  # until the first engine listens; too short only makes the test slower below

    async def it_is_done() -> bool:
        await other.enqueue(bureau.request("a"))
        await asyncio.sleep(0.1)
        return bool(handler.runs)

    await asyncio.wait_for(until(it_is_done), 60)
    await other_database.close()
