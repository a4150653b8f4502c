"""Yahoo's charts as the sandbox plays them: shape, refusals, splits as they become known."""

from __future__ import annotations

import hashlib
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

from markethub.domain.times import parse_time, to_ms
from markethub.sandbox import SandboxSettings, fixed_clock
from markethub.sandbox.recorded import RECORDINGS_DIR
from markethub.sandbox.yahoo.recorded import STOCK_RECORDINGS, recorded_days

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, Reply, StartSandbox

NOW = parse_time("2013-06-17T17:20:30")
BROWSER = {"User-Agent": "Mozilla/5.0"}


async def open_at(browse: StartSandbox, now_ms: int, limit: int | None = None) -> Browser:
    return await browse(SandboxSettings(clock=fixed_clock(now_ms), yahoo_requests_per_10_s=limit))


async def ask(
    browser: Browser, ticker: str, start: str, end: str, interval: str = "1d", **more: object
) -> Reply:
    period1, period2 = parse_time(start) // 1000, parse_time(end) // 1000
    query: dict[str, object] = {"period1": period1, "period2": period2, "interval": interval} | more
    return await browser.get(f"/yahoo/v8/finance/chart/{ticker}", BROWSER, **query)


async def test_real_days_are_divided_by_the_splits_known(browse: StartSandbox) -> None:
    for now, factor in (("2000-06-20T23:00", 1), ("2003-01-01", 2), ("2013-06-17", 4)):
        browser = await open_at(browse, parse_time(now))
        reply = await ask(browser, "AAPL", "2000-06-19", now, events="split")
        (result,) = reply.json()["chart"]["result"]
        quote = result["indicators"]["quote"][0]
        assert quote["close"][1] == pytest.approx(101.25 / factor)
        assert quote["volume"][1] == 4476700 * factor
        assert result["timestamp"][1] == parse_time("2000-06-20T13:30") // 1000
        told = result.get("events", {"splits": {}})["splits"].values()
        assert [split["splitRatio"] for split in told] == ["2:1"] * (factor // 2)


async def test_prices_have_the_noise_of_single_precision(browse: StartSandbox) -> None:
    browser = await open_at(browse, NOW)
    (result,) = (await ask(browser, "AAPL", "2013-03-01", "2013-03-02")).json()["chart"]["result"]
    (high,) = result["indicators"]["quote"][0]["high"]
    assert high != 438.1799
    assert high == float(np.float32(438.1799))
    assert result["meta"]["dataGranularity"] == "1d"
    assert result["meta"]["exchangeTimezoneName"] == "America/New_York"
    assert "events" not in result


async def test_while_a_session_is_under_way_the_last_row_is_live(browse: StartSandbox) -> None:
    browser = await open_at(browse, NOW)
    for interval, times in (("1d", 2), ("15m", 26 + 15 + 1)):
        reply = await ask(browser, "AAPL", "2013-06-14", "2013-06-18", interval)
        (result,) = reply.json()["chart"]["result"]
        assert len(result["timestamp"]) == times
        assert result["timestamp"][-1] == NOW // 1000
    assert result["timestamp"][-2] == parse_time("2013-06-17T17:00") // 1000


async def test_thin_trading_shows_nulls(browse: StartSandbox) -> None:
    browser = await open_at(browse, parse_time("2025-06-17T21:00"))
    reply = await ask(browser, "THIN", "2025-06-16T13:30", "2025-06-16T13:50", "1m")
    (result,) = reply.json()["chart"]["result"]
    closes = result["indicators"]["quote"][0]["close"]
    assert len(closes) == 20
    assert closes.count(None) == 2


@pytest.mark.parametrize(
    ("ticker", "start", "end", "interval", "status", "words"),
    [
        ("NOSUCH", "2013-01-01", "2013-02-01", "1d", 404, "No data found, symbol may be delisted"),
        ("NEWC", "2013-01-01", "2013-02-01", "1d", 404, "No data found"),
        ("AAPL", "1999-01-01", "1999-02-01", "1d", 400, "Data doesn't exist for startDate = 915148800"),
        ("AAPL", "2013-06-15", "2013-06-16", "1m", 400, "Data doesn't exist"),
        ("AAPL", "2013-06-01", "2013-06-12", "1m", 422, "Only 7 days worth of 1m"),
        ("AAPL", "2013-05-01", "2013-05-03", "1m", 422, "within the last 30 days"),
        ("AAPL", "2013-04-01", "2013-05-03", "15m", 422, "within the last 60 days"),
        ("AAPL", "2013-06-12", "2013-06-14", "2h", 422, "interval=2h is not supported"),
        ("AAPL", "2013-06-14", "2013-06-12", "1d", 422, "start date cannot be after end date"),
    ],
)
async def test_refusals(
    browse: StartSandbox, *, ticker: str, start: str, end: str, interval: str, status: int, words: str
) -> None:
    browser = await open_at(browse, NOW)
    reply = await ask(browser, ticker, start, end, interval)
    assert reply.status == status
    assert words in reply.json()["chart"]["error"]["description"]
    assert to_ms(parsedate_to_datetime(reply.headers["Date"])) == NOW // 1000 * 1000


async def test_a_number_that_is_none(browse: StartSandbox) -> None:
    browser = await open_at(browse, NOW)
    path = "/yahoo/v8/finance/chart/AAPL"
    reply = await browser.get(path, BROWSER, period1="soon", period2=2)
    assert (reply.status, "period1=soon" in reply.json()["chart"]["error"]["description"]) == (422, True)
    reply = await browser.get(path, BROWSER, range="9y")
    assert reply.status == 422


async def test_programs_and_crowds_are_turned_away(browse: StartSandbox) -> None:
    browser = await open_at(browse, NOW, limit=2)
    path = "/yahoo/v8/finance/chart/AAPL"
    statuses = [(await browser.get(path, BROWSER, range="5d")).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    stats = (await browser.get("/sandbox/stats")).json()
    assert stats["limits"]["yahoo"] == {"127.0.0.1": {"used_10s": 3, "refused": 1}}
    await browser.post("/sandbox/reset", None)
    reply = await browser.get(path, {"User-Agent": "python-requests/2"}, range="5d")
    assert (reply.status, reply.body) == (429, b"Too Many Requests\r\n")


def test_the_recorded_days_are_those_of_the_original() -> None:
    days = recorded_days()
    assert {ticker: len(found.dates) for ticker, found in days.items()} == {
        "AAPL": 3270,
        "GOOG": 2148,
        "IBM": 3270,
        "MSFT": 3270,
    }
    for found in days.values():
        opened, high, low, closed, volume = found.values
        assert (low <= np.minimum(opened, closed)).all()
        assert (np.maximum(opened, closed) <= high).all()
        assert (volume > 0).all()
    about = pq.read_schema(STOCK_RECORDINGS).metadata
    page = (RECORDINGS_DIR / "SOURCES.md").read_text()
    (line,) = (line for line in page.splitlines() if f"`stocks/{STOCK_RECORDINGS.name}`" in line)
    assert about[b"sha256"].decode() in line
    assert len(about[b"sha256"]) == 2 * hashlib.sha256().digest_size
    assert STOCK_RECORDINGS.stat().st_size < 300_000
    assert "Bokeh Contributors" in (STOCK_RECORDINGS.parent / "LICENSE.txt").read_text()
