"""A hub's answers: POST of a backfill, its first request at the venue, and reads beside a Parquet file."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import httpx2
import orjson
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import uvloop

from benchmarks.processes import HubAddress, running_hub
from benchmarks.report import Row
from benchmarks.rounds import quantile, take_turns
from benchmarks.stamped_sandbox import StampedSandbox, running_stamped_sandbox
from markethub import DataHub
from markethub.domain.times import format_time, parse_time

_SYMBOL = "ETH_USDT.BNC"
_YEAR = ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z")
_YEAR_ROWS = 366 * 1440
_MONTH = ("2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z")
_MONTH_ROWS = 31 * 1440
_IDLE_POSTS = 100
_BUSY_POSTS = 200
_CLIENTS = 10
_FIRST_REQUESTS = 30
_READS = 15
_DAY_MS = 86_400_000
_END_S = 120.0
_LOOK_S = 0.005
# Longer than the engine gathers log lines before it writes them: then nothing is left to do.
_QUIET_S = 0.25


def run() -> list[Row]:
    """Load a year of one-minute bars into a hub, then ask it; its venue answers from this process."""
    with TemporaryDirectory(prefix="markethub-bench-") as name:
        folder = Path(name)
        with running_stamped_sandbox() as sandbox, running_hub(folder / "hub", sandbox.url) as hub:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                posts = runner.run(_measure_posts(hub, sandbox))
            return [*posts, *_measure_reads(hub, folder)]


@dataclass(frozen=True, slots=True)
class _Door:
    """The hub's API as these measurements use it."""

    session: aiohttp.ClientSession

    async def post(self, interval: str, start: str, end: str) -> int:
        """Queue a backfill and return the execution's id."""
        body = {"symbols": [_SYMBOL], "intervals": [interval], "start_time": start, "end_time": end}
        async with self.session.post("/api/v1/backfill/klines", json=body) as response:
            queued = orjson.loads(await response.read())
            response.raise_for_status()
            return int(queued["execution_id"])

    async def time_post(self) -> tuple[float, int]:
        """Milliseconds of a post of a month that is stored already, and the execution's id."""
        sent_s = time.perf_counter()
        execution_id = await self.post("1m", *_MONTH)
        return (time.perf_counter() - sent_s) * 1000, execution_id

    async def wait(self, execution_id: int) -> None:
        """Wait until the execution has ended well; the hub tells nothing unasked."""
        async with asyncio.timeout(_END_S):
            while (status := await self._status(execution_id)) in ("PENDING", "RUNNING"):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)
        if status != "SUCCESS":
            raise RuntimeError(f"execution {execution_id} ended as {status}")

    async def _status(self, execution_id: int) -> str:
        async with self.session.get(f"/api/v1/executions/{execution_id}") as response:
            response.raise_for_status()
            return str(orjson.loads(await response.read())["status"])


async def _measure_posts(hub: HubAddress, sandbox: StampedSandbox) -> list[Row]:
    headers = {"Authorization": f"Bearer {hub.token}"}
    connector = aiohttp.TCPConnector(limit=_CLIENTS)
    async with aiohttp.ClientSession(hub.url, headers=headers, connector=connector) as session:
        door = _Door(session)
        await door.wait(await door.post("1m", *_YEAR))
        idle_ms = await _post_when_idle(door)
        before_s = _cpu_s(hub)
        alone_ms = await _post_without_pause(door, clients=1)
        hub_cpu_ms = (_cpu_s(hub) - before_s) * 1000 / _BUSY_POSTS
        crowd_ms = await _post_without_pause(door, clients=_CLIENTS)
        first_ms = await _time_first_requests(door, sandbox)
    return [
        *_quantiles("POST backfill, idle node", idle_ms, 10.0),
        *_quantiles("POST backfill, 1 client without pause", alone_ms),
        Row("POST backfill and its execution, CPU of the hub", hub_cpu_ms, "ms"),
        *_quantiles(f"POST backfill, {_CLIENTS} clients without pause", crowd_ms),
        *_quantiles("POST sent to first request at the venue", first_ms, 50.0),
    ]


def _cpu_s(hub: HubAddress) -> float:
    times = psutil.Process(hub.pid).cpu_times()
    return times.user + times.system


