"""What an execution shows of its chunks, and how it is run again, on both databases."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from markethub.control.database import Database
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.domain.errors import ConflictError, NotFoundError, VenueRefusedError, VenueUnavailableError
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
from markethub.services.executions import Progress, get_execution, retry_execution, show_progress
from markethub.services.hub import Hub
from tests.bare_hub import bare_hub

PENDING, RUNNING, DONE, FAILED = ChunkStatus
NOTHING = dict.fromkeys(ChunkStatus, 0)


class Market:
    """Runs chunks by their first word: ``good``, ``bad`` (refused), ``away`` (tried twice), ``slow`` (until
    cancelled). ``healed`` makes all of them good."""

    def __init__(self) -> None:
        self.healed = False
        self.busy = asyncio.Event()
        self.planned: list[RunningExecution] = []

    async def plan(self, execution: RunningExecution, _log: WorkLog) -> Plan:
        self.planned.append(execution)
        keys: list[str] = execution.parameters["keys"]
        failures = {key: "no adapter" for key in keys if key.startswith("orphan") and not self.healed}
        return Plan([NewChunk(key, "queue", {}) for key in keys if key not in failures], {}, failures)

    async def run(self, chunk: RunningChunk, _log: WorkLog) -> Counters:
        word = "good" if self.healed else chunk.key.partition(" ")[0]
        match word:
            case "bad":
                raise VenueRefusedError("no such thing")
            case "away":
                raise VenueUnavailableError("gone")
            case "slow":
                self.busy.set()
                await asyncio.get_running_loop().create_future()
        return {"processed": 1}


@pytest.fixture
def market() -> Market:
    return Market()


@pytest.fixture
async def hub(database: Database, market: Market) -> AsyncIterator[Hub]:
    async with database.begin() as connection:
        await ensure_jobs(connection, [JobSpec("work", "kline", "backfill", "Work")], 1)
    settings = EngineSettings(grace_s=0, max_attempts=2, backoff_base_s=0.01, concurrency=1)
    engine = Engine(database, {"backfill_kline": market}, settings)
    await engine.start()
    yield bare_hub(database, engine, database.clock)
    await engine.drain()


async def run(hub: Hub, *keys: str, priority: int = 0, timeout_s: float | None = None) -> str:
    """Queue these chunks; return the trace id."""
    trace_id = f"work_{len(keys):08d}"
    await hub.engine.enqueue(
        NewExecution("work", {"keys": list(keys)}, trace_id, "queued", priority, timeout_s)
    )
    return trace_id


async def end(hub: Hub, trace_id: str) -> ExecutionStatus:
    found = await get_execution(hub, trace_id)
    return (await hub.engine.wait(found.id, 30)).status


def rows(progress: Progress) -> list[tuple[str, ChunkStatus, int, str | None]]:
    return [(one.key, one.status, one.attempts, one.error) for one in progress.chunks.rows]


async def test_chunks_tell_how_they_ended(hub: Hub) -> None:
    trace_id = await run(hub, "good 2", "bad 1", "away 1", "good 1", "orphan 1")
    assert await end(hub, trace_id) is ExecutionStatus.FAILURE
    shown = await show_progress(hub, trace_id)
    assert rows(shown) == [
        ("away 1", FAILED, 2, "gone (after 2 attempts)"),
        ("bad 1", FAILED, 1, "no such thing"),
        ("good 1", DONE, 1, None),
        ("good 2", DONE, 1, None),
        ("orphan 1", FAILED, 0, "no adapter"),
    ]
    assert shown.counts == NOTHING | {DONE: 2, FAILED: 3}
    assert shown.chunks.total == shown.execution.chunks_total == 5


async def test_a_page_of_one_status(hub: Hub) -> None:
    trace_id = await run(hub, *(f"{'bad' if n % 2 else 'good'} {n}" for n in range(9)))
    await end(hub, trace_id)
    page = await show_progress(hub, trace_id, status=FAILED, limit=2, offset=1)
    assert [key for key, *_ in rows(page)] == ["bad 3", "bad 5"]
    assert (page.chunks.total, page.chunks.limit, page.chunks.offset) == (4, 2, 1)
    past = await show_progress(hub, trace_id, status=RUNNING)
    assert (past.chunks.rows, past.chunks.total) == ([], 0)


async def test_counts_while_it_runs_and_after_it_was_cancelled(hub: Hub, market: Market) -> None:
    other = await run(hub, "good 1")
    await end(hub, other)
    trace_id = await run(hub, "slow 1", "slow 2", "slow 3")
    before = await show_progress(hub, trace_id)
    assert before.counts[DONE] == before.counts[FAILED] == 0
    await market.busy.wait()
    shown = await show_progress(hub, trace_id)
    assert shown.counts == NOTHING | {PENDING: 2, RUNNING: 1}
    assert sorted(status for _, status, _, _ in rows(shown)) == [PENDING, PENDING, RUNNING]
    for status, total in shown.counts.items():
        page = await show_progress(hub, trace_id, status=status)
        assert (len(page.chunks.rows), page.chunks.total) == (total, total)
    assert (await show_progress(hub, other)).counts == NOTHING | {DONE: 1}
    await hub.engine.cancel(shown.execution.id)
    ended = await show_progress(hub, trace_id)
    assert (ended.counts, ended.execution.chunks_total) == (NOTHING, 3)
    assert (rows(ended), ended.chunks.total) == ([], 0)


async def test_what_failed_is_run_again_as_it_was(hub: Hub, market: Market) -> None:
    trace_id = await run(hub, "good 1", "bad 1", "orphan 1", priority=7, timeout_s=500)
    await end(hub, trace_id)
    failed = await get_execution(hub, trace_id)
    market.healed = True
    queued = await retry_execution(hub, trace_id)
    assert queued.message == f"Retry of {trace_id} queued | failed_chunks=2"
    assert queued.trace_id.startswith("work_")
    assert await end(hub, queued.trace_id) is ExecutionStatus.SUCCESS
    again = await get_execution(hub, str(queued.execution_id))
    assert (again.retry_of, failed.retry_of) == (failed.id, None)
    assert (again.parameters, again.priority, again.timeout_ms) == (failed.parameters, 7, 500_000)
    assert market.planned[-1].parameters == failed.parameters
    with pytest.raises(ConflictError, match=f"execution {again.id} ended as SUCCESS; nothing of it failed"):
        await retry_execution(hub, queued.trace_id)
    assert (await get_execution(hub, trace_id)).status is ExecutionStatus.FAILURE


async def test_what_runs_is_not_retried(hub: Hub, market: Market) -> None:
    trace_id = await run(hub, "slow 1")
    await market.busy.wait()
    with pytest.raises(ConflictError, match="is RUNNING; it can be retried once it has ended"):
        await retry_execution(hub, trace_id)
    await hub.engine.cancel((await get_execution(hub, trace_id)).id)
    market.healed = True
    queued = await retry_execution(hub, trace_id)
    assert await end(hub, queued.trace_id) is ExecutionStatus.SUCCESS


async def test_an_unknown_one_is_not_found(hub: Hub) -> None:
    for work in (show_progress, retry_execution):
        with pytest.raises(NotFoundError, match="Execution not found: work_x"):
            await work(hub, "work_x")
