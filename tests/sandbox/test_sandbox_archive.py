"""The bulk archive: which files exist when, and what is in them."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import zipfile
from datetime import date
from typing import TYPE_CHECKING

import pytest

from markethub.domain.times import parse_time
from markethub.sandbox import SandboxSettings
from markethub.sandbox.binance.archive import first_monday

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox


def path_of(symbol: str, interval: str, day: str) -> str:
    period = "monthly" if len(day) == 7 else "daily"
    return f"/data/spot/{period}/klines/{symbol}/{interval}/{symbol}-{interval}-{day}.zip"


async def rows_of(browser: Browser, symbol: str, interval: str, day: str) -> list[list[str]]:
    reply = await browser.get(path_of(symbol, interval, day))
    assert reply.status == 200
    with zipfile.ZipFile(io.BytesIO(reply.body)) as packed:
        (member,) = packed.namelist()
        assert member == f"{symbol}-{interval}-{day}.csv"
        assert packed.testzip() is None
        return list(csv.reader(io.StringIO(packed.read(member).decode())))


@pytest.mark.parametrize(
    ("symbol", "interval", "day", "end"),
    [
        ("ETHUSDT", "1m", "2024-02", "2024-03-01"),
        ("BTCUSDT", "1h", "2018-02", "2018-03-01"),
        ("BTCUSDT", "4h", "2025-02", "2025-03-01"),
        ("BTCUSDT", "5m", "2023-03-24", "2023-03-25"),
        ("BTCBUSD", "1m", "2022-12-13", "2022-12-14"),
        ("ADABTC", "15m", "2025-03-01", "2025-03-02"),
    ],
)
async def test_files_hold_what_rest_answers(
    browse: StartSandbox, symbol: str, interval: str, day: str, end: str
) -> None:
    browser = await browse()
    packed = await rows_of(browser, symbol, interval, day)
    start_ms, end_ms = parse_time(f"{day}-01"[:10]), parse_time(end)
    unit = 1000 if start_ms >= parse_time("2025-01-01") else 1
    paged: list[list[str]] = []
    headers = {"X-MBX-TIME-UNIT": "MICROSECOND"} if unit == 1000 else None
    while start_ms < end_ms:
        reply = await browser.get(
            "/api/v3/klines", headers, symbol=symbol, interval=interval,
            startTime=start_ms, endTime=end_ms - 1, limit=1000,
        )  # fmt: skip
        page = reply.json()
        if not page:
            break
        paged += [[str(value) for value in row] for row in page]
        start_ms = page[-1][0] // unit + 1
    assert packed == paged
    assert len(packed) > 20


async def test_times_are_milliseconds_before_2025_and_microseconds_from_then_on(browse: StartSandbox) -> None:
    browser = await browse()
    last_of_2024 = (await rows_of(browser, "ETHUSDT", "1h", "2024-12-31"))[0]
    assert last_of_2024[0] == str(parse_time("2024-12-31"))
    assert int(last_of_2024[6]) == parse_time("2024-12-31") + 3_600_000 - 1
    first_of_2025 = (await rows_of(browser, "ETHUSDT", "1h", "2025-01-01"))[0]
    assert first_of_2025[0] == str(parse_time("2025-01-01") * 1000)
    assert int(first_of_2025[6]) == (parse_time("2025-01-01") + 3_600_000) * 1000 - 1
    assert len((await rows_of(browser, "ETHUSDT", "1h", "2025-01"))[0][0]) == 16


async def test_checksum_is_of_the_file_in_sha256sum_format(browse: StartSandbox) -> None:
    browser = await browse()
    path = path_of("ETHUSDT", "1h", "2024-02")
    packed = (await browser.get(path)).body
    checksum = (await browser.get(path + ".CHECKSUM")).body.decode()
    assert checksum == f"{hashlib.sha256(packed).hexdigest()}  ETHUSDT-1h-2024-02.zip\n"


async def test_two_sandboxes_pack_the_same_bytes(browse: StartSandbox, clock: HandClock) -> None:
    path = path_of("ADAUSDT", "1m", "2024-02-05")
    one, same = await browse(), await browse(SandboxSettings(clock=clock))
    seeded = await browse(SandboxSettings(clock=clock, seed=8))
    first = (await one.get(path)).body
    clock.now_ms += 86_400_000
    assert (await same.get(path)).body == first
    assert (await seeded.get(path)).body != first


@pytest.mark.parametrize(
    ("path", "published"),
    [
        (path_of("ETHUSDT", "1m", "2025-03-01"), "2025-03-02T04:00:00Z"),
        # The first Mondays of March and April 2025 were the 3rd and the 7th.
        (path_of("ETHUSDT", "1h", "2025-02"), "2025-03-03T04:00:00Z"),
        (path_of("ETHUSDT", "1h", "2025-03"), "2025-04-07T04:00:00Z"),
    ],
)
async def test_files_appear_when_documented(
    browse: StartSandbox, clock: HandClock, path: str, published: str
) -> None:
    browser = await browse()
    clock.now_ms = parse_time(published) - 1
    assert (await browser.get(path)).status == 404
    assert (await browser.get(path + ".CHECKSUM")).status == 404
    clock.now_ms += 1
    assert (await browser.get(path)).status == 200
    assert (await browser.get(path + ".CHECKSUM")).status == 200


async def test_the_publishing_hour_can_be_set(browse: StartSandbox, clock: HandClock) -> None:
    clock.set("2025-03-02T00:00:00Z")
    browser = await browse(SandboxSettings(clock=clock, archive_hour_utc=0))
    assert (await browser.get(path_of("ETHUSDT", "1h", "2025-03-01"))).status == 200


@pytest.mark.parametrize(
    ("symbol", "interval", "day", "status"),
    [
        ("SUIUSDT", "1h", "2023-04", 404),
        ("SUIUSDT", "1h", "2023-05", 200),
        ("SUIUSDT", "1h", "2023-05-02", 404),
        ("SUIUSDT", "1h", "2023-05-03", 200),
        ("WAVESUSDT", "1h", "2024-06", 200),
        ("WAVESUSDT", "1h", "2024-07", 404),
        ("WAVESUSDT", "1h", "2024-06-17", 200),
        ("WAVESUSDT", "1h", "2024-06-18", 404),
        ("ETHUSDT", "1h", "2021-02-28", 404),
        ("ETHUSDT", "1h", "2021-03-01", 200),
        ("ETHUSDT", "1h", "2021-02", 200),
        ("NOPEUSDT", "1h", "2024-02", 404),
        ("ETHUSDT", "1w", "2024-02", 404),
        ("ETHUSDT", "1h", "2024-13", 404),
        ("ETHUSDT", "1h", "2024-02-30", 404),
        ("ETHUSDT", "1h", "0000-01", 404),
    ],
)
async def test_which_files_exist(
    browse: StartSandbox, symbol: str, interval: str, day: str, status: int
) -> None:
    browser = await browse()
    assert (await browser.get(path_of(symbol, interval, day))).status == status


async def test_the_month_of_the_listing_starts_at_the_listing(browse: StartSandbox) -> None:
    browser = await browse()
    rows = await rows_of(browser, "SUIUSDT", "1m", "2023-05")
    assert rows[0][0] == str(parse_time("2023-05-03T12:00:00Z"))
    assert len(rows) == (parse_time("2023-06-01") - parse_time("2023-05-03T12:00:00Z")) // 60_000


@pytest.mark.parametrize(
    "path",
    [
        "/data/spot/monthly/klines/ETHUSDT/1h/BTCUSDT-1h-2024-02.zip",
        "/data/spot/monthly/klines/ETHUSDT/1h/ETHUSDT-1h-2024-02.csv",
        "/data/spot/monthly/klines/ETHUSDT/1h/ETHUSDT-1h-2024-02-01.zip",
        "/data/spot/daily/klines/ETHUSDT/1h/ETHUSDT-1h-2024-02.zip",
        "/data/spot/weekly/klines/ETHUSDT/1h/ETHUSDT-1h-2024-02.zip",
        "/data/futures/um/monthly/klines/ETHUSDT/1h/ETHUSDT-1h-2024-02.zip",
        "/data/<script>",
    ],
)
async def test_a_missing_file_is_an_s3_error(browse: StartSandbox, path: str) -> None:
    browser = await browse()
    reply = await browser.get(path)
    assert reply.status == 404
    assert reply.headers["Content-Type"].startswith("application/xml")
    assert b"<Code>NoSuchKey</Code>" in reply.body
    assert b"<script>" not in reply.body


async def test_a_file_asked_for_by_many_at_once_is_the_same_for_all(browse: StartSandbox) -> None:
    browser = await browse()
    path = path_of("ETHUSDT", "1m", "2024-05")
    replies = await asyncio.gather(*(browser.get(path) for _ in range(6)), browser.get(path + ".CHECKSUM"))
    digests = {hashlib.sha256(reply.body).hexdigest() for reply in replies[:-1]}
    assert len(digests) == 1
    assert replies[-1].body.decode().startswith(digests.pop())


async def test_a_tiny_cache_changes_no_answer(browse: StartSandbox, clock: HandClock) -> None:
    roomy = await browse()
    tight = await browse(SandboxSettings(clock=clock, archive_cache_bytes=1, page_cache_bytes=1))
    path = path_of("ETHUSDT", "1h", "2024-05")
    for _ in range(2):
        assert (await tight.get(path)).body == (await roomy.get(path)).body
        assert await tight.klines("ETHUSDT", "1h", limit=1000) == await roomy.klines(
            "ETHUSDT", "1h", limit=1000
        )


def test_first_mondays() -> None:
    months = [date(2024, 12, 1), date(2025, 1, 1), date(2025, 9, 1), date(2026, 2, 1)]
    assert [first_monday(month).day for month in months] == [2, 6, 1, 2]
