"""What Binance does when a client spends too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from markethub.domain.errors import InputError
from markethub.sandbox import SandboxSettings
from markethub.sandbox.binance.weights import WeightBook

if TYPE_CHECKING:
    from tests.sandbox.conftest import HandClock, StartSandbox

MINUTE_MS = 60_000
START_MS = 29_000_000 * MINUTE_MS


def spend(
    book: WeightBook, times: int, weight: int = 1, now_ms: int = START_MS, client: str = "a"
) -> list[int]:
    return [book.charge(client, weight, now_ms).status for _ in range(times)]


def test_weight_is_counted_per_client_and_calendar_minute() -> None:
    book = WeightBook(SandboxSettings(weight_per_minute=10))
    late_ms = START_MS + MINUTE_MS - 1
    assert spend(book, 5, weight=2, now_ms=late_ms) == [200] * 5
    refused = book.charge("a", 2, late_ms)
    assert (refused.status, refused.used_weight, refused.retry_after_s) == (429, 12, 1)
    assert book.charge("b", 2, late_ms).status == 200
    fresh = book.charge("a", 2, START_MS + MINUTE_MS)
    assert (fresh.status, fresh.used_weight) == (200, 2)


def test_retry_after_reaches_to_the_end_of_the_minute() -> None:
    book = WeightBook(SandboxSettings(weight_per_minute=1))
    spend(book, 1)
    assert book.charge("a", 1, START_MS + 100).retry_after_s == 60
    assert book.charge("a", 1, START_MS + 12_000).retry_after_s == 48


def test_raw_requests_have_their_own_limit_over_five_minutes() -> None:
    book = WeightBook(SandboxSettings(raw_requests_per_5_minutes=3))
    window_ms = START_MS // 300_000 * 300_000
    assert spend(book, 3, now_ms=window_ms) == [200] * 3
    refused = book.charge("a", 1, window_ms + 2 * MINUTE_MS)
    assert (refused.status, refused.retry_after_s) == (429, 180)
    assert "3 raw requests per 5 MINUTE" in refused.message
    assert book.charge("a", 1, window_ms + 300_000).status == 200


def test_going_on_during_a_429_leads_to_bans_that_double() -> None:
    book = WeightBook(SandboxSettings(weight_per_minute=1, refusals_before_ban=2, first_ban_s=120))
    assert spend(book, 4) == [200, 429, 429, 418]
    banned = book.charge("a", 1, START_MS + 119_001)
    assert (banned.status, banned.retry_after_s) == (418, 1)
    assert f"IP banned until {START_MS + 120_000}" in banned.message
    free_ms = START_MS + 120_000
    assert spend(book, 4, now_ms=free_ms) == [200, 429, 429, 418]
    assert book.charge("a", 1, free_ms).retry_after_s == 240
    assert spend(book, 1, now_ms=free_ms, client="b") == [200]


def test_a_ban_never_exceeds_three_days() -> None:
    book = WeightBook(SandboxSettings(weight_per_minute=1, refusals_before_ban=1, first_ban_s=100_000))
    now_ms = START_MS
    for longest_s in (100_000, 200_000, 259_200, 259_200):
        assert spend(book, 3, now_ms=now_ms) == [200, 429, 418]
        assert book.charge("a", 1, now_ms).retry_after_s == longest_s
        now_ms += longest_s * 1000


def test_backing_off_in_time_is_forgiven() -> None:
    book = WeightBook(SandboxSettings(weight_per_minute=1, refusals_before_ban=2))
    for minute in range(5):
        assert spend(book, 3, now_ms=START_MS + minute * MINUTE_MS) == [200, 429, 429]


def test_without_limits_nothing_is_refused_but_all_is_counted() -> None:
    book = WeightBook(SandboxSettings(weight_per_minute=None, raw_requests_per_5_minutes=None))
    assert set(spend(book, 10_000, weight=20)) == {200}
    assert book.charge("a", 20, START_MS).used_weight == 200_020


async def test_endpoints_cost_what_is_documented(browse: StartSandbox) -> None:
    browser = await browse()
    used = []
    for path, query in (
        ("/api/v3/ping", {}),
        ("/api/v3/time", {}),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": "1"}),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": "1000"}),
        ("/api/v3/exchangeInfo", {"symbol": "BTCUSDT"}),
    ):
        reply = await browser.get(path, None, **query)
        used.append(int(reply.headers["X-MBX-USED-WEIGHT-1M"]))
    assert used == [1, 2, 4, 6, 26]


async def test_overspending_over_http(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse(
        SandboxSettings(clock=clock, weight_per_minute=4, refusals_before_ban=1, first_ban_s=200)
    )
    replies = [
        await browser.get("/api/v3/klines", symbol="BTCUSDT", interval="1h", limit=1) for _ in range(4)
    ]
    assert [reply.status for reply in replies] == [200, 200, 429, 418]
    refused, banned = replies[2:]
    assert refused.json()["code"] == banned.json()["code"] == -1003
    assert "current limit is 4 request weight per 1 MINUTE" in refused.json()["msg"]
    assert refused.headers["Retry-After"] == "40", "the test's clock shows 20 seconds past the minute"
    assert banned.headers["Retry-After"] == "200"
    assert [reply.headers["X-MBX-USED-WEIGHT-1M"] for reply in replies] == ["2", "4", "6", "8"]
    archive = await browser.get("/data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2025-03-08.zip")
    assert archive.status == 200, "the archive knows no such limits"
    clock.now_ms += 200_000
    assert (await browser.get("/api/v3/ping")).status == 200


@pytest.mark.parametrize(
    "build",
    [
        lambda: SandboxSettings(weight_per_minute=0),
        lambda: SandboxSettings(generated_symbols=10_000),
        lambda: SandboxSettings(archive_hour_utc=24),
        lambda: SandboxSettings(first_ban_s=0),
    ],
)
def test_settings_out_of_range_are_refused(build: type[SandboxSettings]) -> None:
    with pytest.raises(InputError):
        build()
