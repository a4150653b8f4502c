"""A hub's answers: POST of a backfill beside a bare route, its first request at the venue, and reads beside a
Parquet file."""

import asyncio
import time
from collections.abc import Mapping, Sequence
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

from benchmarks.bare_api import running_bare_api
from benchmarks.processes import HubAddress, running_hub
from benchmarks.report import Row
from benchmarks.rounds import quantile, take_turns
from benchmarks.stamped_sandbox import StampedSandbox, running_stamped_sandbox
from markethub import DataHub
from markethub.domain.times import format_time, parse_time

_SYMBOL = "ETH_USDT.BNC"
_BARE = "bare FastAPI route, one durable SQLite insert"
_YEAR = ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z")
_YEAR_ROWS = 366 * 1440
_MONTH = ("2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z")
_MONTH_ROWS = 31 * 1440
_IDLE_POSTS = 100
_BUSY_POSTS = 200
_CROWDS = (10, 100)
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
            loop_factory = uvloop.new_event_loop
            with running_bare_api(folder) as bare_url, asyncio.Runner(loop_factory=loop_factory) as runner:
                posts = runner.run(_measure_posts(hub, sandbox, bare_url))
            return [*posts, *_measure_reads(hub, folder)]


def _body(interval: str, start: str, end: str) -> dict[str, object]:
    return {"symbols": [_SYMBOL], "intervals": [interval], "start_time": start, "end_time": end}


@dataclass(frozen=True, slots=True)
class _Door:
    """The hub's API as these measurements use it."""

    session: aiohttp.ClientSession

    async def post(self, interval: str, start: str, end: str) -> int:
        """Queue a backfill and return the execution's id."""
        body = _body(interval, start, end)
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


@dataclass(frozen=True, slots=True)
class _BareDoor:
    """The bare route, asked in the same way."""

    session: aiohttp.ClientSession

    async def time_post(self) -> tuple[float, int]:
        """Milliseconds of one post, and the row's number."""
        sent_s = time.perf_counter()
        async with self.session.post("/insert", json=_body("1m", *_MONTH)) as response:
            stored = orjson.loads(await response.read())
            response.raise_for_status()
        return (time.perf_counter() - sent_s) * 1000, int(stored["execution_id"])

    async def wait(self, _number: int) -> None:
        """Nothing comes after it."""


async def _measure_posts(hub: HubAddress, sandbox: StampedSandbox, bare_url: str) -> list[Row]:
    headers = {"Authorization": f"Bearer {hub.token}"}
    async with _session(hub.url, headers) as session, _session(bare_url, {}) as bare_session:
        door, bare = _Door(session), _BareDoor(bare_session)
        await door.wait(await door.post("1m", *_YEAR))
        idle_ms, bare_idle_ms = await _post_when_idle(door, bare)
        before_s = _cpu_s(hub)
        alone_ms = await _post_without_pause(door, clients=1)
        hub_cpu_ms = (_cpu_s(hub) - before_s) * 1000 / _BUSY_POSTS
        rows = [
            Row("POST backfill, idle node, p50", quantile(idle_ms, 0.5), "ms", "target", 10.0),
            *_beside_bare("POST backfill, idle node", idle_ms, bare_idle_ms),
            *_beside_bare(
                "POST backfill, 1 client without pause", alone_ms, await _post_without_pause(bare, clients=1)
            ),
            Row("POST backfill and its execution, CPU of the hub", hub_cpu_ms, "ms"),
        ]
        for clients in _CROWDS:
            crowd_ms = await _post_without_pause(door, clients)
            bare_ms = await _post_without_pause(bare, clients)
            rows += _beside_bare(f"POST backfill, {clients} clients without pause", crowd_ms, bare_ms)
        first_ms = await _time_first_requests(door, sandbox)
    # A chunk has begun before it asks: this is the later of the two moments.
    return [*rows, *_quantiles("POST sent to its first chunk's request at the venue", first_ms, 50.0)]


def _session(url: str, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=max(_CROWDS))
    return aiohttp.ClientSession(url, headers=headers, connector=connector)


def _cpu_s(hub: HubAddress) -> float:
    times = psutil.Process(hub.pid).cpu_times()
    return times.user + times.system


async def _post_when_idle(door: _Door, bare: _BareDoor) -> tuple[list[float], list[float]]:
    samples_ms, bare_ms = [], []
    for _ in range(_IDLE_POSTS):
        await asyncio.sleep(_QUIET_S)
        elapsed_ms, execution_id = await door.time_post()
        samples_ms.append(elapsed_ms)
        await door.wait(execution_id)
        # In turns, so that a noisy machine is unfair to both alike.
        bare_ms.append((await bare.time_post())[0])
    return samples_ms, bare_ms


async def _post_without_pause(door: _Door | _BareDoor, clients: int) -> list[float]:
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


def _quantiles(title: str, samples_ms: Sequence[float], target_ms: float) -> list[Row]:
    p50, p99 = (quantile(samples_ms, share) for share in (0.5, 0.99))
    return [Row(f"{title}, p50", p50, "ms", "target", target_ms), Row(f"{title}, p99", p99, "ms")]


def _beside_bare(title: str, samples_ms: Sequence[float], bare_ms: Sequence[float]) -> list[Row]:
    return [
        Row(f"{title}, {name}", quantile(samples_ms, share), "ms", _BARE, quantile(bare_ms, share))
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]


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
