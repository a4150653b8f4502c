"""What Gate's endpoints answer: shapes, rules, refusals and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from markethub.domain.errors import InputError
from markethub.domain.times import parse_time
from markethub.sandbox import SandboxSettings
from markethub.sandbox.gate.request_limits import RequestBook

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox

TIME = "/api/v4/spot/time"
PAIRS = "/api/v4/spot/currency_pairs"
CANDLESTICKS = "/api/v4/spot/candlesticks"
HOUR_S = 3600
NOW_S = parse_time("2025-03-10T12:00") // 1000  # the open time of the hour the test's clock shows


@pytest.fixture
async def browser(browse: StartSandbox, clock: HandClock) -> Browser:
    return await browse(SandboxSettings(clock=clock, gate_requests_per_10_s=None))


async def ask(browser: Browser, path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON document
    named = {name.rstrip("_"): value for name, value in query.items()}
    reply = await browser.get(path, None, **named)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"].startswith("application/json")
    return reply.json()


async def hours(browser: Browser, **query: object) -> list[list[str]]:
    rows: list[list[str]] = await ask(browser, CANDLESTICKS, currency_pair="BTC_USDT", interval="1h", **query)
    return rows


async def test_the_time_is_a_number_of_milliseconds(browser: Browser, clock: HandClock) -> None:
    assert await ask(browser, TIME) == {"server_time": clock.now_ms}


async def test_rows_are_eight_texts_oldest_first(browser: Browser) -> None:
    rows = await hours(browser, limit=4)
    assert [int(row[0]) for row in rows] == [NOW_S - at * HOUR_S for at in (3, 2, 1, 0)]
    assert [row[7] for row in rows] == ["true", "true", "true", "false"]
    for row in rows:
        assert len(row) == 8
        assert all(type(item) is str for item in row)
        quote, close, high, low, opened, volume = map(float, row[1:7])
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert low * volume <= quote + 1e-6
        assert quote <= high * volume + 1e-6


async def test_the_open_bar_comes_last_and_becomes_closed(browser: Browser, clock: HandClock) -> None:
    first = (await hours(browser, limit=1))[0]
    assert (first[0], first[7]) == (str(NOW_S), "false")
    clock.set("2025-03-10T13:00")
    final, forming = await hours(browser, limit=2)
    assert (final[0], final[5], final[7]) == (first[0], first[5], "true")
    assert float(final[6]) > float(first[6])
    assert forming[7] == "false"


async def test_both_bounds_are_inclusive_and_compared_with_open_times(browser: Browser) -> None:
    start_s = NOW_S - 50 * HOUR_S
    exact = await hours(browser, from_=start_s, to=start_s + 2 * HOUR_S)
    assert [int(row[0]) for row in exact] == [start_s, start_s + HOUR_S, start_s + 2 * HOUR_S]
    inner = await hours(browser, from_=start_s + 1, to=start_s + 2 * HOUR_S - 1)
    assert [int(row[0]) for row in inner] == [start_s + HOUR_S]


async def test_defaults(browser: Browser) -> None:
    rows = await ask(browser, CANDLESTICKS, currency_pair="BTC_USDT")
    assert len(rows) == 100
    assert int(rows[1][0]) - int(rows[0][0]) == 1800
    assert len(await hours(browser, limit=1000)) == 1000
    since = await hours(browser, from_=NOW_S - 5 * HOUR_S)
    assert [int(row[0]) for row in since] == [NOW_S - at * HOUR_S for at in (5, 4, 3, 2, 1, 0)]
    until = await hours(browser, to=NOW_S - 5 * HOUR_S + 7)
    assert (len(until), int(until[-1][0])) == (100, NOW_S - 5 * HOUR_S)


async def test_limit_beside_a_bound_is_refused(browser: Browser) -> None:
    for bounds in ({"from": NOW_S - 9}, {"to": NOW_S}, {"from": NOW_S - 9, "to": NOW_S}):
        asked: dict[str, object] = {"currency_pair": "BTC_USDT", "limit": 100, **bounds}
        reply = await browser.get(CANDLESTICKS, None, **asked)
        assert (reply.status, reply.json()["label"]) == (400, "INVALID_PARAM_VALUE")


@pytest.mark.parametrize(
    ("from_s", "to_s", "is_served"),
    [
        (NOW_S - 2000 * HOUR_S, NOW_S - 1001 * HOUR_S, True),  # 999 widths, aligned
        (NOW_S - 2000 * HOUR_S, NOW_S - 1000 * HOUR_S - 1, True),
        (NOW_S - 2000 * HOUR_S, NOW_S - 1000 * HOUR_S, False),
        (NOW_S - 2000 * HOUR_S + 60, NOW_S - 1000 * HOUR_S + 59, False),  # 1000 widths less 1 s, unaligned
        (NOW_S - 2000 * HOUR_S, None, False),
    ],
)
async def test_at_most_1000_points(browser: Browser, from_s: int, to_s: int | None, is_served: bool) -> None:
    bounds = {"from": from_s} if to_s is None else {"from": from_s, "to": to_s}
    reply = await browser.get(
        CANDLESTICKS, None, **({"currency_pair": "BTC_USDT", "interval": "1h"} | bounds)
    )
    if is_served:
        assert len(reply.json()) == 1000
    else:
        assert (reply.status, reply.json()) == (
            400,
            {
                "label": "INVALID_PARAM_VALUE",
                "message": "Candlestick range too broad. Maximum 1000 data points are allowed per request",
            },
        )


@pytest.mark.parametrize("interval", ["1m", "1h", "1d"])
async def test_the_10000_point_wall(browser: Browser, clock: HandClock, interval: str) -> None:
    width_s = {"1m": 60, "1h": HOUR_S, "1d": 86_400}[interval]
    oldest_s = clock.now_ms // 1000 // width_s * width_s - 9999 * width_s
    asked = {"currency_pair": "BTC_USDT", "interval": interval}
    served = await browser.get(CANDLESTICKS, None, **(asked | {"from": oldest_s, "to": oldest_s + width_s}))
    assert served.status == 200
    assert len(served.json()) == (0 if interval == "1d" else 2), "27 years ago there was nothing"
    refused = await browser.get(CANDLESTICKS, None, **(asked | {"from": oldest_s - width_s, "to": oldest_s}))
    assert refused.status == 400
    assert refused.json() == {
        "label": "INVALID_PARAM_VALUE",
        "message": "Candlestick too long ago. Maximum 10000 points ago are allowed",
    }


async def test_the_listing(browser: Browser, clock: HandClock) -> None:
    entries = {entry["id"]: entry for entry in await ask(browser, PAIRS)}
    bitcoin = entries["BTC_USDT"]
    told = ("base", "quote", "precision", "amount_precision", "min_base_amount", "trade_status", "buy_start")
    assert [bitcoin[name] for name in told] == [
        "BTC", "USDT", 2, 5, "0.00001", "tradable", parse_time("2017-08-17T04:00") // 1000,
    ]  # fmt: skip
    assert (entries["XRP_USDT"]["amount_precision"], entries["XRP_USDT"]["min_base_amount"]) == (0, "1")
    assert entries["WAVES_USDT"]["trade_status"] == "untradable"
    assert entries["WAVES_USDT"]["delisting_time"] == parse_time("2024-06-17T03:00") // 1000
    assert "币安人生_USDT" not in entries, "not listed yet"
    clock.set("2024-01-01")
    earlier = {entry["id"]: entry for entry in await ask(browser, PAIRS)}
    assert earlier["WAVES_USDT"]["trade_status"] == "tradable"


async def test_a_pair_has_no_bar_before_its_listing_nor_after_its_delisting(browser: Browser) -> None:
    listed_s, delisted_s = parse_time("2023-05-03T12:00") // 1000, parse_time("2024-06-17T03:00") // 1000
    first = await ask(
        browser, CANDLESTICKS, currency_pair="SUI_USDT", interval="4h", from_=listed_s - 86_400, to=listed_s
    )
    assert [int(row[0]) for row in first] == [listed_s]
    last = await ask(
        browser, CANDLESTICKS, currency_pair="WAVES_USDT", interval="1h",
        from_=delisted_s - 2 * HOUR_S, to=delisted_s + 9 * HOUR_S,
    )  # fmt: skip
    assert [int(row[0]) for row in last] == [delisted_s - 2 * HOUR_S, delisted_s - HOUR_S]


@pytest.mark.parametrize(
    ("path", "query", "status", "label"),
    [
        (CANDLESTICKS, {}, 400, "MISSING_REQUIRED_PARAM"),
        (CANDLESTICKS, {"currency_pair": "NOSUCH_USDT"}, 400, "INVALID_CURRENCY_PAIR"),
        (CANDLESTICKS, {"currency_pair": "BTCUSDT"}, 400, "INVALID_CURRENCY_PAIR"),
        (CANDLESTICKS, {"currency_pair": "BTC_USDT", "interval": "1H"}, 400, "INVALID_PARAM_VALUE"),
        (CANDLESTICKS, {"currency_pair": "BTC_USDT", "interval": "7d"}, 400, "INVALID_PARAM_VALUE"),
        (CANDLESTICKS, {"currency_pair": "BTC_USDT", "limit": "0"}, 400, "INVALID_PARAM_VALUE"),
        (CANDLESTICKS, {"currency_pair": "BTC_USDT", "limit": "1001"}, 400, "INVALID_PARAM_VALUE"),
        (CANDLESTICKS, {"currency_pair": "BTC_USDT", "limit": "x"}, 400, "INVALID_PARAM_VALUE"),
        (CANDLESTICKS, {"currency_pair": "BTC_USDT", "from": "-1"}, 400, "INVALID_PARAM_VALUE"),
        (CANDLESTICKS, {"currency_pair": "BTC_USDT", "to": "1.5"}, 400, "INVALID_PARAM_VALUE"),
        (CANDLESTICKS, {"currency_pair": "BTC_USDT", "from": "5", "to": "4"}, 400, "INVALID_PARAM_VALUE"),
        ("/api/v4/spot/nothing", {}, 404, "NOT_FOUND"),
    ],
)
async def test_refusals_have_labels(
    browser: Browser, path: str, query: dict[str, str], status: int, label: str
) -> None:
    reply = await browser.get(path, None, **query)
    assert reply.status == status
    assert reply.json()["label"] == label
    assert reply.json()["message"]
    assert "X-Gate-RateLimit-Limit" in reply.headers


async def test_the_bars_are_this_venues_own(browser: Browser) -> None:
    start_ms = parse_time("2025-03-01")
    theirs = await browser.klines("BTCUSDT", "1h", startTime=start_ms, limit=24)
    ours = await hours(browser, from_=start_ms // 1000, to=start_ms // 1000 + 23 * HOUR_S)
    assert len(ours) == len(theirs) == 24
    assert all(float(here[2]) != float(there[4]) for here, there in zip(ours, theirs, strict=True))


async def test_equal_seeds_make_up_equal_bars(
    browser: Browser, browse: StartSandbox, clock: HandClock
) -> None:
    twin = await browse(SandboxSettings(clock=clock))
    other = await browse(SandboxSettings(clock=clock, seed=8))
    assert await hours(browser, limit=50) == await hours(twin, limit=50)
    assert await hours(browser, limit=50) != await hours(other, limit=50)


async def test_too_many_requests(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse(SandboxSettings(clock=clock, gate_requests_per_10_s=3))
    replies = [await browser.get(CANDLESTICKS, currency_pair="BTC_USDT", limit=1) for _ in range(5)]
    assert [reply.status for reply in replies] == [200] * 3 + [429] * 2
    assert replies[-1].json()["label"] == "TOO_MANY_REQUESTS"
    told = [reply.headers["X-Gate-RateLimit-Requests-Remain"] for reply in replies]
    assert told == ["2", "1", "0", "0", "0"]
    assert {reply.headers["X-Gate-RateLimit-Limit"] for reply in replies} == {"3"}
    now_s = clock.now_ms // 1000
    resets = [int(reply.headers["X-Gate-RateLimit-Reset-Timestamp"]) for reply in replies]
    assert resets == [now_s] * 3 + [now_s + 10] * 2, "the test's clock shows :20"
    assert {int(reply.headers["X-Out-Time"]) for reply in replies} == {clock.now_ms * 1000}
    assert (await browser.get(TIME)).status == 200, "counted apart"
    assert (await browser.get("/api/v3/ping")).status == 200, "another venue"
    clock.now_ms += 10_000
    assert (await browser.get(CANDLESTICKS, currency_pair="BTC_USDT", limit=1)).status == 200
    (client,) = (await browser.get("/sandbox/stats")).json()["limits"]["gate"].values()
    assert client == {"used_10s": {CANDLESTICKS: 1}, "refused": {CANDLESTICKS: 2}}
    await browser.post("/sandbox/reset", None)
    assert (await browser.get("/sandbox/stats")).json()["limits"]["gate"] == {}


def test_requests_are_counted_by_address_endpoint_and_window() -> None:
    book = RequestBook(2)
    start_ms = parse_time("2025-03-10")
    assert [book.charge("a", "/x", start_ms).admitted for _ in range(3)] == [True, True, False]
    assert book.charge("b", "/x", start_ms).admitted
    assert book.charge("a", "/y", start_ms).admitted
    assert not book.charge("a", "/x", start_ms + 9_999).admitted
    assert book.charge("a", "/x", start_ms + 10_000).remaining == 1


def test_without_a_limit_nothing_is_refused_but_all_is_counted() -> None:
    book = RequestBook(None)
    told = [book.charge("a", "/x", 0) for _ in range(1000)]
    assert all(allowance.admitted for allowance in told)
    assert told[-1].limit - told[-1].remaining == 1000


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="gate_requests_per_10_s 0 is not above 0"):
        SandboxSettings(gate_requests_per_10_s=0)
