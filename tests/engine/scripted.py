"""Handlers that do what a test says, and a maker of engines."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from markethub.control.database import Database
from markethub.control.logs import list_logs
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
from markethub.ports.clock import Clock

Run = Callable[[RunningChunk, WorkLog], Awaitable[Counters]]
Planner = Callable[[RunningExecution, WorkLog], Awaitable[Plan]]


async def plan_keys(execution: RunningExecution, _log: WorkLog) -> Plan:
    """One chunk per name in the parameter ``keys``."""
    keys: Sequence[str] = execution.parameters["keys"]
    return Plan([NewChunk(key, "queue", {"key": key}) for key in keys])


async def count_one(_chunk: RunningChunk, _log: WorkLog) -> Counters:
    return {"processed": 1}


@dataclass
class ScriptedHandler:
    """A handler made of two functions; ``runs`` lists the chunk keys it was given, in order."""

    do_run: Run = count_one
    do_plan: Planner = plan_keys
    runs: list[str] = field(default_factory=list)
    plans: int = 0

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        self.plans += 1
        return await self.do_plan(execution, log)

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        self.runs.append(chunk.key)
        return await self.do_run(chunk, log)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what only the database can tell; the test's timeout ends it."""
    while not await holds():  # noqa: ASYNC110 - a row in a database sets no event
        await asyncio.sleep(0.005)


@dataclass
class Bureau:
    """Makes engines on one database, and asks them for work."""

    database: Database
    engines: list[Engine] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def engine(
        self,
        handler: ScriptedHandler | None = None,
        *,
        clock: Clock | None = None,
        database: Database | None = None,
        **settings: Any,  # noqa: ANN401 - whatever EngineSettings has
    ) -> Engine:
        """An engine that is not started, quick to end, with ``handler`` for the job ``work``."""
        chosen = EngineSettings(**{"grace_s": 0.2, "backoff_base_s": 0.01, **settings})
        handlers = {} if handler is None else {"backfill_kline": handler}
        engine = Engine(database or self.database, handlers, chosen, clock)
        self.engines.append(engine)
        return engine

    async def started(self, handler: ScriptedHandler, **options: Any) -> Engine:  # noqa: ANN401 - as above
        engine = self.engine(handler, **options)
        await engine.start()
        return engine

    def request(self, *keys: str, timeout_s: float | None = None, priority: int = 0) -> NewExecution:
        """A request for the job ``work`` with these chunk keys."""
        trace_id = f"work_{next(self.numbers):08d}"
        return NewExecution("work", {"keys": list(keys)}, trace_id, "queued", priority, timeout_s)

    async def messages(self, trace_id: str) -> list[str]:
        """``LEVEL message`` of every stored line of a trace, oldest first."""
        async with self.database.read() as connection:
            rows, _ = await list_logs(connection, job_id=trace_id, limit=1_000)
        return [f"{row.level} {row.message}" for row in rows]
