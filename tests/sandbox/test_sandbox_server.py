"""Running, counting, resetting, breaking and stopping a sandbox."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import aiohttp
import orjson
import pytest

from markethub.domain.times import parse_time
from markethub.sandbox import (
    SandboxSettings,
    clock_starting_at,
    create_sandbox,
    fixed_clock,
    running_sandbox,
    serve_sandbox,
)

if TYPE_CHECKING:
    from tests.sandbox.conftest import StartSandbox

KLINES = "/api/v3/klines"
ZIP = "/data/spot/monthly/klines/ETHUSDT/1h/ETHUSDT-1h-2024-02.zip"
ZIPS = "/data/spot/{period}/klines/{symbol}/{interval}/{file}"
HOURS = {"symbol": "ETHUSDT", "interval": "1h", "limit": "3"}


async def test_it_binds_to_loopback_on_a_free_port() -> None:
    async with running_sandbox() as one, running_sandbox() as other:
        assert one.url.startswith("http://127.0.0.1:")
        assert one.url != other.url


async def test_requests_and_replies_are_counted_and_reset(browse: StartSandbox) -> None:
    browser = await browse()
    for _ in range(3):
        await browser.get(KLINES, None, **HOURS)
    await browser.get(KLINES)
    await browser.get(ZIP)
    await browser.get("/data/nothing")
    await browser.get("/elsewhere")
    stats = (await browser.get("/sandbox/stats")).json()
    assert stats["requests"] == {
        KLINES: 4, ZIPS: 1, "/data/{unknown}": 1, "(unknown path)": 1,
    }  # fmt: skip
    assert stats["replies"][KLINES] == {"200": 3, "400": 1}
    assert stats["replies"]["(unknown path)"] == {"404": 1}
    (client,) = stats["limits"]["binance"].values()
    assert client == {
        "used_weight_1m": 8,
        "weight_windows": [],
        "refusals": 0,
        "raw_requests_5m": 4,
        "bans": 0,
        "banned_until_ms": None,
    }
    assert browser.sandbox.stats.requests[KLINES] == 4
    assert browser.sandbox.stats.replies[KLINES, 400] == 1

    await browser.post("/sandbox/faults", [{"path": "/api", "kind": "garbage"}])
    assert (await browser.post("/sandbox/reset", None)).status == 200
    fresh = (await browser.get("/sandbox/stats")).json()
    assert fresh["limits"]["binance"] == {}
    assert fresh["requests"] == fresh["replies"] == {}
    assert fresh["faults"] == []


async def test_reset_lifts_a_ban(browse: StartSandbox) -> None:
    browser = await browse(SandboxSettings(weight_per_minute=1, refusals_before_ban=1, first_ban_s=3600))
    assert [(await browser.get("/api/v3/ping")).status for _ in range(4)][-1] == 418
    await browser.post("/sandbox/reset", None)
    assert (await browser.get("/api/v3/ping")).status == 200


async def test_a_status_fault_hits_so_many_times_and_then_no_more(browse: StartSandbox) -> None:
    browser = await browse()
    plan = [{"path": KLINES, "kind": "status", "status": 503, "times": 2, "retry_after_s": 7}]
    pending = (await browser.post("/sandbox/faults", plan)).json()["faults"]
    assert pending[0]["times"] == 2
    replies = [await browser.get(KLINES, None, **HOURS) for _ in range(3)]
    assert [reply.status for reply in replies] == [503, 503, 200]
    assert replies[0].headers["Retry-After"] == "7"
    assert (await browser.get("/sandbox/stats")).json()["faults"] == []
    assert replies[2].headers["X-MBX-USED-WEIGHT-1M"] == "2", "a spoilt request costs no weight"


async def test_a_fault_can_be_for_one_symbol(browse: StartSandbox) -> None:
    browser = await browse()
    await browser.post("/sandbox/faults", [{"path": KLINES, "query": "symbol=ADAUSDT", "kind": "status"}])
    assert (await browser.get(KLINES, None, **HOURS)).status == 200
    assert (await browser.get(KLINES, None, **(HOURS | {"symbol": "ADAUSDT"}))).status == 503


async def test_garbage_is_not_json(browse: StartSandbox) -> None:
    browser = await browse()
    await browser.post("/sandbox/faults", [{"path": KLINES, "kind": "garbage"}])
    reply = await browser.get(KLINES, None, **HOURS)
    assert reply.status == 200
    with pytest.raises(orjson.JSONDecodeError):
        reply.json()


@pytest.mark.parametrize(("kind", "times"), [("truncate", 1), ("disconnect", 2)])
async def test_broken_connections(browse: StartSandbox, kind: str, times: int) -> None:
    # Twice for a lost connection, as aiohttp quietly sends a lost GET a second time.
    browser = await browse()
    await browser.post("/sandbox/faults", [{"path": "/data/spot/monthly", "kind": kind, "times": times}])
    with pytest.raises(aiohttp.ClientError):
        await browser.get(ZIP)
    assert (await browser.get(ZIP)).status == 200


async def test_a_corrupted_file_and_a_wrong_checksum_do_not_match(browse: StartSandbox) -> None:
    browser = await browse()
    await browser.post(
        "/sandbox/faults",
        [{"path": f"{ZIP}.CHECKSUM", "kind": "wrong_checksum"}, {"path": ZIP, "kind": "corrupt"}],
    )
    corrupted = (await browser.get(ZIP)).body
    wrong = (await browser.get(f"{ZIP}.CHECKSUM")).body.decode()
    whole = (await browser.get(ZIP)).body
    right = (await browser.get(f"{ZIP}.CHECKSUM")).body.decode()
    assert len(corrupted) == len(whole)
    assert corrupted != whole
    assert right.split() == [hashlib.sha256(whole).hexdigest(), "ETHUSDT-1h-2024-02.zip"]
    assert wrong.split()[1] == right.split()[1]
    assert wrong.split()[0] not in (right.split()[0], hashlib.sha256(corrupted).hexdigest())


async def test_a_hanging_reply_ends_when_the_sandbox_stops() -> None:
    async with aiohttp.ClientSession() as session:
        async with running_sandbox() as sandbox:
            plan = orjson.dumps([{"path": KLINES, "kind": "hang"}])
            async with session.post(f"{sandbox.url}/sandbox/faults", data=plan) as planned:
                assert planned.status == 200
            asked = asyncio.create_task(session.get(sandbox.url + KLINES, params=HOURS))
            while not sandbox.stats.requests[KLINES]:  # noqa: ASYNC110 - the server runs in this very loop
                await asyncio.sleep(0)
            assert not asked.done()
        response = await asked
        assert response.status == 503
        response.release()


@pytest.mark.parametrize(
    "plan",
    [
        {"path": "/api", "kind": "status"},
        ["not an object"],
        [{"path": "/api"}],
        [{"kind": "status"}],
        [{"path": "/api", "kind": "explode"}],
        [{"path": "api", "kind": "status"}],
        [{"path": "/api", "kind": "status", "times": -1}],
        [{"path": "/api", "kind": "status", "rate": 0}],
        [{"path": "/api", "kind": "status", "rate": "often"}],
        {"seed": "x", "faults": []},
        {"seed": 1, "faults": [], "colour": "red"},
        [{"path": "/api", "kind": "status", "times": True}],
        [{"path": "/api", "kind": "status", "status": 200}],
        [{"path": "/api", "kind": "status", "colour": "red"}],
        [{"path": "/api", "kind": "garbage"}, {"path": "/api", "kind": "explode"}],
    ],
)
async def test_a_wrong_fault_plan_is_refused_as_a_whole(browse: StartSandbox, plan: object) -> None:
    browser = await browse()
    reply = await browser.post("/sandbox/faults", plan)
    assert reply.status == 400
    assert b"fault" in reply.body
    assert (await browser.get("/sandbox/stats")).json()["faults"] == []


async def test_a_fault_plan_that_is_not_json_is_refused() -> None:
    async with (
        running_sandbox() as sandbox,
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.url}/sandbox/faults", data=b"{oops") as reply,
    ):
        assert reply.status == 400


async def test_serving_tells_the_url_and_stops_when_cancelled() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_sandbox(SandboxSettings(), on_ready=ready.set_result))
    url = await ready
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v3/ping") as reply:
        assert reply.status == 200
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{url}/api/v3/ping")


async def test_a_taken_port_is_an_error() -> None:
    async with running_sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            await serve_sandbox(SandboxSettings(), port=port)


def test_clocks() -> None:
    start_ms = parse_time("2020-01-01")
    assert fixed_clock(start_ms)() == start_ms
    moving = clock_starting_at(start_ms)
    first, second = moving(), moving()
    assert start_ms <= first <= second < start_ms + 60_000


def test_an_application_can_be_made_without_a_running_loop() -> None:
    paths = {resource.canonical for resource in create_sandbox(SandboxSettings()).router.resources()}
    assert {"/api", "/data", "/sandbox"} <= paths
