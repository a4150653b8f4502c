"""What the sandbox remembers of its clients' manners, and limits in windows of other lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from markethub.domain.errors import InputError
from markethub.sandbox import SandboxSettings
from markethub.sandbox.binance.weights import WeightBook

if TYPE_CHECKING:
    from tests.sandbox.conftest import HandClock, StartSandbox

TIME = "/api/v3/time"


async def test_requests_during_a_silence_are_counted(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse()
    await browser.post(
        "/sandbox/faults", [{"path": TIME, "kind": "status", "status": 429, "retry_after_s": 5}]
    )
    assert (await browser.get(TIME)).status == 429
    clock.now_ms += 1_200
    await browser.get(TIME)
    clock.now_ms += 600
    await browser.get("/api/v3/ping")
    await browser.get("/api/v5/public/time")  # another exchange has not asked for silence
    clock.now_ms += 3_200
    await browser.get(TIME)  # over, to the millisecond
    stats = (await browser.get("/sandbox/stats")).json()
    told_ms = clock.now_ms - 5_000
    assert stats["silences"] == [
        {
            "client": "127.0.0.1",
            "interface": "/api/v3",
            "told_ms": told_ms,
            "until_ms": told_ms + 5_000,
            "broken": 2,
            "last_broken_after_ms": 1_800,
        }
    ]
    await browser.post("/sandbox/reset", None)
    assert (await browser.get("/sandbox/stats")).json()["silences"] == []


async def test_a_refusal_without_a_time_asks_for_no_silence(browse: StartSandbox) -> None:
    browser = await browse()
    await browser.post("/sandbox/faults", [{"path": TIME, "kind": "status", "status": 429}])
    assert (await browser.get(TIME)).status == 429
    await browser.get(TIME)
    assert (await browser.get("/sandbox/stats")).json()["silences"] == []


async def test_a_shorter_window_allows_the_same_pace(browse: StartSandbox, clock: HandClock) -> None:
    clock.set("2025-03-10T12:00:01Z")
    browser = await browse(SandboxSettings(clock=clock, weight_per_minute=240, weight_window_s=5))
    info = (await browser.get("/api/v3/exchangeInfo", None, symbol="BTCUSDT")).json()
    assert info["rateLimits"][0] == {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "SECOND",
        "intervalNum": 5,
        "limit": 20,
    }
    refused = await browser.get(TIME)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "4")
    assert refused.headers["X-MBX-USED-WEIGHT-5S"] == "21"
    assert b"current limit is 20 request weight per 5 SECOND" in refused.body
    clock.set("2025-03-10T12:00:05Z")
    passed = await browser.get(TIME)
    assert (passed.status, passed.headers["X-MBX-USED-WEIGHT-5S"]) == (200, "1")


async def test_the_minute_is_told_as_the_venue_does(browse: StartSandbox) -> None:
    browser = await browse()
    info = (await browser.get("/api/v3/exchangeInfo", None, symbol="BTCUSDT")).json()
    rule = info["rateLimits"][0]
    assert (rule["interval"], rule["intervalNum"], rule["limit"]) == ("MINUTE", 1, 6000)


def test_past_windows_and_refusals_are_remembered() -> None:
    book = WeightBook(SandboxSettings(weight_per_minute=60, weight_window_s=2))
    for now_ms, weight in ((1_000, 2), (1_500, 1), (2_000, 1), (6_000, 1)):
        book.charge("a", weight, now_ms)
    client = book.snapshot()["a"]
    assert isinstance(client, dict)
    assert client["weight_windows"] == [(2_000, 3), (4_000, 1)]
    assert client["refusals"] == 1


@pytest.mark.parametrize("seconds", [0, 61])
def test_a_window_is_a_minute_at_most(seconds: int) -> None:
    with pytest.raises(InputError, match="weight_window_s"):
        SandboxSettings(weight_window_s=seconds)
