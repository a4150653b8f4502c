"""What a venue that charges its limits sees of a busy hub, and of two.

All numbers are the sandbox's own: the weight it booked in each of its windows, its refusals, and for every
``Retry-After`` it told how many requests came in before that was over. Its windows last four seconds instead
of a minute; the hub learns that from ``rateLimits``. How much it allows is set below what this machine can
ask for, so that the budget is what holds the hub up.

A window counts as busy when at its end requests had been waiting for a while.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from markethub import DataHub
from markethub.app import open_hub
from markethub.client.answers import LimitAnswer
from markethub.config import Settings
from markethub.domain.execution import ExecutionStatus
from markethub.domain.times import format_time
from markethub.ports.clock import system_clock
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.services.backfill import queue_kline_backfill
from markethub.services.hub import Hub
from tests.hub_process import HubProcess

SYMBOLS = 500
WINDOW_S = 4
HOURS = 20
DAY_MS = 86_400_000
# From one in the morning, so that no file of the archive lies inside: every bar comes over REST.
START_MS = system_clock() // DAY_MS * DAY_MS - DAY_MS + DAY_MS // 24
END_MS = START_MS + HOURS * DAY_MS // 24
BUSY_MS = 300


@asynccontextmanager
async def charging_sandbox(weight_per_minute: int | None = 4000) -> AsyncIterator[RunningSandbox]:
    limits = SandboxSettings(
        generated_symbols=SYMBOLS, weight_per_minute=weight_per_minute, weight_window_s=WINDOW_S
    )
    async with running_sandbox(limits) as sandbox:
        yield sandbox


@asynccontextmanager
async def hub_at(sandbox: RunningSandbox, folder: Path, workers: int = 8) -> AsyncIterator[Hub]:
    settings = Settings(
        data_dir=folder,
        venues={"BNC": {"base_url": sandbox.url, "archive_url": sandbox.url}},
        workers={"concurrency": workers},
    )
    async with open_hub(settings) as hub:
        yield hub


def some_symbols(count: int) -> list[str]:
    return [f"SIM{number:04d}_USDT.BNC" for number in range(1, count + 1)]


async def backfill(hub: Hub, count: int) -> dict[str, Any]:
    queued = await queue_kline_backfill(
        hub,
        exchanges=None,
        symbols=some_symbols(count),
        intervals=["1h"],
        start_ms=START_MS,
        end_ms=END_MS,
    )
    ended = await hub.engine.wait(queued.execution_id, 100)
    assert (ended.status, ended.error) == (ExecutionStatus.SUCCESS, None)
    return dict(ended.result or {})


async def read_stats(sandbox: RunningSandbox) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/sandbox/stats") as answer:
        stats: dict[str, Any] = await answer.json()
        return stats


async def plan_fault(sandbox: RunningSandbox, **fault: object) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{sandbox.url}/sandbox/faults", json=[fault]) as answer,
    ):
        assert answer.status == 200


def refusals(stats: dict[str, Any]) -> dict[str, int]:
    replies = stats["replies"].values()
    return {status: sum(counts.get(status, 0) for counts in replies) for status in ("418", "429")}


async def measure_pace(folder: Path) -> int:
    """Half of the weight a minute that this machine can ask for at this moment, at most Binance's 6000."""
    async with charging_sandbox(None) as sandbox, hub_at(sandbox, folder) as hub:
        began_s = time.monotonic()
        await backfill(hub, 60)
        requests_per_s = 60 / (time.monotonic() - began_s)
    return min(max(int(requests_per_s * 2 * 60 / 2), 1000), 6000)


