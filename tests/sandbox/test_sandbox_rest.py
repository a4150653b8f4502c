"""Binance's REST rules over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from markethub.domain.times import parse_time
from markethub.sandbox import SandboxSettings

if TYPE_CHECKING:
    from tests.sandbox.conftest import HandClock, StartSandbox

MINUTE_MS = 60_000
NOW = parse_time("2025-03-10T12:34:20Z")


async def test_ping_and_time(browse: StartSandbox) -> None:
    browser = await browse()
    assert (await browser.get("/api/v3/ping")).json() == {}
    assert (await browser.get("/api/v3/time")).json() == {"serverTime": NOW}
    exact = await browser.get("/api/v3/time", {"X-MBX-TIME-UNIT": "MICROSECOND"})
    assert exact.json() == {"serverTime": NOW * 1000}


async def test_the_clock_is_the_real_one_unless_told_otherwise(browse: StartSandbox) -> None:
    browser = await browse(SandboxSettings())
    first = (await browser.get("/api/v3/time")).json()["serverTime"]
    second = (await browser.get("/api/v3/time")).json()["serverTime"]
    assert parse_time("2025-01-01") < first <= second


async def test_a_row_has_binances_twelve_items(browse: StartSandbox) -> None:
    browser = await browse()
    (row,) = await browser.klines("ETHUSDT", "5m", startTime=parse_time("2023-01-01"), limit=1)
    assert len(row) == 12
    assert row[0] == parse_time("2023-01-01")
    assert row[6] == row[0] + 5 * MINUTE_MS - 1
    assert isinstance(row[8], int)
    assert row[11] == "0"
    for at in (1, 2, 3, 4, 5, 7, 9, 10):
        whole, _, decimals = row[at].partition(".")
        assert whole.isdigit()
        assert len(decimals) == 8


async def test_limit_is_500_unless_given_and_1000_at_most(browse: StartSandbox) -> None:
    browser = await browse()
    assert len(await browser.klines("ETHUSDT", "1m")) == 500
    assert len(await browser.klines("ETHUSDT", "1m", limit=1000)) == 1000
    assert len(await browser.klines("ETHUSDT", "1m", limit=5000)) == 1000
    assert len(await browser.klines("ETHUSDT", "1m", limit=1)) == 1


async def test_both_bounds_are_inclusive_and_compared_with_open_times(browse: StartSandbox) -> None:
    browser = await browse()
    start_ms = parse_time("2023-01-01")
    exact = await browser.klines("ETHUSDT", "1m", startTime=start_ms, endTime=start_ms + 2 * MINUTE_MS)
    assert [row[0] for row in exact] == [start_ms, start_ms + MINUTE_MS, start_ms + 2 * MINUTE_MS]
    inner = await browser.klines(
        "ETHUSDT", "1m", startTime=start_ms + 1, endTime=start_ms + 2 * MINUTE_MS - 1
    )
    assert [row[0] for row in inner] == [start_ms + MINUTE_MS]
    assert await browser.klines("ETHUSDT", "1m", startTime=start_ms + 1, endTime=start_ms) == []


async def test_the_forming_bar_comes_last_and_grows_with_the_clock(
    browse: StartSandbox, clock: HandClock
) -> None:
    browser = await browse()
    rows = await browser.klines("ETHUSDT", "1h", limit=3)
    assert [row[0] for row in rows] == [parse_time(f"2025-03-10T{hour}:00Z") for hour in (10, 11, 12)]
    assert rows[-1][6] > clock.now_ms
    first_look = rows[-1]
    clock.set("2025-03-10T12:50:00Z")
    (second_look,) = await browser.klines("ETHUSDT", "1h", limit=1)
    assert second_look[0] == first_look[0]
    assert second_look[8] > first_look[8]
    assert float(second_look[5]) > float(first_look[5])
    clock.set("2025-03-10T13:00:00Z")
    finished, forming = await browser.klines("ETHUSDT", "1h", limit=2)
    assert finished[0] == first_look[0]
    assert finished[8] > second_look[8]
    assert forming[0] == parse_time("2025-03-10T13:00Z")
    assert float(forming[5]) == 0.0


async def test_the_forming_bar_of_a_recording_grows_to_the_recorded_one(
    browse: StartSandbox, clock: HandClock
) -> None:
    clock.set("2019-06-01T10:30:00Z")
    browser = await browse()
    (forming,) = await browser.klines("BTCUSDT", "1h", limit=1)
    clock.set("2019-06-01T11:00:00Z")
    finished, _ = await browser.klines("BTCUSDT", "1h", limit=2)
    assert forming[:2] == finished[:2]
    assert float(forming[5]) == pytest.approx(float(finished[5]) / 2, abs=1e-5)


async def test_a_full_page_that_ends_before_now_has_no_forming_bar(browse: StartSandbox) -> None:
    browser = await browse()
    start_ms = parse_time("2025-03-10T10:00Z")
    assert [r[0] for r in await browser.klines("ETHUSDT", "1h", startTime=start_ms, limit=2)] == [
        start_ms,
        start_ms + 3_600_000,
    ]
    closed_only = await browser.klines(
        "ETHUSDT", "1h", startTime=start_ms, endTime=parse_time("2025-03-10T11:59Z")
    )
    assert len(closed_only) == 2


async def test_microseconds_on_request_and_in_bounds(browse: StartSandbox) -> None:
    browser = await browse()
    start_ms = parse_time("2023-01-01")
    assert (await browser.klines("ETHUSDT", "1m", startTime=start_ms, limit=1))[0][0] == start_ms
    reply = await browser.get(
        "/api/v3/klines",
        {"X-MBX-TIME-UNIT": "MICROSECOND"},
        symbol="ETHUSDT",
        interval="1m",
        startTime=start_ms * 1000 + 1,
        endTime=start_ms * 1000 + 60_000_999,
    )
    (row,) = reply.json()
    assert row[0] == (start_ms + MINUTE_MS) * 1000
    assert row[6] == row[0] + 60_000_000 - 1


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({}, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ({"symbol": "", "interval": "1m"}, -1102, "'symbol'"),
        ({"symbol": "BTCUSDT"}, -1102, "Mandatory parameter 'interval' was not sent"),
        ({"symbol": "btcusdt", "interval": "1m"}, -1100, "Illegal characters found in parameter 'symbol'"),
        ({"symbol": "BTC/USDT", "interval": "1m"}, -1100, "legal range is '^[\\\\w\\\\-._&&[^a-z]]{1,50}$'."),
        ({"symbol": "B" * 51, "interval": "1m"}, -1100, "'symbol'"),
        ({"symbol": "NOSUCHUSDT", "interval": "1m"}, -1121, "Invalid symbol."),
        ({"symbol": "BTCUSDT", "interval": "1M"}, -1120, "Invalid interval."),
        ({"symbol": "BTCUSDT", "interval": "1H"}, -1120, "Invalid interval."),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "ten"}, -1100, "parameter 'limit'"),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "-1"}, -1100, "legal range is '^[0-9]{1,20}$'."),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, -1130, "parameter 'limit' is not valid"),
        ({"symbol": "BTCUSDT", "interval": "1m", "startTime": "1.5"}, -1100, "parameter 'startTime'"),
        ({"symbol": "BTCUSDT", "interval": "1m", "endTime": "٣"}, -1100, "parameter 'endTime'"),
        ({"symbol": "BTCUSDT", "interval": "1m", "timeZone": "x"}, -1100, "parameter 'timeZone'"),
        ({"symbol": "BTCUSDT", "interval": "1d", "timeZone": "8"}, -1100, "does not shift bars"),
        (
            {"symbol": "BTCUSDT", "interval": "1m", "page": "2"},
            -1104,
            "read '2' parameter(s) but was sent '3'",
        ),
    ],
)
async def test_wrong_parameters_of_klines(
    browse: StartSandbox, query: dict[str, str], code: int, words: str
) -> None:
    browser = await browse()
    reply = await browser.get("/api/v3/klines", None, **query)
    assert reply.status == 400
    assert reply.json()["code"] == code
    assert words in reply.json()["msg"]
    assert reply.headers["X-MBX-USED-WEIGHT-1M"] == "2"


async def test_a_parameter_sent_twice_is_refused(browse: StartSandbox) -> None:
    browser = await browse()
    reply = await browser.get("/api/v3/klines?symbol=BTCUSDT&symbol=ETHUSDT&interval=1m")
    assert (reply.status, reply.json()["code"]) == (400, -1101)


async def test_time_zones_that_move_no_bar_are_accepted(browse: StartSandbox) -> None:
    browser = await browse()
    assert await browser.klines("ETHUSDT", "1h", limit=2, timeZone="-3") == await browser.klines(
        "ETHUSDT", "1h", limit=2
    )


@pytest.mark.parametrize("path", ["/api/v3/uiKlines", "/api/v9/klines", "/api"])
async def test_unknown_paths_are_404_with_the_weight_header(browse: StartSandbox, path: str) -> None:
    browser = await browse()
    reply = await browser.get(path)
    assert reply.status == 404
    if path != "/api":
        assert reply.headers["X-MBX-USED-WEIGHT-1M"] == "1"


async def test_exchange_info_of_one_some_and_all(browse: StartSandbox) -> None:
    browser = await browse()
    one = (await browser.get("/api/v3/exchangeInfo", symbol="BTCUSDT")).json()
    (btc,) = one["symbols"]
    assert (btc["symbol"], btc["baseAsset"], btc["quoteAsset"], btc["status"]) == (
        "BTCUSDT", "BTC", "USDT", "TRADING",
    )  # fmt: skip
    filters = {entry["filterType"]: entry for entry in btc["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"
    assert btc["permissionSets"] == [["SPOT", "MARGIN"]]
    some = (await browser.get("/api/v3/exchangeInfo", symbols='["BTCBUSD","ADABTC"]')).json()
    assert [entry["symbol"] for entry in some["symbols"]] == ["BTCBUSD", "ADABTC"]
    assert some["symbols"][0]["status"] == "BREAK"
    everything = (await browser.get("/api/v3/exchangeInfo", showPermissionSets="false")).json()
    names = [entry["symbol"] for entry in everything["symbols"]]
    assert len(names) == len(set(names)) >= 48
    assert "币安人生USDT" not in names, "listed in October 2025 only"
    assert "permissionSets" not in everything["symbols"][0]
    assert {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 6000,
    } in everything["rateLimits"]
    assert {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300_000} in (
        everything["rateLimits"]
    )


async def test_exchange_info_by_status_and_permission(browse: StartSandbox) -> None:
    browser = await browse()
    paused = (await browser.get("/api/v3/exchangeInfo", symbolStatus="BREAK")).json()["symbols"]
    assert sorted(entry["symbol"] for entry in paused) == ["BCCUSDT", "BTCBUSD", "WAVESUSDT"]
    assert (await browser.get("/api/v3/exchangeInfo", permissions="LEVERAGED")).json()["symbols"] == []
    both = (await browser.get("/api/v3/exchangeInfo", permissions='["SPOT","LEVERAGED"]')).json()
    assert len(both["symbols"]) >= 48


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "NOPE"}, -1121),
        ({"symbols": '["BTCUSDT","NOPE"]'}, -1121),
        ({"symbols": "BTCUSDT"}, -1100),
        ({"symbols": "[]"}, -1100),
        ({"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ({"symbol": "BTCUSDT", "symbolStatus": "TRADING"}, -1128),
        ({"symbolStatus": "SLEEPING"}, -1122),
        ({"showPermissionSets": "maybe"}, -1100),
        ({"nonsense": "1"}, -1104),
    ],
)
async def test_wrong_parameters_of_exchange_info(
    browse: StartSandbox, query: dict[str, str], code: int
) -> None:
    browser = await browse()
    reply = await browser.get("/api/v3/exchangeInfo", None, **query)
    assert (reply.status, reply.json()["code"]) == (400, code)


async def test_listing_and_status_follow_the_clock(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse()
    clock.set("2023-05-03T11:59:00Z")
    assert (await browser.get("/api/v3/klines", symbol="SUIUSDT", interval="1m")).json()["code"] == -1121
    clock.set("2023-05-03T12:03:30Z")
    assert [row[0] for row in await browser.klines("SUIUSDT", "1m")] == [
        parse_time(f"2023-05-03T12:0{minute}:00Z") for minute in range(4)
    ]
    status = (await browser.get("/api/v3/exchangeInfo", symbol="BTCBUSD")).json()["symbols"][0]["status"]
    assert status == "TRADING"


async def test_a_delisted_pair_still_answers_its_past_and_nothing_later(browse: StartSandbox) -> None:
    browser = await browse()
    rows = await browser.klines("WAVESUSDT", "1m", limit=2)
    assert [row[0] for row in rows] == [parse_time("2024-06-17T02:58Z"), parse_time("2024-06-17T02:59Z")]
    assert await browser.klines("WAVESUSDT", "1h", startTime=parse_time("2024-06-17T03:00Z")) == []


async def test_a_symbol_in_another_script_works(browse: StartSandbox, clock: HandClock) -> None:
    clock.set("2026-01-01")
    browser = await browse()
    assert len(await browser.klines("币安人生USDT", "1d", limit=5)) == 5


async def test_generated_symbols_are_listed_and_traded(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse(SandboxSettings(clock=clock, generated_symbols=250))
    names = {entry["symbol"] for entry in (await browser.get("/api/v3/exchangeInfo")).json()["symbols"]}
    assert {"SIM0001USDT", "SIM0250USDT"} <= names
    assert "SIM0251USDT" not in names
    one, other = [await browser.klines(name, "1m", limit=5) for name in ("SIM0001USDT", "SIM0002USDT")]
    assert [row[1:6] for row in one] != [row[1:6] for row in other]
