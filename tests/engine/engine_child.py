"""A worker process for tests that kill it: ``engine_child.py URL WORKER_ID LEASE_S CHUNK_S MODE``.

MODE ``work`` prints ``ready`` once it claims, then runs chunks and prints ``ran KEY ATTEMPT`` at each start;
``enqueue`` stores executions for ever and prints each id once it was acknowledged.
"""

import asyncio
import logging
import sys

import structlog

from markethub.control.database import open_database
from markethub.engine.engine import Engine
from markethub.engine.handler import Counters, NewExecution, RunningChunk, WorkLog
from markethub.engine.settings import EngineSettings
from tests.engine.scripted import ScriptedHandler


async def main(url: str, worker_id: str, lease_s: float, chunk_s: float, mode: str) -> None:
    database = await open_database(url)
    settings = EngineSettings(worker_id=worker_id, lease_s=lease_s, poll_s=0.05, concurrency=4)

    async def do_run(chunk: RunningChunk, _log: WorkLog) -> Counters:
        print(f"ran {chunk.key} {chunk.attempt}", flush=True)  # noqa: T201 - read by the test
        await asyncio.sleep(chunk_s)
        return {"processed": 1}

    engine = Engine(database, {"backfill_kline": ScriptedHandler(do_run)}, settings)
    if mode == "work":
        await engine.start()
        print("ready", flush=True)  # noqa: T201 - read by the test
        await asyncio.Event().wait()
    number = 0
    while True:
        request = NewExecution("work", {"keys": []}, f"{worker_id}_{number}", "queued")
        print(await engine.enqueue(request), flush=True)  # noqa: T201 - read by the test
        number += 1


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    _, url, worker_id, lease_s, chunk_s, mode = sys.argv
    asyncio.run(main(url, worker_id, float(lease_s), float(chunk_s), mode))
