"""OKX's listing, tickers and books as the sandbox plays them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from markethub.domain.times import parse_time
from markethub.sandbox import SandboxSettings

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox

INSTRUMENTS = "/api/v5/public/instruments"
CANDLES, HISTORY = "/api/v5/market/candles", "/api/v5/market/history-candles"
TICKER, TICKERS = "/api/v5/market/ticker", "/api/v5/market/tickers"
BOOKS, BOOKS_FULL = "/api/v5/market/books", "/api/v5/market/books-full"
DAY = 86_400_000


@pytest.fixture
async def browser(browse: StartSandbox, clock: HandClock) -> Browser:
    return await browse(SandboxSettings(clock=clock, okx_limits_enforced=False))


async def ask(browser: Browser, path: str, **query: object) -> list[Any]:
    reply = await browser.get(path, None, **query)
    assert reply.status == 200, reply.body
    envelope = reply.json()
    assert (envelope["code"], envelope["msg"]) == ("0", ""), envelope
    data: list[Any] = envelope["data"]
    return data


async def refusal(browser: Browser, path: str, **query: object) -> tuple[int, str]:
    reply = await browser.get(path, None, **query)
    envelope = reply.json()
    assert envelope["data"] == []
    return reply.status, envelope["code"]


async def test_a_ticker_agrees_with_the_bars(browser: Browser, clock: HandClock) -> None:
    clock.set("2025-03-10T12:34:00Z")
    (ticker,) = await ask(browser, TICKER, instId="ETH-USDT")
    assert all(type(text) is str for text in ticker.values())
    assert (ticker["instType"], ticker["ts"]) == ("SPOT", str(clock.now_ms))
    minutes: list[Any] = []
    while len(minutes) < 1440:
        after = {"after": minutes[-1][0]} if minutes else {}
        minutes += await ask(browser, HISTORY, instId="ETH-USDT", limit=300, **after)
    day = minutes[:1440]  # at the full minute the day is made of whole ones
    assert int(day[-1][0]) == clock.now_ms - DAY
    assert float(ticker["high24h"]) == max(float(row[2]) for row in day)
    assert float(ticker["low24h"]) == min(float(row[3]) for row in day)
    assert ticker["open24h"] == day[-1][1]
    assert float(ticker["vol24h"]) == pytest.approx(sum(float(row[5]) for row in day))
    assert float(ticker["volCcy24h"]) == pytest.approx(sum(float(row[6]) for row in day))
    (open_bar,) = await ask(browser, CANDLES, instId="ETH-USDT", limit=1)
    assert ticker["last"] == open_bar[4]
    (midnight,) = await ask(
        browser, HISTORY, instId="ETH-USDT", bar="1H", after=parse_time("2025-03-10T01:00"), limit=1
    )
    assert ticker["sodUtc0"] == midnight[1]
    (asian,) = await ask(
        browser, HISTORY, instId="ETH-USDT", bar="1H", after=parse_time("2025-03-09T17:00"), limit=1
    )
    assert ticker["sodUtc8"] == asian[1]


async def test_all_tickers_are_those_of_the_pairs_that_trade(browser: Browser) -> None:
    tickers = {entry["instId"]: entry for entry in await ask(browser, TICKERS, instType="SPOT")}
    live = {
        entry["instId"]
        for entry in await ask(browser, INSTRUMENTS, instType="SPOT")
        if entry["state"] == "live"
    }
    assert set(tickers) == live
    assert [tickers["BTC-USDT"]] == await ask(browser, TICKER, instId="BTC-USDT")
    for entry in tickers.values():
        assert float(entry["low24h"]) <= float(entry["last"]) <= float(entry["high24h"])
        assert float(entry["bidPx"]) < float(entry["askPx"])
    assert await ask(browser, TICKERS, instType="SWAP") == []


async def test_a_book_has_one_level_unless_a_size_is_sent(browser: Browser) -> None:
    for path in (BOOKS, BOOKS_FULL):
        (book,) = await ask(browser, path, instId="BTC-USDT")
        assert (len(book["bids"]), len(book["asks"])) == (1, 1)


async def test_books_have_four_columns_and_a_sequence_full_books_three_and_none(
    browser: Browser, clock: HandClock
) -> None:
    (book,) = await ask(browser, BOOKS, instId="BTC-USDT", sz=400)
    (full,) = await ask(browser, BOOKS_FULL, instId="BTC-USDT", sz=5000)
    assert [set(map(len, one["bids"] + one["asks"])) for one in (book, full)] == [{4}, {3}]
    assert {row[2] for row in book["bids"]} == {"0"}
    assert (list(book), list(full)) == (["asks", "bids", "ts", "seqId"], ["asks", "bids", "ts"])
    assert type(book["seqId"]) is int
    assert book["ts"] == full["ts"] == str(clock.now_ms // 1000 * 1000)
    for side in ("bids", "asks"):
        assert (len(book[side]), len(full[side])) == (400, 5000)
        assert [row[:2] for row in book[side]] == [row[:2] for row in full[side][:400]], (
            "the top of the same book"
        )
        prices = [float(row[0]) for row in full[side]]
        assert prices == sorted(set(prices), reverse=side == "bids")
        assert all(float(row[1]) > 0 for row in full[side])
    assert float(full["bids"][0][0]) < float(full["asks"][0][0])
    (ticker,) = await ask(browser, TICKER, instId="BTC-USDT")
    assert [ticker["bidPx"], ticker["bidSz"]] == book["bids"][0][:2]
    assert float(book["bids"][0][0]) <= float(ticker["last"]) <= float(book["asks"][0][0])


async def test_a_later_book_has_a_later_sequence(browser: Browser, clock: HandClock) -> None:
    (before,) = await ask(browser, BOOKS, instId="BTC-USDT", sz=5)
    clock.now_ms += 1000
    (after,) = await ask(browser, BOOKS, instId="BTC-USDT", sz=5)
    assert after["seqId"] > before["seqId"]
    assert after != before


async def test_an_announced_pair_is_shown_with_little_more_than_its_name(
    browser: Browser, clock: HandClock
) -> None:
    query = {"instType": "SPOT", "instId": "ENA-USDT"}
    listed_ms = parse_time("2024-04-02T08:00")
    clock.now_ms = listed_ms - 3 * DAY - 1
    assert await refusal(browser, INSTRUMENTS, **query) == (200, "51001")
    clock.now_ms += 1
    (entry,) = await ask(browser, INSTRUMENTS, **query)
    told = {name: text for name, text in entry.items() if text}
    assert told == {"instType": "SPOT", "instId": "ENA-USDT", "listTime": str(listed_ms), "state": "preopen"}
    clock.now_ms = listed_ms - 300_000
    (entry,) = await ask(browser, INSTRUMENTS, **query)
    assert (entry["state"], entry["baseCcy"], entry["tickSz"]) == ("preopen", "ENA", "0.0001")
    assert await refusal(browser, HISTORY, instId="ENA-USDT") == (200, "51001")
    assert await ask(browser, TICKER, instId="ENA-USDT") == []
    clock.now_ms = listed_ms
    (entry,) = await ask(browser, INSTRUMENTS, **query)
    assert entry["state"] == "live"


async def test_a_pair_that_ends_is_announced_suspended_and_gone(browser: Browser, clock: HandClock) -> None:
    query = {"instType": "SPOT", "instId": "WAVES-USDT"}
    end_ms = parse_time("2024-06-17T03:00")

    async def shown() -> tuple[str, str]:
        (entry,) = await ask(browser, INSTRUMENTS, **query)
        return entry["state"], entry["expTime"]

    clock.now_ms = end_ms - 7 * DAY - 1
    assert await shown() == ("live", "")
    clock.now_ms += 1
    assert await shown() == ("live", str(end_ms))
    clock.now_ms = end_ms
    assert await shown() == ("suspend", str(end_ms))
    assert await ask(browser, TICKER, instId="WAVES-USDT") == []
    (book,) = await ask(browser, BOOKS, instId="WAVES-USDT", sz=5)
    assert (book["bids"], book["asks"]) == ([], [])
    rows = await ask(browser, CANDLES, instId="WAVES-USDT", bar="1H", limit=2)
    assert [(int(row[0]), row[8]) for row in rows] == [(end_ms - 3_600_000, "1"), (end_ms - 7_200_000, "1")]
    clock.now_ms = end_ms + 3_600_000
    assert await refusal(browser, INSTRUMENTS, **query) == (200, "51001")
    assert await refusal(browser, TICKER, instId="WAVES-USDT") == (200, "51001")


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        (TICKERS, {}, (400, "50014")),
        (TICKERS, {"instType": "spot"}, (400, "51000")),
        (TICKER, {}, (400, "50014")),
        (TICKER, {"instId": "NO-SUCH"}, (200, "51001")),
        (BOOKS, {}, (400, "50014")),
        (BOOKS, {"instId": "NO-SUCH"}, (200, "51001")),
        (BOOKS, {"instId": "BTC-USDT", "sz": "401"}, (400, "51000")),
        (BOOKS, {"instId": "BTC-USDT", "sz": "0"}, (400, "51000")),
        (BOOKS, {"instId": "BTC-USDT", "sz": "x"}, (400, "51000")),
        (BOOKS, {"instId": "BTC-USDT", "sz": "-1"}, (400, "51000")),
        (BOOKS_FULL, {"instId": "BTC-USDT", "sz": "5001"}, (400, "51000")),
    ],
)
async def test_refusals(
    browser: Browser, path: str, query: dict[str, str], expected: tuple[int, str]
) -> None:
    assert await refusal(browser, path, **query) == expected