@asynccontextmanager
async def watching(is_waiting: Callable[[], Awaitable[bool]]) -> AsyncIterator[set[int]]:
    """Collect the ends of the windows, in Unix milliseconds, that are busy while the block lasts."""
    busy: set[int] = set()
    is_over = asyncio.Event()

    async def watch() -> None:
        since_ms = None
        while not is_over.is_set():
            asked_ms = system_clock()
            since_ms = (since_ms or asked_ms) if await is_waiting() else None
            end_ms = (asked_ms // (WINDOW_S * 1000) + 1) * WINDOW_S * 1000
            if since_ms is not None and asked_ms - since_ms >= BUSY_MS >= end_ms - asked_ms:
                busy.add(end_ms)
            await asyncio.sleep(0.05)

    watcher = asyncio.create_task(watch())
    try:
        yield busy
    finally:
        is_over.set()  # and not cancelled: a question in a thread would go on after its client was closed
        await watcher


def use_of(windows: set[int], stats: dict[str, Any], weight_per_minute: int) -> list[float]:
    """What part of the limit was used in each of these windows but the first two: busy from within, and the
    one in which the hub had to learn how long they are."""
    (client,) = stats["limits"]["binance"].values()
    limit = weight_per_minute * WINDOW_S // 60
    booked = dict(client["weight_windows"][2:])
    return [booked[end_ms] / limit for end_ms in sorted(windows) if end_ms in booked]


async def test_a_backfill_of_500_symbols_uses_the_budget_and_is_never_refused(tmp_path: Path) -> None:
    pace = await measure_pace(tmp_path / "measured")
    async with charging_sandbox(pace) as sandbox, hub_at(sandbox, tmp_path / "hub") as hub:
        budget = hub.venues["BNC"].limits

        async def is_waiting() -> bool:
            return any(one.waiting for one in budget())

        async with watching(is_waiting) as busy:
            result = await backfill(hub, SYMBOLS)
        stats = await read_stats(sandbox)
        told = next(one for one in budget() if one.name == "BNC request weight")
    assert result["inserted"] == SYMBOLS * HOURS
    assert stats["requests"]["/api/v3/klines"] == SYMBOLS
    assert refusals(stats) == {"418": 0, "429": 0}
    used = use_of(busy, stats, pace)
    assert len(used) >= 2, (pace, busy, stats["limits"])
    assert sum(used) / len(used) >= 0.9, used
    assert (told.limit, told.window_s, told.waiting) == (pace * WINDOW_S // 60, WINDOW_S, 0)


async def test_nothing_is_sent_while_the_venue_wants_silence(tmp_path: Path) -> None:
    """One worker asks one thing at a time, so none of its requests is under way when it is told to wait."""
    async with charging_sandbox() as sandbox, hub_at(sandbox, tmp_path, workers=1) as hub:
        await plan_fault(
            sandbox, path="/api/v3/klines", kind="status", status=429, retry_after_s=2, skip=10, times=1
        )
        await plan_fault(
            sandbox, path="/api/v3/klines", kind="status", status=429, retry_after_s=1, skip=20, times=1
        )
        result = await backfill(hub, 40)
        stats = await read_stats(sandbox)
    assert result["inserted"] == 40 * HOURS
    assert refusals(stats) == {"418": 0, "429": 2}
    assert [silence["broken"] for silence in stats["silences"]] == [0, 0]


async def test_of_many_workers_only_requests_under_way_meet_the_silence(tmp_path: Path) -> None:
    async with charging_sandbox() as sandbox, hub_at(sandbox, tmp_path) as hub:
        await plan_fault(
            sandbox, path="/api/v3/klines", kind="status", status=429, retry_after_s=2, skip=30, times=1
        )
        await backfill(hub, 90)
        stats = await read_stats(sandbox)
    assert refusals(stats) == {"418": 0, "429": 1}
    (silence,) = stats["silences"]
    assert silence["broken"] <= 7


async def start_pair(folder: Path, sandbox: RunningSandbox, control_url: str) -> Sequence[HubProcess]:
    """Two hubs with data folders of their own on one control database; its tokens are good for both."""
    control = {"MARKETHUB_CONTROL__URL": control_url, "MARKETHUB_WORKERS__CONCURRENCY": "3"}
    control["MARKETHUB_CONTROL__SHARED"] = "true"
    one, other = (HubProcess(folder / name, sandbox.url, control) for name in ("one", "other"))
    await asyncio.to_thread(one.start)
    other.data_dir.mkdir()
    (other.data_dir / "admin.token").write_text((one.data_dir / "admin.token").read_text())
    await asyncio.to_thread(other.start)
    return one, other


def backfill_over_http(client: DataHub, count: int, days_back: int = 0) -> set[str]:
    """Run a backfill to its end and return which workers had a part in it."""
    queued = client.backfill_klines(
        some_symbols(count),
        intervals=["1h"],
        start_time=format_time(START_MS - days_back * DAY_MS),
        end_time=format_time(END_MS - days_back * DAY_MS),
    )
    ended = client.wait(queued["trace_id"], 100)
    assert (ended["status"], ended["error"]) == ("SUCCESS", None)
    lines = client.list_logs(queued["trace_id"], search="inserted", limit=1000)["data"]
    return {line["worker_id"] for line in lines if line["worker_id"] and line["message"].startswith("SIM")}


def make_acquainted(clients: Sequence[DataHub]) -> None:
    """Work until every hub has learned from the venue how long its windows are: on a busy machine one of them
    may be quick enough to do all of a small backfill."""
    for number in range(1, 30):
        if all(row["window_seconds"] == WINDOW_S for hub in clients for row in weight_limits(hub)):
            return
        # Whoever is asked looks for work at once.
        backfill_over_http(clients[number % 2], 12, days_back=100 * number)
    raise AssertionError("one hub does all the work")


def weight_limits(hub: DataHub) -> list[LimitAnswer]:
    return [row for row in hub.limits()["data"] if row["budget"] == "request weight"]


@pytest.mark.parametrize(
    "database_url",
    [pytest.param("sqlite", marks=pytest.mark.chaos), pytest.param("postgresql", marks=pytest.mark.postgres)],
    indirect=True,
)
async def test_two_processes_share_one_budget(tmp_path: Path, database_url: str) -> None:
    """Both work on one backfill behind one address, each with its own part of the budget."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(charging_sandbox(1500))
        pair = await start_pair(tmp_path, sandbox, database_url)
        for hub in pair:
            stack.push_async_callback(asyncio.to_thread, hub.stop)
        one, other = (stack.enter_context(hub.client()) for hub in pair)

        await asyncio.to_thread(make_acquainted, (one, other))

        def look() -> bool:
            return any(row["waiting"] for hub in (one, other) for row in weight_limits(hub))

        async def is_waiting() -> bool:
            return await asyncio.to_thread(look)

        async with watching(is_waiting) as busy:
            workers = await asyncio.to_thread(backfill_over_http, one, 100)
        stats = await read_stats(sandbox)
    assert len(workers) == 2
    assert refusals(stats) == {"418": 0, "429": 0}
    assert busy  # it was the budget that held them up
