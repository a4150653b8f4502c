import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.chunks import claim_chunks
from markethub.control.database import Database, open_database
from markethub.control.logs import NewLogLine, insert_logs
from markethub.control.planning import note_progress
from markethub.domain.errors import StoreError, UnavailableError
from markethub.domain.execution import ExecutionStatus
from markethub.engine import loops, settlement, worker
from markethub.engine.handler import Counters, RunningChunk, WorkLog
from tests.engine.scripted import Bureau, ScriptedHandler, until


async def test_work_goes_on_after_the_database_was_away(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished, away = asyncio.Event(), True
    refused = 0

    async def do_run(_chunk: RunningChunk, log: WorkLog) -> Counters:
        log.info("written while the database is away")
        finished.set()
        return {"processed": 1}

    async def insert_or_fail(connection: AsyncConnection, lines: Sequence[NewLogLine]) -> None:
        nonlocal refused
        if away and finished.is_set():
            refused += 1
            raise UnavailableError("control database: the disk is full")
        await insert_logs(connection, lines)

    monkeypatch.setattr(worker, "insert_logs", insert_or_fail)
    monkeypatch.setattr(loops, "_FIRST_PAUSE_S", 0.001)
    engine = await bureau.started(ScriptedHandler(do_run))
    request = bureau.request("a")
    execution_id = await engine.enqueue(request)

    async def refused_often() -> bool:
        return refused > 3

    await asyncio.wait_for(until(refused_often), 30)
    assert engine.is_working
    assert (await engine.wait(execution_id, 0)).status is ExecutionStatus.RUNNING
    away = False
    ended = await engine.wait(execution_id, 30)
    assert (ended.status, ended.counters) == (ExecutionStatus.SUCCESS, {"processed": 1})
    lines = await bureau.messages(request.trace_id)
    assert lines.count("INFO written while the database is away") == 1


async def test_a_bug_in_a_loop_does_not_end_it(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = 0

    async def claim_or_break(*arguments: object, **options: object) -> object:
        nonlocal broken
        broken += 1
        if broken < 4:
            raise KeyError("a bug of ours")
        return await claim_chunks(*arguments, **options)  # type: ignore[arg-type] # passed through

    monkeypatch.setattr(worker, "claim_chunks", claim_or_break)
    monkeypatch.setattr(loops, "_FIRST_PAUSE_S", 0.001)
    engine = await bureau.started(ScriptedHandler())
    ended = await engine.wait(await engine.enqueue(bureau.request("a")), 30)
    assert (ended.status, broken >= 4) == (ExecutionStatus.SUCCESS, True)


async def test_one_result_the_database_refuses_for_ever_does_not_block_the_others(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def note_or_refuse(connection: AsyncConnection, execution_id: int, **values: object) -> None:
        counters = values["counters"]
        assert isinstance(counters, dict)
        if "poison" in counters:
            raise StoreError("control database: value out of range")
        await note_progress(connection, execution_id, **values)  # type: ignore[arg-type] # passed through

    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        return {chunk.key: 1}

    monkeypatch.setattr(settlement, "note_progress", note_or_refuse)
    monkeypatch.setattr(loops, "_FIRST_PAUSE_S", 0.001)
    engine = await bureau.started(ScriptedHandler(do_run))
    bad = await engine.enqueue(bureau.request("a", "poison", "b"))
    good = await engine.enqueue(bureau.request("c", "d"))
    assert (await engine.wait(good, 30)).status is ExecutionStatus.SUCCESS
    ended = await engine.wait(bad, 30)
    assert ended.counters == {"a": 1, "b": 1}
    assert ended.error is not None
    assert "poison: the result could not be stored: control database: value out of range" in ended.error


async def test_a_busy_file_only_delays(tmp_path: Path, bureau: Bureau) -> None:
    path = bureau.database._backend.engine.url.database
    if bureau.database.dialect != "sqlite" or path is None:
        path = str(tmp_path / "busy.db")
    holder = sqlite3.connect(path, isolation_level=None)
    engine = await bureau.started(ScriptedHandler())
    execution_id = await engine.enqueue(bureau.request("a", "b"))
    holder.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(engine.enqueue(bureau.request("c")))
    await asyncio.sleep(0.3)
    holder.execute("COMMIT")
    holder.close()
    for one in (execution_id, await waiting):
        assert (await engine.wait(one, 30)).status is ExecutionStatus.SUCCESS


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
async def test_cut_connections_are_replaced(bureau: Bureau, database_url: str) -> None:
    async def do_run(_chunk: RunningChunk, _log: WorkLog) -> Counters:
        await asyncio.sleep(0.005)
        return {"processed": 1}

    async def cut(admin: Database) -> None:
        async with admin.begin() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    engine = await bureau.started(ScriptedHandler(do_run), concurrency=2, poll_s=0.05)
    admin = await open_database(database_url)
    execution_id = await engine.enqueue(bureau.request(*(f"c{n}" for n in range(100))))
    for _ in range(3):
        await asyncio.sleep(0.1)
        await cut(admin)
    async with asyncio.timeout(60):
        while True:
            try:
                ended = await engine.wait(execution_id, 30)
            except UnavailableError:
                continue  # the asker's own connection was cut
            break
    assert ended.status is ExecutionStatus.SUCCESS
    assert ended.counters == {"processed": 100}
    await admin.close()
