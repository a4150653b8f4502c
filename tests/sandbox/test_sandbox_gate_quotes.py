"""What Gate's tickers and books look like, and that they agree with the bars of the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from markethub.sandbox import SandboxSettings

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox

TICKERS = "/api/v4/spot/tickers"
BOOK = "/api/v4/spot/order_book"
CANDLESTICKS = "/api/v4/spot/candlesticks"


@pytest.fixture
async def browser(browse: StartSandbox, clock: HandClock) -> Browser:
    return await browse(SandboxSettings(clock=clock, gate_requests_per_10_s=None))


async def ask(browser: Browser, path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON document
    reply = await browser.get(path, None, **query)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"].startswith("application/json")
    return reply.json()


async def test_a_ticker_has_the_recorded_fields_as_text(browser: Browser) -> None:
    (entry,) = await ask(browser, TICKERS, currency_pair="BTC_USDT")
    assert list(entry) == [
        "currency_pair", "last", "lowest_ask", "highest_bid", "lowest_size", "highest_size",
        "change_percentage", "change_utc0", "change_utc8", "base_volume", "quote_volume", "high_24h",
        "low_24h",
    ]  # fmt: skip
    assert all(type(value) is str for value in entry.values())


async def test_all_tickers_come_without_sizes_and_without_pairs_that_do_not_trade(browser: Browser) -> None:
    entries = {entry["currency_pair"]: entry for entry in await ask(browser, TICKERS)}
    assert len(entries) == 46
    assert "WAVES_USDT" not in entries
    assert not {"lowest_size", "highest_size"} & set(entries["BTC_USDT"])
    assert await ask(browser, TICKERS, currency_pair="WAVES_USDT") == []


async def test_a_ticker_is_the_day_that_the_bars_tell(browser: Browser, clock: HandClock) -> None:
    clock.set("2025-03-10T12:34:00")
    (entry,) = await ask(browser, TICKERS, currency_pair="ETH_USDT")
    now_s = clock.now_ms // 1000
    rows: list[list[str]] = []
    for start_s in (now_s - 86_400, now_s - 43_200):
        query = {"from": start_s, "to": start_s + 43_140, "currency_pair": "ETH_USDT", "interval": "1m"}
        rows += await ask(browser, CANDLESTICKS, **query)
    assert len(rows) == 1440
    # In the first moment of a minute its bar is but its open price.
    (forming,) = await ask(browser, CANDLESTICKS, currency_pair="ETH_USDT", interval="1m", limit=1)
    day = [*rows, forming]
    assert entry["last"] == forming[2]
    assert float(entry["high_24h"]) == max(float(row[3]) for row in day)
    assert float(entry["low_24h"]) == min(float(row[4]) for row in day)
    assert float(entry["base_volume"]) == pytest.approx(sum(float(row[6]) for row in day))
    assert float(entry["quote_volume"]) == pytest.approx(sum(float(row[1]) for row in day))
    change = (float(entry["last"]) / float(rows[0][5]) - 1) * 100
    assert float(entry["change_percentage"]) == pytest.approx(change, abs=0.006)
    for name, time_s in (
        ("change_utc0", now_s // 86_400 * 86_400),
        ("change_utc8", now_s // 86_400 * 86_400),
    ):
        since_s = time_s if name == "change_utc0" else time_s - 8 * 3600
        (opening,) = (row for row in rows if row[0] == str(since_s))
        change = (float(entry["last"]) / float(opening[5]) - 1) * 100
        assert float(entry[name]) == pytest.approx(change, abs=0.006)


async def test_a_book_has_ten_levels_unless_asked_for_more(browser: Browser) -> None:
    assert len((await ask(browser, BOOK, currency_pair="BTC_USDT"))["asks"]) == 10
    for limit in (1, 100, 1000):
        book = await ask(browser, BOOK, currency_pair="BTC_USDT", limit=limit)
        assert (len(book["asks"]), len(book["bids"])) == (limit, limit)


async def test_a_book_is_best_first_around_the_last_price(browser: Browser) -> None:
    book = await ask(browser, BOOK, currency_pair="BTC_USDT", limit=1000, with_id="true")
    asks = [float(price) for price, _ in book["asks"]]
    bids = [float(price) for price, _ in book["bids"]]
    assert asks == sorted(set(asks))
    assert bids == sorted(set(bids), reverse=True)
    (entry,) = await ask(browser, TICKERS, currency_pair="BTC_USDT")
    assert bids[0] <= float(entry["last"]) <= asks[0]
    assert (entry["highest_bid"], entry["highest_size"]) == tuple(book["bids"][0])
    assert (entry["lowest_ask"], entry["lowest_size"]) == tuple(book["asks"][0])
    assert all(float(size) > 0 for side in ("asks", "bids") for _, size in book[side])


async def test_ids_only_grow_and_are_told_on_request(browser: Browser, clock: HandClock) -> None:
    first = await ask(browser, BOOK, currency_pair="BTC_USDT", with_id="true")
    assert first == await ask(browser, BOOK, currency_pair="BTC_USDT", with_id="true"), "nothing moved"
    assert (first["current"], type(first["id"])) == (clock.now_ms, int)
    assert first["update"] <= first["current"]
    clock.now_ms += 1000
    second = await ask(browser, BOOK, currency_pair="BTC_USDT", with_id="true")
    assert second["id"] > first["id"]
    assert second["asks"] != first["asks"]
    assert "id" not in await ask(browser, BOOK, currency_pair="BTC_USDT")


async def test_a_low_price_leaves_room_for_few_bids(browser: Browser) -> None:
    book = await ask(browser, BOOK, currency_pair="ADA_BTC", limit=1000)
    assert len(book["asks"]) == 1000
    assert 0 < len(book["bids"]) <= 1000
    assert float(book["bids"][-1][0]) > 0


@pytest.mark.parametrize(
    ("path", "query", "label"),
    [
        (TICKERS, {"currency_pair": "NOSUCH_USDT"}, "INVALID_CURRENCY_PAIR"),
        (BOOK, {}, "MISSING_REQUIRED_PARAM"),
        (BOOK, {"currency_pair": "NOSUCH_USDT"}, "INVALID_CURRENCY_PAIR"),
        (BOOK, {"currency_pair": "BTC_USDT", "limit": 0}, "INVALID_PARAM_VALUE"),
        (BOOK, {"currency_pair": "BTC_USDT", "limit": 1001}, "INVALID_PARAM_VALUE"),
        (BOOK, {"currency_pair": "BTC_USDT", "limit": "x"}, "INVALID_PARAM_VALUE"),
        (BOOK, {"currency_pair": "BTC_USDT", "interval": "0.1"}, "INVALID_PARAM_VALUE"),
        (BOOK, {"currency_pair": "BTC_USDT", "with_id": "yes"}, "INVALID_PARAM_VALUE"),
    ],
)
async def test_refusals(browser: Browser, path: str, query: dict[str, object], label: str) -> None:
    reply = await browser.get(path, None, **query)
    assert (reply.status, reply.json()["label"]) == (400, label)