async def _post_when_idle(door: _Door) -> list[float]:
    samples_ms = []
    for _ in range(_IDLE_POSTS):
        await asyncio.sleep(_QUIET_S)
        elapsed_ms, execution_id = await door.time_post()
        samples_ms.append(elapsed_ms)
        await door.wait(execution_id)
    return samples_ms


async def _post_without_pause(door: _Door, clients: int) -> list[float]:
    """Each client posts as soon as it has its answer, while the executions before are being planned."""

    async def post_on(times: int) -> tuple[list[float], int]:
        timed = [await door.time_post() for _ in range(times)]
        return [elapsed_ms for elapsed_ms, _ in timed], timed[-1][1]

    answers = await asyncio.gather(*(post_on(_BUSY_POSTS // clients) for _ in range(clients)))
    for _, last_id in answers:
        await door.wait(last_id)
    return [elapsed_ms for samples_ms, _ in answers for elapsed_ms in samples_ms]


async def _time_first_requests(door: _Door, sandbox: StampedSandbox) -> list[float]:
    """Post one day of hourly bars, another one each time: a single page over REST."""
    samples_ms = []
    for day in range(_FIRST_REQUESTS):
        start_ms = parse_time("2023-01-01") + day * _DAY_MS
        await asyncio.sleep(_QUIET_S)
        sandbox.arrivals_s.clear()
        sent_s = time.perf_counter()
        await door.wait(await door.post("1h", format_time(start_ms), format_time(start_ms + _DAY_MS)))
        samples_ms.append((sandbox.arrivals_s[0] - sent_s) * 1000)
    return samples_ms


def _quantiles(title: str, samples_ms: Sequence[float], target_ms: float | None = None) -> list[Row]:
    p50, p99 = (quantile(samples_ms, share) for share in (0.5, 0.99))
    if target_ms is None:
        return [Row(f"{title}, p50", p50, "ms"), Row(f"{title}, p99", p99, "ms")]
    return [Row(f"{title}, p50", p50, "ms", "target", target_ms), Row(f"{title}, p99", p99, "ms")]


def _measure_reads(hub: HubAddress, folder: Path) -> list[Row]:
    headers = {"Authorization": f"Bearer {hub.token}"}
    with (
        DataHub(hub.url, hub.token) as client,
        httpx2.Client(base_url=hub.url, headers=headers, timeout=60.0) as http,
    ):

        def read_arrow(start: str, end: str) -> pa.Table:
            return client.klines(_SYMBOL, "1m", start=start, end=end)

        def read_json(start: str, end: str) -> bytes:
            query = {"symbol": _SYMBOL, "interval": "1m", "start": start, "end": end, "format": "json"}
            return http.get("/api/v1/klines", params=query).raise_for_status().content

        year, month = folder / "year.parquet", folder / "month.parquet"
        _write_parquet(read_arrow(*_YEAR), year, _YEAR_ROWS)
        _write_parquet(read_arrow(*_MONTH), month, _MONTH_ROWS)
        if len(orjson.loads(read_json(*_MONTH))["data"]) != _MONTH_ROWS:
            raise RuntimeError("the JSON answer is not the month")
        spent = take_turns(
            {
                "arrow": lambda: nullcontext(partial(read_arrow, *_YEAR)),
                "year": lambda: nullcontext(partial(pq.read_table, year)),
                "json": lambda: nullcontext(partial(read_json, *_MONTH)),
                "month": lambda: nullcontext(partial(pq.read_table, month)),
            },
            _READS,
        )
    wall_ms = {name: one.wall_s * 1000 for name, one in spent.items()}
    baseline = "pyarrow, local Parquet file"
    return [
        Row("GET klines, 1 year of 1m as Arrow, p50", wall_ms["arrow"], "ms", baseline, wall_ms["year"]),
        Row("GET klines, 1 month of 1m as JSON, p50", wall_ms["json"], "ms", baseline, wall_ms["month"]),
    ]


def _write_parquet(bars: pa.Table, path: Path, rows: int) -> None:
    if len(bars) != rows:
        raise RuntimeError(f"{len(bars)} bars instead of {rows}")
    pq.write_table(bars, path)
