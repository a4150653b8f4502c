"""Seeded plans of faults, and what each kind does to a reply."""

from pathlib import Path

import orjson
import pytest

from markethub.domain.errors import InputError
from markethub.sandbox import SandboxSettings
from markethub.sandbox.server import create_sandbox
from tests.sandbox.conftest import Browser, HandClock, StartSandbox

KLINES = "/api/v3/klines"
TIME = "/api/v3/time"
HOURS = {"symbol": "ETHUSDT", "interval": "1h", "startTime": 1_709_251_200_000, "limit": 6}
OKX_HOURS = {"instId": "ETH-USDT", "bar": "1H", "after": 1_709_272_800_000, "limit": 6}
GATE_HOURS = {"currency_pair": "ETH_USDT", "interval": "1d", "limit": 6}


async def plan(browser: Browser, *faults: dict[str, object], seed: int = 7) -> None:
    reply = await browser.post("/sandbox/faults", {"seed": seed, "faults": list(faults)})
    assert reply.status == 200, reply.body


async def statuses(browser: Browser, times: int) -> list[int]:
    return [(await browser.get(KLINES, None, **HOURS)).status for _ in range(times)]


async def test_equal_seeds_hit_equal_requests_and_others_do_not(browse: StartSandbox) -> None:
    fault = {"path": KLINES, "kind": "status", "times": 0, "rate": 0.2}
    runs = []
    for seed in (7, 7, 8):
        browser = await browse()
        await plan(browser, fault, seed=seed)
        runs.append(await statuses(browser, 60))
    assert runs[0] == runs[1] != runs[2]
    assert 4 <= runs[0].count(503) <= 24


async def test_a_fault_waits_for_its_turn_and_tells_its_hits(browse: StartSandbox) -> None:
    browser = await browse()
    await plan(browser, {"path": KLINES, "kind": "status", "skip": 2, "times": 2})
    assert await statuses(browser, 3) == [200, 200, 503]
    (told,) = (await browser.get("/sandbox/stats")).json()["faults"]
    assert (told["met"], told["hit"], told["skip"], told["times"]) == (3, 1, 2, 2)
    assert await statuses(browser, 2) == [503, 200]


async def test_a_plan_may_come_from_a_file(browse: StartSandbox, clock: HandClock, tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_bytes(orjson.dumps({"seed": 3, "faults": [{"path": KLINES, "kind": "html", "status": 502}]}))
    browser = await browse(SandboxSettings(clock=clock, fault_plan=path))
    reply = await browser.get(KLINES, None, **HOURS)
    assert (reply.status, reply.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert await statuses(browser, 1) == [200]


@pytest.mark.parametrize("content", [None, b"{oops", b'{"faults": [{"path": "/", "kind": "explode"}]}'])
def test_a_file_without_a_plan_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "faults.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="fault"):
        create_sandbox(SandboxSettings(fault_plan=path))


@pytest.mark.parametrize(
    ("path", "query", "position"),
    [
        (KLINES, HOURS, (0, 4, 2)),
        ("/api/v5/market/history-candles", OKX_HOURS, (0, 4, 2)),
        ("/api/v4/spot/candlesticks", GATE_HOURS, (0, 2, 3)),
    ],
)
async def test_faults_of_rows_know_every_venues_pages(
    browse: StartSandbox, path: str, query: dict[str, object], position: tuple[int, int, int]
) -> None:
    time, close, high = position
    browser = await browse()

    async def rows() -> list[list[str]]:
        answer = (await browser.get(path, None, **query)).json()
        found: list[list[str]] = answer["data"] if isinstance(answer, dict) else answer
        return found

    whole = await rows()
    assert len(whole) == 6
    wanted_ms = int(whole[1][time]) * (1000 if "candlesticks" in path else 1)

    async def spoilt(kind: str, **more: object) -> list[list[str]]:
        await plan(browser, {"path": path, "kind": kind, **more})
        found = await rows()
        assert await rows() == whole, "one request only"
        return found

    assert await spoilt("reverse_page") == whole[::-1]
    assert await spoilt("short_page") == whole[:3]
    assert await spoilt("missing_bar") == whole[:3] + whole[4:]
    assert await spoilt("missing_bar", row_ms=wanted_ms) == whole[:1] + whole[2:]
    assert await spoilt("missing_bar", row_ms=1) == whole, "that bar is not on this page"
    amended = await spoilt("amended_bar", row_ms=wanted_ms)
    assert amended[1][close] == whole[1][high]
    assert amended[1][:close] == whole[1][:close]
    assert (await spoilt("bad_bar"))[3][close] == "NaN"


async def test_the_page_before_is_sent_once_more(browse: StartSandbox) -> None:
    browser = await browse()
    await plan(browser, {"path": KLINES, "kind": "duplicate_page", "skip": 2})
    first = await browser.get(KLINES, None, **HOURS)
    await browser.get(KLINES, None, **(HOURS | {"symbol": "ADAUSDT"}))
    later = HOURS | {"startTime": 1_709_272_800_000}
    assert (await browser.get(KLINES, None, **later)).body == first.body
    assert (await browser.get(KLINES, None, **later)).body != first.body


async def test_the_clock_can_be_told_wrong(browse: StartSandbox) -> None:
    browser = await browse()
    right = (await browser.get(TIME)).json()["serverTime"]
    await plan(browser, {"path": "/api/", "kind": "clock_skew", "times": 0, "skew_ms": -90_000})
    assert (await browser.get(TIME)).json()["serverTime"] == right - 90_000
    assert (await browser.get("/api/v5/public/time")).json()["data"][0]["ts"] == str(right - 90_000)
    assert (await browser.get("/api/v4/spot/time")).json()["server_time"] == right - 90_000


async def test_refusals_and_late_files(browse: StartSandbox) -> None:
    browser = await browse()
    zip_path = "/data/spot/monthly/klines/ETHUSDT/1h/ETHUSDT-1h-2024-02.zip"
    await plan(
        browser,
        {"path": "/api/v5/market", "kind": "throttle_in_200"},
        {"path": zip_path, "kind": "late_archive"},
        {"path": TIME, "kind": "delay", "delay_ms": 1},
    )
    reply = await browser.get("/api/v5/market/candles", None, **OKX_HOURS)
    assert (reply.status, reply.json()["code"]) == (200, "50011")
    late = await browser.get(zip_path)
    assert (late.status, b"NoSuchKey" in late.body) == (404, True)
    assert (await browser.get(zip_path)).status == 200
    assert (await browser.get(TIME)).status == 200
