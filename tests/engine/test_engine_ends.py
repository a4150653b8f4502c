import asyncio
from typing import Any

import pytest

from markethub.control.chunks import ClaimedChunk, claim_chunks
from markethub.control.database import open_database
from markethub.control.leases import leased_workers
from markethub.domain.errors import ConflictError, NotFoundError, VenueUnavailableError
from markethub.domain.execution import ExecutionStatus
from markethub.engine import worker
from markethub.engine.handler import Counters, Plan, RunningChunk, RunningExecution, WorkLog
from tests.engine.scripted import Bureau, ScriptedHandler, until


class Gate:
    """A chunk that runs until it is cancelled, and tells of both."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, chunk: RunningChunk, _log: WorkLog) -> Counters:
        if chunk.key.startswith("quick"):
            return {"processed": 1}
        self.entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        raise AssertionError("unreachable")


async def test_cancelling_stops_the_work_and_drops_what_waits(bureau: Bureau) -> None:
    gate = Gate()
    handler = ScriptedHandler(gate)
    engine = await bureau.started(handler, concurrency=1)
    request = bureau.request("quick", "slow", "waiting1", "waiting2")
    execution_id = await engine.enqueue(request)
    await gate.entered.wait()

    async def quick_is_settled() -> bool:
        return (await engine.wait(execution_id, 0)).chunks_done == 1

    await until(quick_is_settled)
    await engine.cancel(execution_id)
    await asyncio.wait_for(gate.cancelled.wait(), 30)
    ended = await engine.wait(execution_id, 30)
    assert (ended.status, ended.error) == (ExecutionStatus.FAILURE, "cancelled")
    assert ended.result == {
        "processed": 1,
        "chunks": {"total": 4, "done": 1, "failed": 0},
        "failures": [],
        "error_message": "cancelled",
    }
    assert handler.runs == ["quick", "slow"]
    assert (await engine.queue_depth()).chunks_pending == 0
    last = (await bureau.messages(request.trace_id))[-1]
    assert last == "ERROR Ended as FAILURE | cancelled | chunks=1/4 | processed=1"
    with pytest.raises(ConflictError, match=f"execution {execution_id} has already ended as FAILURE"):
        await engine.cancel(execution_id)
    with pytest.raises(NotFoundError, match="Execution not found: 999"):
        await engine.cancel(999)
    gate.entered.clear()
    await engine.enqueue(bureau.request("slow"))
    await asyncio.wait_for(gate.entered.wait(), 30)  # the slot is free again


async def test_cancelling_before_anything_ran(bureau: Bureau) -> None:
    engine = bureau.engine(ScriptedHandler())
    execution_id = await engine.enqueue(bureau.request("a"))
    await engine.cancel(execution_id)
    ended = await engine.wait(execution_id, 0)
    assert (ended.status, ended.started_ms, ended.duration_ms) == (ExecutionStatus.FAILURE, None, None)
    assert ended.completed_ms is not None


async def test_cancelling_while_it_is_planned(bureau: Bureau) -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def do_plan(_execution: RunningExecution, _log: WorkLog) -> Plan:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError("unreachable")

    engine = await bureau.started(ScriptedHandler(do_plan=do_plan))
    execution_id = await engine.enqueue(bureau.request("a"))
    await entered.wait()
    await engine.cancel(execution_id)
    await asyncio.wait_for(cancelled.wait(), 30)
    assert (await engine.wait(execution_id, 30)).error == "cancelled"


async def test_another_process_hears_of_a_cancel(bureau: Bureau, database_url: str) -> None:
    gate = Gate()
    # on SQLite the heartbeat tells, on PostgreSQL the notification: there a heartbeat would be too late
    lease_s = 0.4 if bureau.database.dialect == "sqlite" else 300.0
    engine = await bureau.started(ScriptedHandler(gate), lease_s=lease_s)
    other_database = await open_database(database_url)
    other = bureau.engine(database=other_database)
    execution_id = await engine.enqueue(bureau.request("slow"))
    await gate.entered.wait()
    await other.cancel(execution_id)
    await asyncio.wait_for(gate.cancelled.wait(), 30)
    await other_database.close()


async def test_an_overdue_execution_times_out_with_its_running_chunk(bureau: Bureau) -> None:
    gate, now_ms = Gate(), 1_000_000
    engine = await bureau.started(ScriptedHandler(gate), clock=lambda: now_ms, concurrency=1, lease_s=300.0)
    request = bureau.request("quick", "slow", "waiting", timeout_s=0.3)
    execution_id = await engine.enqueue(request)
    await asyncio.wait_for(gate.entered.wait(), 30)  # the time stands still until the chunk runs
    now_ms += 301
    engine._worker._keep_soon.set()  # as its alarm does, which may have rung while the time stood still
    ended = await engine.wait(execution_id, 30)
    assert (ended.status, ended.error) == (ExecutionStatus.TIMEOUT, "timed out after 0.3 s")
    assert ended.duration_ms is not None
    assert ended.duration_ms >= 300
    assert ended.result is not None
    assert ended.result["chunks"]["total"] == 3
    await asyncio.wait_for(gate.cancelled.wait(), 30)
    assert (await engine.queue_depth()).chunks_pending == 0
    assert engine.metrics.finished == {ExecutionStatus.TIMEOUT: 1}


async def test_planning_counts_for_the_timeout(bureau: Bureau) -> None:
    async def do_plan(_execution: RunningExecution, _log: WorkLog) -> Plan:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    engine = await bureau.started(ScriptedHandler(do_plan=do_plan), lease_s=300.0)
    execution_id = await engine.enqueue(bureau.request("a", timeout_s=0.2))
    assert (await engine.wait(execution_id, 30)).status is ExecutionStatus.TIMEOUT


async def test_waiting_in_the_queue_does_not_count_for_the_timeout(bureau: Bureau) -> None:
    now_ms = 1_000_000
    engine = bureau.engine(ScriptedHandler(), clock=lambda: now_ms)
    execution_id = await engine.enqueue(bureau.request("a", timeout_s=1.0))
    now_ms += 3_600_000
    await engine.start()
    assert (await engine.wait(execution_id, 30)).status is ExecutionStatus.SUCCESS


async def test_a_deadline_is_looked_at_again_under_the_lock(bureau: Bureau) -> None:
    engine = bureau.engine()
    ended, open_ended = await engine.enqueue_many([bureau.request("a"), bureau.request("b")])
    await engine.cancel(ended)
    # as if they had been overdue when the keeper looked, and had ended or been moved since
    await engine._worker._keeper._end_overdue([ended, open_ended])
    assert (await engine.wait(ended, 0)).error == "cancelled"
    assert (await engine.wait(open_ended, 0)).status is ExecutionStatus.PENDING


async def test_a_process_that_ends_without_a_drain_fails_no_chunk(bureau: Bureau) -> None:
    gate = Gate()
    engine = await bureau.started(ScriptedHandler(gate), lease_s=300.0)
    execution_id = await engine.enqueue(bureau.request("slow"))
    await gate.entered.wait()
    tasks = list(engine._worker.bench._tasks)
    for task in tasks:  # what asyncio.run does to what is left at its end
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    assert (await engine.wait(execution_id, 0)).status is ExecutionStatus.RUNNING
    async with bureau.database.read() as connection:
        assert await leased_workers(connection) == {engine.settings.worker_id}


async def test_draining_lets_running_work_end_and_claims_no_more(bureau: Bureau) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def do_run(_chunk: RunningChunk, log: WorkLog) -> Counters:
        entered.set()
        await go_on.wait()
        log.info("last words")
        return {"processed": 1}

    handler = ScriptedHandler(do_run)
    engine = await bureau.started(handler, concurrency=1, grace_s=30.0)
    request = bureau.request("a", "b")
    execution_id = await engine.enqueue(request)
    await entered.wait()

    async def has_stopped_claiming() -> bool:
        return not engine.is_working

    assert not await has_stopped_claiming()
    draining = asyncio.gather(engine.drain(), engine.drain())
    await until(has_stopped_claiming)
    go_on.set()
    await draining
    stopped = await engine.wait(execution_id, 0)
    assert (stopped.status, stopped.chunks_done, handler.runs) == (ExecutionStatus.RUNNING, 1, ["a"])
    assert "INFO last words" in await bureau.messages(request.trace_id)
    second = await bureau.started(ScriptedHandler())
    assert (await second.wait(execution_id, 30)).status is ExecutionStatus.SUCCESS


async def test_draining_gives_leases_back_without_counting_an_attempt(bureau: Bureau) -> None:
    gate = Gate()
    engine = await bureau.started(ScriptedHandler(gate), grace_s=0.0, lease_s=300.0, max_attempts=1)
    chunk_run = await engine.enqueue(bureau.request("slow"))
    await gate.entered.wait()
    await engine.drain()
    attempts: list[int] = []

    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        attempts.append(chunk.attempt)
        return {}

    second = await bureau.started(ScriptedHandler(do_run), lease_s=300.0)
    assert (await second.wait(chunk_run, 30)).status is ExecutionStatus.SUCCESS
    assert attempts == [1]
    assert second.metrics.crashed == 0


async def test_draining_gives_a_planning_back(bureau: Bureau) -> None:
    entered = asyncio.Event()

    async def do_plan(_execution: RunningExecution, _log: WorkLog) -> Plan:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    engine = await bureau.started(ScriptedHandler(do_plan=do_plan), grace_s=0.0, lease_s=300.0)
    execution_id = await engine.enqueue(bureau.request("a"))
    await entered.wait()
    await engine.drain()
    assert (await engine.wait(execution_id, 0)).status is ExecutionStatus.PENDING
    second = await bureau.started(ScriptedHandler(), lease_s=300.0)
    assert (await second.wait(execution_id, 30)).status is ExecutionStatus.SUCCESS


async def test_what_a_handler_makes_of_being_drained(bureau: Bureau) -> None:
    entered = asyncio.Event()

    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if chunk.key == "finishes":
                return {"processed": 1}
            raise VenueUnavailableError("connection closed") from None
        raise AssertionError("unreachable")

    engine = await bureau.started(ScriptedHandler(do_run), grace_s=0.0, lease_s=300.0, max_attempts=1)
    execution_id = await engine.enqueue(bureau.request("finishes", "fails"))
    await entered.wait()

    async def both_run() -> bool:
        return (await engine.queue_depth()).chunks_running == 2

    await until(both_run)
    await engine.drain()
    stopped = await engine.wait(execution_id, 0)
    assert (stopped.status, stopped.chunks_done, stopped.chunks_failed) == (ExecutionStatus.RUNNING, 1, 0)
    assert (await engine.queue_depth()).chunks_pending == 1


async def test_draining_in_the_middle_of_a_claim_leaves_no_lease_behind(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    claiming, go_on = asyncio.Event(), asyncio.Event()

    async def claim_slowly(*arguments: Any, **options: Any) -> list[ClaimedChunk]:  # noqa: ANN401 - passed through
        claimed = await claim_chunks(*arguments, **options)
        if claimed:
            claiming.set()
            await go_on.wait()
        return claimed

    monkeypatch.setattr(worker, "claim_chunks", claim_slowly)
    engine = await bureau.started(ScriptedHandler(Gate()), grace_s=0.0, lease_s=300.0)
    await engine.enqueue(bureau.request("slow"))
    await claiming.wait()
    draining = asyncio.create_task(engine.drain())
    await asyncio.sleep(0)
    go_on.set()
    await draining
    async with bureau.database.read() as connection:
        assert await leased_workers(connection) == set()
    assert (await engine.queue_depth()).chunks_pending == 1


async def test_an_engine_that_was_never_started_drains_too(bureau: Bureau) -> None:
    engine = bureau.engine(ScriptedHandler())
    await engine.drain()
    assert not engine.is_working
