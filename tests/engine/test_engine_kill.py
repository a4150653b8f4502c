"""Workers die by SIGKILL; nothing acknowledged is lost and everything is finished."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from markethub.control.executions import get_execution
from markethub.domain.execution import ExecutionStatus
from tests.engine.scripted import Bureau

_ROOT = Path(__file__).parents[2]


async def start_child(url: str, worker_id: str, mode: str, *, chunk_s: float = 0.02) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.engine.engine_child",
        url,
        worker_id,
        "2.0",
        str(chunk_s),
        mode,
        stdout=PIPE,
        cwd=_ROOT,
    )


async def read_line(child: Process) -> str:
    assert child.stdout is not None
    line = await asyncio.wait_for(child.stdout.readline(), 60)
    assert line, "the child ended by itself"
    return line.decode().strip()


async def kill(child: Process) -> list[str]:
    """Kill the process with no chance to say anything; return what it had still printed."""
    assert child.stdout is not None
    child.kill()
    rest = (await child.stdout.read()).decode().splitlines(keepends=True)
    await child.wait()
    return [line.strip() for line in rest if line.endswith("\n")]


async def test_another_worker_finishes_what_a_killed_one_held(bureau: Bureau, database_url: str) -> None:
    keys = [f"c{n}" for n in range(120)]
    victim, heir = await asyncio.gather(
        start_child(database_url, "victim", "work", chunk_s=0.05),
        start_child(database_url, "heir", "work", chunk_s=0.05),
    )
    # Work only for both: one that started much sooner would leave the other none.
    assert [await read_line(child) for child in (victim, heir)] == ["ready", "ready"]
    execution_id = await bureau.engine().enqueue(bureau.request(*keys))
    started = [await read_line(victim) for _ in range(10)]
    started += await kill(victim)
    watcher = bureau.engine()
    ended = await watcher.wait(execution_id, 90)
    started += await kill(heir)
    assert ended.status is ExecutionStatus.SUCCESS
    assert ended.result is not None
    assert ended.result["processed"] == 120  # each chunk counted once, however often it was started
    assert {line.split()[1] for line in started} == set(keys)
    # what the victim held when it died was begun as a second attempt
    assert any(line.endswith(" 2") for line in started)


async def test_an_acknowledged_execution_survives(bureau: Bureau, database_url: str) -> None:
    child = await start_child(database_url, "asker", "enqueue")
    acknowledged = [await read_line(child) for _ in range(30)]
    acknowledged += await kill(child)
    async with bureau.database.read() as connection:
        for number, text in enumerate(acknowledged):
            stored = await get_execution(connection, int(text))
            assert stored.trace_id == f"asker_{number}"
            assert await bureau.messages(stored.trace_id) == ["INFO queued"]
