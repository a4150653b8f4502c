"""What OKX's endpoints answer: shapes, rules, refusals and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from markethub.domain.times import parse_time
from markethub.sandbox import SandboxSettings
from markethub.sandbox.okx.request_limits import LIMITS, RequestBook

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox

TIME = "/api/v5/public/time"
INSTRUMENTS = "/api/v5/public/instruments"
CANDLES = "/api/v5/market/candles"
HISTORY = "/api/v5/market/history-candles"
HOUR = 3_600_000


@pytest.fixture
async def browser(browse: StartSandbox, clock: HandClock) -> Browser:
    return await browse(SandboxSettings(clock=clock, okx_limits_enforced=False))


async def ask(browser: Browser, path: str, **query: object) -> list[Any]:
    reply = await browser.get(path, None, **query)
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("application/json")
    envelope = reply.json()
    assert list(envelope) == ["code", "msg", "data"]
    assert (envelope["code"], envelope["msg"]) == ("0", "")
    data: list[Any] = envelope["data"]
    return data


async def test_the_time_is_text(browser: Browser, clock: HandClock) -> None:
    assert await ask(browser, TIME) == [{"ts": str(clock.now_ms)}]


async def test_rows_are_nine_texts_newest_first(browser: Browser) -> None:
    rows = await ask(browser, HISTORY, instId="BTC-USDT", bar="1H", limit=3)
    times = [int(row[0]) for row in rows]
    # The test's clock shows 12:34: the newest finished hour opened at 11.
    assert times == [parse_time("2025-03-10T11:00") - at * HOUR for at in range(3)]
    for row in rows:
        assert len(row) == 9
        assert all(type(item) is str for item in row)
        opened, high, low, close, volume, quote, same = map(float, row[1:8])
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert low * volume <= quote <= high * volume
        assert (row[8], quote) == ("1", same)
        assert not any(item.endswith(".") or ("." in item and item.endswith("0")) for item in row[1:8])


async def test_the_open_bar_comes_first_and_is_not_confirmed(browser: Browser, clock: HandClock) -> None:
    first, second = await ask(browser, CANDLES, instId="BTC-USDT", bar="1H", limit=2)
    assert (int(first[0]), first[8]) == (parse_time("2025-03-10T12:00"), "0")
    assert (int(second[0]), second[8]) == (parse_time("2025-03-10T11:00"), "1")
    clock.set("2025-03-10T13:00")
    rows = await ask(browser, CANDLES, instId="BTC-USDT", bar="1H", limit=3)
    assert [row[8] for row in rows] == ["0", "1", "1"]
    final = rows[1]
    assert final[:2] == first[:2]
    assert float(final[5]) > float(first[5])
    assert rows[2] == second


async def test_the_recent_endpoint_forgets(browser: Browser) -> None:
    oldest_ms = parse_time("2025-03-10T12:00") - 1439 * HOUR
    asked = {"instId": "BTC-USDT", "bar": "1H", "after": oldest_ms + 2 * HOUR}
    assert [int(row[0]) for row in await ask(browser, CANDLES, **asked)] == [oldest_ms + HOUR, oldest_ms]
    assert len(await ask(browser, HISTORY, **asked)) == 100
    everything: list[Any] = []
    while rows := await ask(
        browser,
        CANDLES,
        instId="BTC-USDT",
        bar="1H",
        limit=300,
        **({"after": everything[-1][0]} if everything else {}),
    ):
        everything += rows
    assert len({row[0] for row in everything}) == len(everything) == 1440


async def test_defaults_and_the_largest_page(browser: Browser) -> None:
    rows = await ask(browser, CANDLES, instId="BTC-USDT")
    assert len(rows) == 100
    assert int(rows[0][0]) - int(rows[1][0]) == 60_000
    assert len(await ask(browser, CANDLES, instId="BTC-USDT", limit=1000)) == 300


async def test_days_open_in_utc_plus_8_unless_asked_for_in_utc(browser: Browser) -> None:
    for bar, hour in (("1Dutc", 0), ("1D", 16), ("12H", 4), ("6H", 4), ("6Hutc", 0)):
        for path in (CANDLES, HISTORY):
            rows = await ask(browser, path, instId="BTC-USDT", bar=bar, limit=3)
            width_ms = int(rows[0][0]) - int(rows[1][0])
            assert all(int(row[0]) % width_ms == hour * HOUR % width_ms for row in rows), bar
    after = parse_time("2025-03-09T16:00")
    (day,) = await ask(browser, HISTORY, instId="BTC-USDT", bar="1D", after=after, limit=1)
    hours = await ask(browser, HISTORY, instId="BTC-USDT", bar="1H", after=after, limit=24)
    assert day[0] == hours[-1][0] == str(after - 24 * HOUR)
    assert (day[1], day[4]) == (hours[-1][1], hours[0][4])
    assert float(day[2]) == max(float(row[2]) for row in hours)
    assert float(day[5]) == pytest.approx(sum(float(row[5]) for row in hours))


async def test_the_listing(browser: Browser, clock: HandClock) -> None:
    entries = {entry["instId"]: entry for entry in await ask(browser, INSTRUMENTS, instType="SPOT")}
    bitcoin = entries["BTC-USDT"]
    assert all(type(value) is str for value in bitcoin.values())
    told = ("baseCcy", "quoteCcy", "instType", "state", "tickSz", "lotSz", "minSz", "expTime")
    assert [bitcoin[name] for name in told] == [
        "BTC",
        "USDT",
        "SPOT",
        "live",
        "0.01",
        "0.00001",
        "0.00001",
        "",
    ]
    assert bitcoin["listTime"] == str(parse_time("2017-08-17T04:00"))
    assert "WAVES-USDT" not in entries, "delisted"
    assert "币安人生-USDT" not in entries, "not listed yet"
    clock.set("2024-01-01")
    assert (await ask(browser, INSTRUMENTS, instType="SPOT", instId="WAVES-USDT"))[0]["state"] == "live"
    assert await ask(browser, INSTRUMENTS, instType="SWAP") == []


async def test_a_pair_has_no_bar_before_its_listing(browser: Browser) -> None:
    listed_ms = parse_time("2023-05-03T12:00")
    asked = {"instId": "SUI-USDT", "bar": "1H", "after": listed_ms + HOUR}
    assert [int(row[0]) for row in await ask(browser, HISTORY, **asked)] == [listed_ms]
    assert await ask(browser, HISTORY, **(asked | {"after": listed_ms})) == []


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        (CANDLES, {}, 400, "50014"),
        (HISTORY, {"instId": "NOSUCH-USDT"}, 200, "51001"),
        (HISTORY, {"instId": "BTCUSDT"}, 200, "51001"),
        (HISTORY, {"instId": "WAVES-USDT"}, 200, "51001"),
        (HISTORY, {"instId": "BTC-USDT", "bar": "1h"}, 400, "51000"),
        (HISTORY, {"instId": "BTC-USDT", "bar": "1d"}, 400, "51000"),
        (HISTORY, {"instId": "BTC-USDT", "limit": "0"}, 400, "51000"),
        (HISTORY, {"instId": "BTC-USDT", "limit": "x"}, 400, "51000"),
        (HISTORY, {"instId": "BTC-USDT", "after": "-1"}, 400, "51000"),
        (HISTORY, {"instId": "BTC-USDT", "before": "1.5"}, 400, "51000"),
        (INSTRUMENTS, {}, 400, "50014"),
        (INSTRUMENTS, {"instType": "spot"}, 400, "51000"),
        (INSTRUMENTS, {"instType": "SPOT", "instId": "X-Y"}, 200, "51001"),
        ("/api/v5/nothing", {}, 404, "404"),
    ],
)
async def test_refusals_are_envelopes(
    browser: Browser, path: str, query: dict[str, str], status: int, code: str
) -> None:
    reply = await browser.get(path, None, **query)
    assert reply.status == status
    envelope = reply.json()
    assert (envelope["code"], envelope["data"]) == (code, [])
    assert envelope["msg"]


async def test_prices_differ_a_little_from_binances(browser: Browser) -> None:
    # A time for which no real bars of Binance are recorded.
    start_ms = parse_time("2024-08-01")
    theirs = await browser.klines("ETHUSDT", "1h", startTime=start_ms, limit=24)
    ours = await ask(browser, HISTORY, instId="ETH-USDT", bar="1H", after=start_ms + 24 * HOUR, limit=24)
    ratios = {float(here[4]) / float(there[4]) for here, there in zip(reversed(ours), theirs, strict=True)}
    assert len(ratios) > 1
    assert all(1.0003 < ratio < 1.0005 for ratio in ratios)


async def test_too_many_requests(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse()
    replies = [await browser.get(HISTORY, instId="BTC-USDT", limit=1) for _ in range(21)]
    assert [reply.status for reply in replies] == [200] * 20 + [429]
    assert replies[-1].json() == {"msg": "Too Many Requests", "code": "50011"}
    assert "Retry-After" not in replies[-1].headers
    assert (await browser.get(CANDLES, instId="BTC-USDT", limit=1)).status == 200, "counted apart"
    assert (await browser.get("/api/v3/ping")).status == 200, "another venue"
    clock.now_ms += 2000
    assert (await browser.get(HISTORY, instId="BTC-USDT", limit=1)).status == 200
    (client,) = (await browser.get("/sandbox/stats")).json()["limits"]["okx"].values()
    assert client == {"used_2s": {HISTORY: 1}, "refused": {HISTORY: 1}}
    await browser.post("/sandbox/reset", None)
    assert (await browser.get("/sandbox/stats")).json()["limits"]["okx"] == {}


def test_requests_are_counted_by_address_endpoint_and_window() -> None:
    book = RequestBook(SandboxSettings())
    for path, limit in LIMITS.items():
        admitted = [book.admit("one", path, path, 3_999) for _ in range(limit + 1)]
        assert admitted == [True] * limit + [False]
        assert book.admit("two", path, path, 3_999)
        assert book.admit("one", path, f"{path} SWAP", 3_999)
    assert book.admit("one", HISTORY, HISTORY, 4_000)
    free = RequestBook(SandboxSettings(okx_limits_enforced=False))
    assert all(free.admit("one", HISTORY, HISTORY, 0) for _ in range(100))
