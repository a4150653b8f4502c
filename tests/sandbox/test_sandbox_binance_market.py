"""Tickers and books of the sandbox: Binance's shapes, weights and errors, in step with the bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from markethub.sandbox import SandboxSettings

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox

MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS


def named(count: int) -> str:
    return f"[{','.join(['X'] * count)}]".replace("X", '"X"')


async def used(browser: Browser, path: str, **query: object) -> int:
    """The weight of one request, by the venue's own count."""
    before = await browser.get("/api/v3/ping")
    after = await browser.get(path, None, **query)
    return int(after.headers["X-MBX-USED-WEIGHT-1M"]) - int(before.headers["X-MBX-USED-WEIGHT-1M"])


async def test_a_ticker_follows_from_the_bars(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse()
    ticker = (await browser.get("/api/v3/ticker/24hr", None, symbol="ETHUSDT")).json()
    past = await browser.klines("ETHUSDT", "1m", startTime=clock.now_ms - DAY_MS, limit=1000)
    past += await browser.klines("ETHUSDT", "1m", startTime=past[-1][0] + MINUTE_MS, limit=1000)
    # The venue's 24 hours begin with a whole minute here: the one in which they began.
    opened = await browser.klines("ETHUSDT", "1m", startTime=past[0][0] - MINUTE_MS, limit=1)
    minutes = opened + past
    assert len(minutes) == 1441
    assert ticker["lastPrice"] == minutes[-1][4]
    assert ticker["openPrice"] == minutes[0][1]
    assert ticker["highPrice"] == max((row[2] for row in minutes), key=float)
    assert ticker["lowPrice"] == min((row[3] for row in minutes), key=float)
    assert ticker["count"] == sum(row[8] for row in minutes)
    assert float(ticker["volume"]) == pytest.approx(sum(float(row[5]) for row in minutes))
    assert float(ticker["quoteVolume"]) == pytest.approx(sum(float(row[7]) for row in minutes))
    assert ticker["closeTime"] == clock.now_ms
    assert ticker["openTime"] == clock.now_ms - DAY_MS
    change = float(ticker["lastPrice"]) - float(ticker["openPrice"])
    assert float(ticker["priceChange"]) == pytest.approx(change)


async def test_a_ticker_has_the_recorded_fields_and_eight_decimals(browse: StartSandbox) -> None:
    browser = await browse()
    ticker = (await browser.get("/api/v3/ticker/24hr", None, symbol="BTCUSDT")).json()
    assert set(ticker) == {
        "symbol", "priceChange", "priceChangePercent", "weightedAvgPrice", "prevClosePrice", "lastPrice",
        "lastQty", "bidPrice", "bidQty", "askPrice", "askQty", "openPrice", "highPrice", "lowPrice", "volume",
        "quoteVolume", "openTime", "closeTime", "firstId", "lastId", "count",
    }  # fmt: skip
    for name in ("lastPrice", "bidQty", "weightedAvgPrice", "quoteVolume", "priceChange"):
        assert len(ticker[name].partition(".")[2]) == 8
    mini = (await browser.get("/api/v3/ticker/24hr", None, symbol="BTCUSDT", type="MINI")).json()
    assert "bidPrice" not in mini
    assert mini["lastPrice"] == ticker["lastPrice"]


async def test_one_some_or_all(browse: StartSandbox) -> None:
    browser = await browse()
    assert isinstance((await browser.get("/api/v3/ticker/24hr", None, symbol="BTCUSDT")).json(), dict)
    some = (await browser.get("/api/v3/ticker/24hr", None, symbols='["BTCUSDT","ETHBTC"]')).json()
    assert [ticker["symbol"] for ticker in some] == ["BTCUSDT", "ETHBTC"]
    every = {ticker["symbol"]: ticker for ticker in (await browser.get("/api/v3/ticker/24hr")).json()}
    assert len(every) > 40
    assert every["BTCBUSD"]["lastPrice"] == every["BTCBUSD"]["bidPrice"] == "0.00000000"  # BREAK


async def test_a_book_is_sorted_seeded_and_around_the_last_price(
    browse: StartSandbox, clock: HandClock
) -> None:
    browser = await browse()
    reply = await browser.get("/api/v3/depth", None, symbol="ETHUSDT", limit=5000)
    book: dict[str, Any] = reply.json()
    assert set(book) == {"lastUpdateId", "bids", "asks"}
    bids, asks = ([float(price) for price, _ in book[side]] for side in ("bids", "asks"))
    assert len(bids) == len(asks) == 5000
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    ticker = (await browser.get("/api/v3/ticker/24hr", None, symbol="ETHUSDT")).json()
    assert [ticker["bidPrice"], ticker["bidQty"]] == book["bids"][0]
    assert bids[0] <= float(ticker["lastPrice"]) <= asks[0]
    shallow = (await browser.get("/api/v3/depth", None, symbol="ETHUSDT", limit=5)).json()
    assert shallow["asks"] == book["asks"][:5]
    other = await browse(SandboxSettings(clock=clock))
    assert (await other.get("/api/v3/depth", None, symbol="ETHUSDT", limit=5000)).body == reply.body
    strange = await browse(SandboxSettings(clock=clock, seed=8))
    assert (await strange.get("/api/v3/depth", None, symbol="ETHUSDT", limit=5000)).body != reply.body
    clock.now_ms += 1000
    later = (await browser.get("/api/v3/depth", None, symbol="ETHUSDT", limit=5)).json()
    assert later["lastUpdateId"] > book["lastUpdateId"]


async def test_a_book_has_100_levels_unless_asked_and_none_after_delisting(browse: StartSandbox) -> None:
    browser = await browse()
    assert len((await browser.get("/api/v3/depth", None, symbol="BTCUSDT")).json()["bids"]) == 100
    gone = (await browser.get("/api/v3/depth", None, symbol="BTCBUSD")).json()
    assert (gone["bids"], gone["asks"]) == ([], [])


@pytest.mark.parametrize(
    ("path", "query", "weight"),
    [
        ("/api/v3/depth", {"symbol": "BTCUSDT"}, 5),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": 100}, 5),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": 101}, 25),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": 1000}, 50),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": 1001}, 250),
        ("/api/v3/ticker/24hr", {"symbol": "BTCUSDT"}, 2),
        ("/api/v3/ticker/24hr", {"symbols": '["BTCUSDT","ETHUSDT"]'}, 2),
        ("/api/v3/ticker/24hr", {"symbols": named(21)}, 40),
        ("/api/v3/ticker/24hr", {"symbols": named(101)}, 80),
        ("/api/v3/ticker/24hr", {}, 80),
        ("/api/v3/account", {}, 20),
    ],
)
async def test_documented_weights(
    browse: StartSandbox, path: str, query: dict[str, object], weight: int
) -> None:
    assert await used(await browse(), path, **query) == weight


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/api/v3/depth", {}, -1102),
        ("/api/v3/depth", {"symbol": "NOSUCH"}, -1121),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "x"}, -1100),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": 0}, -1130),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "speed": 1}, -1104),
        ("/api/v3/ticker/24hr", {"symbol": "NOSUCH"}, -1121),
        ("/api/v3/ticker/24hr", {"symbols": '["BTCUSDT","NOSUCH"]'}, -1121),
        ("/api/v3/ticker/24hr", {"symbols": "BTCUSDT"}, -1100),
        ("/api/v3/ticker/24hr", {"symbols": '["BTCUSDT","BTCUSDT"]'}, -1151),
        ("/api/v3/ticker/24hr", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ("/api/v3/ticker/24hr", {"type": "TINY"}, -1139),
    ],
)
async def test_refusals(browse: StartSandbox, path: str, query: dict[str, object], code: int) -> None:
    reply = await (await browse()).get(path, None, **query)
    assert (reply.status, reply.json()["code"]) == (400, code)
