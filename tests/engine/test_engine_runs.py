import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.executions import get_execution
from markethub.control.jobs import get_job
from markethub.domain.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    StoreError,
    VenueRefusedError,
    VenueThrottledError,
    VenueUnavailableError,
)
from markethub.domain.execution import ExecutionStatus
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
from tests.engine.scripted import Bureau, ScriptedHandler, until


async def test_an_execution_runs_from_request_to_honest_counts(bureau: Bureau) -> None:
    async def do_plan(execution: RunningExecution, log: WorkLog) -> Plan:
        log.info(f"planning {execution.parameters['keys']}")
        chunks = [NewChunk(key, "BNC", {"key": key}) for key in execution.parameters["keys"]]
        return Plan(chunks, {"series": 2, "processed": 5})

    async def do_run(chunk: RunningChunk, log: WorkLog) -> Counters:
        assert (chunk.parameters, chunk.queue, chunk.attempt) == ({"key": chunk.key}, "BNC", 1)
        log.info(f"ran {chunk.key}")
        return {"processed": 10, "inserted": 7}

    handler = ScriptedHandler(do_run, do_plan)
    engine = await bureau.started(handler, worker_id="w1")
    request = bureau.request("a", "b", "c")
    execution_id = await engine.enqueue(request)
    ended = await engine.wait(execution_id, 30)
    assert ended.status is ExecutionStatus.SUCCESS
    assert ended.result == {
        "series": 2,
        "processed": 35,
        "inserted": 21,
        "chunks": {"total": 3, "done": 3, "failed": 0},
        "failures": [],
    }
    assert (ended.error, ended.worker_id, ended.trace_id) == (None, "w1", request.trace_id)
    assert ended.started_ms is not None
    assert ended.completed_ms is not None
    assert ended.created_ms <= ended.started_ms <= ended.completed_ms
    assert ended.duration_ms == ended.completed_ms - ended.started_ms
    # the lines are there as soon as the status is final
    lines = await bureau.messages(request.trace_id)
    assert lines[:3] == ["INFO queued", "INFO planning ['a', 'b', 'c']", "INFO Planned | chunks=3"]
    assert sorted(lines[3:6]) == ["INFO ran a", "INFO ran b", "INFO ran c"]
    assert lines[6:] == ["INFO Ended as SUCCESS | chunks=3/3 | series=2 | processed=35 | inserted=21"]
    async with bureau.database.read() as connection:
        assert (await get_job(connection, "work")).last_run_ms == ended.started_ms
    assert engine.metrics.enqueued == 1
    assert engine.metrics.finished == {ExecutionStatus.SUCCESS: 1}
    assert (engine.metrics.chunks_done, engine.metrics.stale) == (3, 0)


async def test_what_failed_attempts_had_done_stays_counted(bureau: Bureau) -> None:
    async def do_run(chunk: RunningChunk, log: WorkLog) -> Counters:
        chunk.counters["inserted"] += 7
        if chunk.key == "broken":
            chunk.counters["odd"] = "not a number"  # type: ignore[assignment]
            raise StoreError("for ever")
        if chunk.key == "lost" or chunk.attempt < 3:
            raise VenueUnavailableError("reset")
        return chunk.counters

    engine = await bureau.started(ScriptedHandler(do_run), max_attempts=4)
    execution_id = await engine.enqueue(bureau.request("good", "lost", "broken"))
    ended = await engine.wait(execution_id, 30)
    assert ended.status is ExecutionStatus.FAILURE
    assert ended.result is not None
    # three attempts of the good one, four of the lost one; what cannot be counted is left out
    assert ended.result["inserted"] == 7 * 3 + 7 * 4


async def test_two_thousand_chunks(bureau: Bureau) -> None:
    handler = ScriptedHandler()
    engine = await bureau.started(handler, concurrency=50)
    execution_id = await engine.enqueue(bureau.request(*(f"c{n}" for n in range(2_000))))
    ended = await engine.wait(execution_id, 90)
    assert ended.status is ExecutionStatus.SUCCESS
    assert ended.result is not None
    assert ended.result["processed"] == 2_000
    assert len(handler.runs) == len(set(handler.runs)) == 2_000


async def test_a_batch_is_stored_whole_or_not_at_all(bureau: Bureau) -> None:
    engine = bureau.engine()
    requests = [bureau.request("a") for _ in range(5)]
    ids = await engine.enqueue_many(requests)
    async with bureau.database.read() as connection:
        stored = [(await get_execution(connection, one)).trace_id for one in ids]
    assert stored == [request.trace_id for request in requests]
    assert await engine.enqueue_many([]) == []
    with pytest.raises(ConflictError):
        await engine.enqueue_many([bureau.request("b"), requests[0]])
    assert (await engine.queue_depth()).executions_pending == 5


