"""A hub whose jobs are run by hand, beside a sandbox, under one clock that can be moved."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from markethub.app import open_hub
from markethub.config import Settings
from markethub.control.executions import Execution
from markethub.domain.execution import new_trace_id
from markethub.domain.times import parse_time
from markethub.engine.handler import NewExecution
from markethub.sandbox import RunningSandbox, clock_starting_at
from markethub.services.hub import Hub
from markethub.services.logs import list_logs

NOW = parse_time("2026-06-17T15:20:30")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@dataclass
class MovableClock:
    """Goes at the pace of the real one from ``start_ms`` on, and jumps where it is told to."""

    start_ms: int = NOW
    shift_ms: int = 0

    def __post_init__(self) -> None:
        self._running = clock_starting_at(self.start_ms)

    def __call__(self) -> int:
        return self._running() + self.shift_ms


@dataclass
class Stage:
    """What a test needs to open a hub, and to open it again after a downtime."""

    sandbox: RunningSandbox
    clock: MovableClock
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @asynccontextmanager
    async def hub(self, **settings: Any) -> AsyncIterator[Hub]:  # noqa: ANN401
        url = self.sandbox.url
        base: dict[str, Any] = {
            "data_dir": self.folder / "data",
            "venues": {
                "BNC": {"base_url": url, "archive_url": url},
                "OKX": {"base_url": url},
                "GIO": {"base_url": f"{url}/api/v4"},
                "US": {"base_url": f"{url}/yahoo"},
            },
            "scheduler": {"enabled": False},
        }
        async with open_hub(Settings(**(base | self.settings | settings)), self.clock) as opened:
            yield opened

    async def break_things(self, *faults: Mapping[str, Any]) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.sandbox.url}/sandbox/faults", data=orjson.dumps(faults)) as reply,
        ):
            assert reply.status == 200, await reply.text()

    async def repair_things(self) -> None:
        """Clear all faults, and count requests from here on."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.sandbox.url}/sandbox/reset") as reply,
        ):
            assert reply.status == 200

    def requests(self) -> dict[str, int]:
        return dict(self.sandbox.stats.requests)


async def run_job(
    hub: Hub, name: str, parameters: Mapping[str, Any] | None = None
) -> tuple[Execution, dict[str, Any], list[tuple[str, str]]]:
    """Run a job to its end: the execution, its result, and its log as level and message."""
    trace_id = new_trace_id(name)
    execution_id = await hub.engine.enqueue(NewExecution(name, parameters or {}, trace_id, "by hand"))
    ended = await hub.engine.wait(execution_id, 60)
    assert ended.status.is_final
    lines = (await list_logs(hub, job_id=trace_id, limit=1000)).rows
    return ended, dict(ended.result or {}), [(line.level, line.message) for line in lines]
