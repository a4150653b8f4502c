"""Gate's and OKX's bulk files: when they are there, and what is in them."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from markethub.domain.times import parse_time
from markethub.sandbox import SandboxSettings

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox

GATE_MONTH = "/spot/candlesticks_1h/202502/BTC_USDT-202502.csv.gz"
GATE_DAY = "/spot/candlesticks_1m/202503/BTC_USDT-20250309.csv.gz"
OKX_DAY = "/cdn/okex/traderecords/candlesticks/daily/20250307/BTC-USDT-candlesticks-2025-03-07.zip"
INDEX = "/api/v5/public/market-data-history"
DAY = 86_400_000


@pytest.fixture
async def browser(browse: StartSandbox, clock: HandClock) -> Browser:
    unlimited: dict[str, Any] = {"gate_requests_per_10_s": None, "okx_limits_enforced": False}
    return await browse(SandboxSettings(clock=clock, **unlimited))


async def fetch(browser: Browser, path: str) -> bytes:
    reply = await browser.get(path)
    assert reply.status == 200, reply.body
    return reply.body


async def test_a_month_of_gate(browser: Browser) -> None:
    rows = [
        line.split(",") for line in gzip.decompress(await fetch(browser, GATE_MONTH)).decode().splitlines()
    ]
    start_s = parse_time("2025-02-01") // 1000
    assert [int(row[0]) for row in rows] == list(range(start_s, start_s + 28 * 86_400, 3600))
    for _, volume, close, high, low, opened in rows:
        assert (
            float(low) <= min(float(opened), float(close)) <= max(float(opened), float(close)) <= float(high)
        )
        assert float(volume) > 0
    query = {"currency_pair": "BTC_USDT", "interval": "1h", "from": start_s, "to": start_s}
    (bar,) = (await browser.get("/api/v4/spot/candlesticks", None, **query)).json()
    assert [bar[at] for at in (0, 6, 2, 3, 4, 5)] == rows[0], "the base volume, as REST has it"


async def test_gates_files_appear_on_the_next_day(browser: Browser, clock: HandClock) -> None:
    for path, out in ((GATE_MONTH, "2025-03-01T04:00"), (GATE_DAY, "2025-03-10T04:00")):
        clock.set(out)
        assert len(await fetch(browser, path)) > 100
        clock.now_ms -= 1
        assert (await browser.get(path)).status == 404


@pytest.mark.parametrize(
    "path",
    [
        GATE_MONTH.replace("BTC", "NOSUCH"),
        GATE_MONTH.replace("_1h", "_15m"),
        GATE_MONTH.replace("/202502/", "/202501/"),  # another month's folder
        GATE_MONTH.replace("202502.csv", "202513.csv").replace("/202502/", "/202513/"),
        GATE_MONTH.replace("202502.csv", "20250230.csv"),
        GATE_MONTH.replace("202502", "201602"),  # before the listing
        "/spot/candlesticks_1h/202502/",
        OKX_DAY.replace("BTC", "NOSUCH"),
        OKX_DAY.replace("2025-03-07", "2025-03-32"),
        OKX_DAY.replace("2025-03-07", "2025-03-09"),  # too new
        OKX_DAY.replace("2025-03-07", "2020-12-31"),
        "/cdn/other",
    ],
)
async def test_what_is_not_there(browser: Browser, path: str) -> None:
    assert (await browser.get(path)).status == 404


async def test_a_day_of_okx_is_one_of_utc8(browser: Browser) -> None:
    with zipfile.ZipFile(io.BytesIO(await fetch(browser, OKX_DAY))) as archive:
        (member,) = archive.namelist()
        header, *lines = archive.read(member).decode().splitlines()
    assert member == "BTC-USDT-candlesticks-2025-03-07.csv"
    assert header == "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm"
    rows = [line.split(",") for line in lines]
    start_ms = parse_time("2025-03-06T16:00")
    assert [int(row[8]) for row in rows] == list(range(start_ms, start_ms + DAY, 60_000))
    assert {(row[0], row[9]) for row in rows} == {("BTC-USDT", "1")}
    query = {"instId": "BTC-USDT", "bar": "1m", "before": start_ms - 1, "after": start_ms + 1}
    ((_, *bar),) = (await browser.get("/api/v5/market/history-candles", None, **query)).json()["data"]
    assert rows[0][1:8] == bar[:7]


async def test_the_index_tells_files_newest_first_by_the_date_of_utc8(browser: Browser) -> None:
    query = {
        "module": 2, "instType": "SPOT", "instIdList": "BTC-USDT,NOSUCH-USDT", "dateAggrType": "daily",
        "begin": parse_time("2025-03-04T15:59"), "end": parse_time("2025-03-09T16:00"),
    }  # fmt: skip
    answer = (await browser.get(INDEX, None, **query)).json()
    (entry,) = answer["data"]
    known, unknown = entry["details"]
    names = [file["filename"] for file in known["groupDetails"]]
    assert names == [f"BTC-USDT-candlesticks-2025-03-0{day}.zip" for day in (8, 7, 6, 5, 4)][1:]
    assert unknown["groupDetails"] == []
    newest = known["groupDetails"][0]
    assert newest["url"] == browser.sandbox.url + OKX_DAY
    assert newest["dataTs"] == str(parse_time("2025-03-06T16:00"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"module": ""}, "50014"),
        ({"instIdList": ""}, "50014"),
        ({"module": 1}, "51000"),
        ({"instType": "SWAP"}, "51000"),
        ({"dateAggrType": "monthly"}, "51000"),
        ({"begin": "x"}, "51000"),
        ({"end": parse_time("2025-03-24T16:00")}, "51000"),  # 21 days
        ({"end": parse_time("2025-03-01")}, "51000"),
    ],
)
async def test_questions_the_index_refuses(browser: Browser, change: dict[str, object], code: str) -> None:
    query: dict[str, object] = {
        "module": 2, "instType": "SPOT", "instIdList": "BTC-USDT", "dateAggrType": "daily",
        "begin": parse_time("2025-03-04T16:00"), "end": parse_time("2025-03-09T16:00"),
    }  # fmt: skip
    reply = await browser.get(INDEX, None, **(query | change))
    assert (reply.status, reply.json()["code"]) == (400, code)


async def test_the_index_allows_five_questions_in_two_seconds(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse()
    query = {"module": 2, "instType": "SPOT", "instIdList": "BTC-USDT", "dateAggrType": "daily"}
    bounds = {"begin": clock.now_ms, "end": clock.now_ms}
    codes = [(await browser.get(INDEX, None, **(query | bounds))).status for _ in range(6)]
    assert codes == [200] * 5 + [429]


async def test_the_same_file_has_the_same_bytes_everywhere(browse: StartSandbox, clock: HandClock) -> None:
    one, other = await browse(), await browse()
    for path in (GATE_DAY, OKX_DAY):
        assert await fetch(one, path) == await fetch(other, path)
