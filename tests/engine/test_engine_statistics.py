"""Whatever way an execution ends, its job's statistics know it."""

import asyncio

import pytest
from sqlalchemy import func, select

from markethub.control.jobs import get_job
from markethub.control.log_tally import count_waiting_lines
from markethub.control.logs import list_logs
from markethub.control.schema import log_tally
from markethub.control.statistics import JobTotals, sum_statistics
from markethub.domain.errors import InputError
from markethub.domain.execution import ExecutionStatus
from markethub.engine.handler import Counters, Plan, RunningChunk, RunningExecution, WorkLog
from tests.engine.scripted import Bureau, ScriptedHandler, until


async def totals(bureau: Bureau) -> JobTotals:
    async with bureau.database.read() as connection:
        job = await get_job(connection, "work")
        return await sum_statistics(connection, job.id)


async def run(chunk: RunningChunk, _log: WorkLog) -> Counters:
    if chunk.key == "bad":
        raise InputError("bad")
    if chunk.key == "endless":
        await asyncio.get_running_loop().create_future()
    return {"processed": 5, "inserted": 3, "updated": 1, "unchanged": 1}


async def plan(execution: RunningExecution, _log: WorkLog) -> Plan:
    if "unplannable" in execution.parameters["keys"]:
        raise InputError("no plan")
    return await ScriptedHandler().do_plan(execution, _log)


async def test_every_way_to_end_is_counted_once(bureau: Bureau) -> None:
    engine = await bureau.started(ScriptedHandler(run, plan), lease_s=1.0)
    good = await engine.enqueue(bureau.request("a", "b"))
    failed = await engine.enqueue(bureau.request("a", "bad"))
    unplanned = await engine.enqueue(bureau.request("unplannable"))
    overdue = await engine.enqueue(bureau.request("a", "endless", timeout_s=0.3))
    ended = [await engine.wait(one, 30) for one in (good, failed, unplanned, overdue)]
    assert [one.status for one in ended] == [
        ExecutionStatus.SUCCESS,
        ExecutionStatus.FAILURE,
        ExecutionStatus.FAILURE,
        ExecutionStatus.TIMEOUT,
    ]
    cancelled = await engine.enqueue(bureau.request("endless"))
    await engine.cancel(cancelled)
    ended.append(await engine.wait(cancelled, 30))
    did = await totals(bureau)
    assert (did.runs, did.successes, did.failures, did.timeouts) == (5, 1, 3, 1)
    assert (did.processed, did.inserted, did.updated) == (20, 12, 4)
    assert did.duration_ms == sum(one.duration_ms or 0 for one in ended)
    assert did.begun_runs == sum(one.started_ms is not None for one in ended)


async def test_an_engine_tallies_the_log_by_itself(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("markethub.engine.keeper._WAITING_LINES", 5)
    monkeypatch.setattr("markethub.engine.keeper._LINES_PER_TALLY", 3)
    engine = await bureau.started(ScriptedHandler(), lease_s=0.4)
    for _ in range(4):
        await engine.wait(await engine.enqueue(bureau.request("a")), 30)

    async def tallied() -> bool:
        async with bureau.database.read() as connection:
            return await count_waiting_lines(connection) < 5

    await until(tallied)
    await engine.drain()
    async with bureau.database.read() as connection:
        assert (await connection.execute(select(func.sum(log_tally.c.lines)))).scalar_one() > 0
        rows, total = await list_logs(connection, limit=1_000)
        assert len(rows) == total == len({row.id for row in rows})