async def test_a_request_is_acknowledged_only_once_it_is_on_disk(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    begin = bureau.database.begin

    def spy(*, durable: bool = False) -> AbstractAsyncContextManager[AsyncConnection]:
        asked.append(durable)
        return begin(durable=durable)

    # this database's only: hubs of other tests may be at work in threads of this process
    monkeypatch.setattr(bureau.database, "begin", spy)
    engine = bureau.engine()
    await engine.cancel(await engine.enqueue(bureau.request("a")))
    assert asked == [True, True]


async def test_requests_that_cannot_be_stored(bureau: Bureau) -> None:
    engine = bureau.engine()
    for request, error, words in [
        (NewExecution("nobody", {}, "t", "m"), NotFoundError, "Job not found: nobody"),
        (NewExecution("work", {"a": object()}, "t", "m"), InputError, "parameters is not JSON"),
        (NewExecution("work", {"a": "\ud800"}, "t", "m"), InputError, "parameters is not JSON"),
        (NewExecution("work", {}, "t\x00", "m"), InputError, "trace_id"),
        (NewExecution("work", {}, "t", "m", priority=10**9), InputError, "priority"),
        (NewExecution("work", {}, "t", "m", timeout_s=0), InputError, "timeout_s"),
        (NewExecution("work", {}, "t", "m", timeout_s=float("nan")), InputError, "timeout_s"),
    ]:
        with pytest.raises(error, match=words):
            await engine.enqueue(request)
    assert (await engine.queue_depth()).executions_pending == 0


async def test_priority_first_then_age(bureau: Bureau) -> None:
    async def do_plan(execution: RunningExecution, _log: WorkLog) -> Plan:
        keys: list[str] = execution.parameters["keys"]
        return Plan([NewChunk(key, "q", {}, priority=int(key[-1])) for key in keys])

    handler = ScriptedHandler(do_plan=do_plan)
    engine = bureau.engine(handler, concurrency=1, plan_concurrency=3)
    low = await engine.enqueue(bureau.request("low0", "low5"))
    low_too = await engine.enqueue(bureau.request("too0"))
    high = await engine.enqueue(bureau.request("high0", "high9", priority=3))
    await engine.start()
    for execution_id in (low, low_too, high):
        assert (await engine.wait(execution_id, 30)).status is ExecutionStatus.SUCCESS
    assert handler.runs == ["high9", "high0", "low5", "low0", "too0"]


async def test_concurrency_is_bounded_for_all_and_by_queue(bureau: Bureau) -> None:
    running: dict[str, int] = {"slow": 0, "fast": 0}
    most = dict(running)
    most_of_all = 0

    async def do_plan(_execution: RunningExecution, _log: WorkLog) -> Plan:
        chunks = [NewChunk(f"slow{n}", "slow", {}) for n in range(20)]
        return Plan(chunks + [NewChunk(f"fast{n}", "fast", {}) for n in range(20)])

    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        nonlocal most_of_all
        running[chunk.queue] += 1
        most[chunk.queue] = max(most[chunk.queue], running[chunk.queue])
        most_of_all = max(most_of_all, sum(running.values()))
        for _ in range(5):
            await asyncio.sleep(0)
        running[chunk.queue] -= 1
        return {}

    handler = ScriptedHandler(do_run, do_plan)
    engine = await bureau.started(handler, concurrency=6, queue_limits={"slow": 2})
    ended = await engine.wait(await engine.enqueue(bureau.request()), 30)
    assert ended.status is ExecutionStatus.SUCCESS
    assert most["slow"] == 2
    assert most["fast"] > 2
    assert most_of_all == 6


async def test_an_empty_plan_ends_at_once(bureau: Bureau) -> None:
    engine = await bureau.started(ScriptedHandler())
    ended = await engine.wait(await engine.enqueue(bureau.request()), 30)
    assert ended.status is ExecutionStatus.SUCCESS
    assert ended.result == {"chunks": {"total": 0, "done": 0, "failed": 0}, "failures": []}


async def test_what_planning_knows_must_fail_does_not_stop_the_rest(bureau: Bureau) -> None:
    async def do_plan(execution: RunningExecution, _log: WorkLog) -> Plan:
        chunks = [NewChunk(key, "q", {}) for key in execution.parameters["keys"]]
        return Plan(chunks, failures={"DOGE_X.BNC": "the venue lists no such symbol"})

    engine = await bureau.started(ScriptedHandler(do_plan=do_plan))
    mixed = await engine.wait(await engine.enqueue(bureau.request("a")), 30)
    assert mixed.status is ExecutionStatus.FAILURE
    assert mixed.error == "1 of 2 chunks failed: DOGE_X.BNC: the venue lists no such symbol"
    assert mixed.result == {
        "processed": 1,
        "chunks": {"total": 2, "done": 1, "failed": 1},
        "failures": [{"chunk": "DOGE_X.BNC", "error": "the venue lists no such symbol"}],
        "error_message": mixed.error,
    }
    alone = await engine.wait(await engine.enqueue(bureau.request()), 30)
    assert (alone.status, alone.chunks_failed) == (ExecutionStatus.FAILURE, 1)


async def test_a_failed_chunk_does_not_lose_the_others_and_the_error_names_it(bureau: Bureau) -> None:
    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        if chunk.key.startswith("bad"):
            raise VenueRefusedError(f"code -1121 for {chunk.key} {'x' * 5_000}")
        return {"processed": 1}

    engine = await bureau.started(ScriptedHandler(do_run))
    request = bureau.request("a", "b", *(f"bad{n:03}" for n in range(130)))
    ended = await engine.wait(await engine.enqueue(request), 60)
    assert ended.status is ExecutionStatus.FAILURE
    assert ended.result is not None
    assert ended.result["chunks"] == {"total": 132, "done": 2, "failed": 130}
    assert ended.result["processed"] == 2
    assert [one["chunk"] for one in ended.result["failures"]] == [f"bad{n:03}" for n in range(100)]
    assert ended.error is not None
    assert ended.error.startswith("130 of 132 chunks failed: bad000: code -1121 for bad000 x")
    assert "bad019" in ended.error
    assert "bad020" not in ended.error
    assert ended.error.endswith("; and 110 more")
    assert len(ended.error) < 10_000
    assert any(
        line.startswith("ERROR Chunk failed | bad000") for line in await bureau.messages(request.trace_id)
    )


async def waits(engine: Engine) -> bool:
    return (await engine.queue_depth()).chunks_pending > 0


async def test_work_is_tried_again_but_not_before_its_time(bureau: Bureau) -> None:
    now_ms = 1_000_000
    tried_at: list[tuple[int, int]] = []
    tried = asyncio.Event()

    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        tried_at.append((chunk.attempt, now_ms))
        tried.set()
        if chunk.attempt < 3:
            raise VenueThrottledError("wait", retry_after_s=60.0 * chunk.attempt)
        return {"processed": 1}

    engine = await bureau.started(ScriptedHandler(do_run), clock=lambda: now_ms, poll_s=0.02)
    request = bureau.request("a")
    execution_id = await engine.enqueue(request)
    for wait_ms in (60_000, 120_000):
        await tried.wait()
        tried.clear()
        await until(lambda: waits(engine))
        now_ms += wait_ms - 1
        still = await engine.wait(execution_id, 0.1)  # several polls find nothing due
        assert still.status is ExecutionStatus.RUNNING
        assert not tried.is_set()
        now_ms += 1
        engine.wake()
    ended = await engine.wait(execution_id, 30)
    assert ended.status is ExecutionStatus.SUCCESS
    assert tried_at == [(1, 1_000_000), (2, 1_060_000), (3, 1_180_000)]
    assert engine.metrics.retried == 2
    assert "WARNING Chunk a is tried again in 60.0 s | wait" in await bureau.messages(request.trace_id)


async def test_a_retry_wakes_the_engine_without_a_poll(bureau: Bureau) -> None:
    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        if chunk.attempt < 4:
            raise VenueUnavailableError("away")
        return {}

    engine = await bureau.started(ScriptedHandler(do_run), poll_s=300.0, max_attempts=4)
    # wait() polls as well, so its own end is bounded by the event alone
    ended = await engine.wait(await engine.enqueue(bureau.request("a")), 30)
    assert ended.status is ExecutionStatus.SUCCESS


async def test_attempts_run_out(bureau: Bureau) -> None:
    async def do_run(_chunk: RunningChunk, _log: WorkLog) -> Counters:
        raise VenueUnavailableError("away")

    handler = ScriptedHandler(do_run)
    engine = await bureau.started(handler, max_attempts=3)
    ended = await engine.wait(await engine.enqueue(bureau.request("a")), 30)
    assert ended.error == "1 of 1 chunks failed: a: away (after 3 attempts)"
    assert handler.runs == ["a", "a", "a"]


async def test_planning_is_tried_again_and_fails_in_the_end(bureau: Bureau) -> None:
    async def do_plan(_execution: RunningExecution, _log: WorkLog) -> Plan:
        raise VenueUnavailableError("no listing")

    handler = ScriptedHandler(do_plan=do_plan)
    engine = await bureau.started(handler, max_attempts=2)
    request = bureau.request("a")
    ended = await engine.wait(await engine.enqueue(request), 30)
    assert (ended.status, ended.error) == (
        ExecutionStatus.FAILURE,
        "planning failed: no listing (after 2 attempts)",
    )
    assert handler.plans == 2
    assert ended.result is not None
    assert ended.result["chunks"] == {"total": 0, "done": 0, "failed": 0}


class _OwnError(Exception):
    pass


async def test_handlers_with_bugs_fail_their_chunk_and_the_engine_goes_on(bureau: Bureau) -> None:
    errors = {
        "raises": _OwnError("boom \x00 \ud800"),
        "groups": ExceptionGroup("several", [ValueError("one")]),
        "cancels": asyncio.CancelledError(),
    }
    counters: dict[str, Any] = {
        "no counters": None,
        "float": {"processed": 1.5},
        "bool": {"processed": True},
        "reserved": {"chunks": 1},
        "surrogate": {"\ud800": 1},
        "huge": {"processed": 2**80},
        "good": {"processed": 1},
    }

    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        if chunk.key in errors:
            raise errors[chunk.key]
        answer: Counters = counters[chunk.key]
        return answer

    engine = await bureau.started(ScriptedHandler(do_run))
    keys = [key for key in [*errors, *counters] if key != "good"]
    request = bureau.request(*keys, "good")
    ended = await engine.wait(await engine.enqueue(request), 30)
    assert ended.result is not None
    assert ended.result["chunks"] == {"total": 10, "done": 1, "failed": 9}
    assert [one["chunk"] for one in ended.result["failures"]] == keys
    reasons = {one["chunk"]: one["error"] for one in ended.result["failures"]}
    assert reasons["raises"] == "_OwnError: boom \N{REPLACEMENT CHARACTER} ?"
    assert reasons["cancels"] == "the handler cancelled itself"
    assert "1.5" in reasons["float"]
    lines = await bureau.messages(request.trace_id)
    assert f"ERROR Chunk failed | raises | {reasons['raises']}" in lines
    again = await engine.wait(await engine.enqueue(bureau.request("good")), 30)
    assert again.status is ExecutionStatus.SUCCESS


async def test_planners_with_bugs_fail_their_execution(bureau: Bureau) -> None:
    plans: dict[str, Plan] = {
        "twice": Plan([NewChunk("a", "q", {}), NewChunk("a", "q", {})]),
        "also failed": Plan([NewChunk("a", "q", {})], failures={"a": "why"}),
        "no json": Plan([NewChunk("a", "q", {"x": object()})]),
        "nul": Plan([NewChunk("a\x00", "q", {})]),
        "priority": Plan([NewChunk("a", "q", {}, priority=2**80)]),
        "counters": Plan([], {"processed": 0.5}),  # type: ignore[dict-item] # that is the bug
    }

    async def do_plan(execution: RunningExecution, _log: WorkLog) -> Plan:
        return plans[execution.parameters["keys"][0]]

    engine = await bureau.started(ScriptedHandler(do_plan=do_plan))
    for name in plans:
        ended = await engine.wait(await engine.enqueue(bureau.request(name)), 30)
        assert (name, ended.status) == (name, ExecutionStatus.FAILURE)
        assert ended.error is not None
        assert ended.error.startswith("planning failed: ")


async def test_progress_can_be_read_while_it_runs(bureau: Bureau) -> None:
    gate = asyncio.Event()

    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        if chunk.key == "last":
            await gate.wait()
        return {"processed": 10}

    engine = await bureau.started(ScriptedHandler(do_run))
    execution_id = await engine.enqueue(bureau.request("a", "b", "last"))

    async def two_are_done() -> bool:
        return (await engine.wait(execution_id, 0)).chunks_done == 2

    await until(two_are_done)
    seen = await engine.wait(execution_id, 0)
    assert (seen.status, seen.chunks_total, seen.counters) == (
        ExecutionStatus.RUNNING,
        3,
        {"processed": 20},
    )
    depth = await engine.queue_depth()
    assert (depth.executions_pending, depth.executions_running) == (0, 1)
    assert (depth.chunks_pending, depth.chunks_running) == (0, 1)
    gate.set()
    assert (await engine.wait(execution_id, 30)).status is ExecutionStatus.SUCCESS


async def test_an_engine_without_the_handler_leaves_the_work(bureau: Bureau) -> None:
    idle = bureau.engine(poll_s=0.01)
    await idle.start()
    execution_id = await idle.enqueue(bureau.request("a"))
    assert (await idle.wait(execution_id, 0.2)).status is ExecutionStatus.PENDING
    await bureau.started(ScriptedHandler(), poll_s=0.01)
    assert (await idle.wait(execution_id, 30)).status is ExecutionStatus.SUCCESS
    with pytest.raises(ConflictError, match="started before"):
        await idle.start()
    with pytest.raises(NotFoundError, match="Execution not found: 999"):
        await idle.wait(999, 1)
