"""Real bars are served as they are, holes included, and nothing else is served in their place."""

from __future__ import annotations

import hashlib
import io
import itertools
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from markethub.domain.span import Span
from markethub.domain.times import parse_time
from markethub.sandbox import SandboxSettings
from markethub.sandbox.intervals import WIDTHS_MS
from markethub.sandbox.recorded import RECORDINGS_DIR, Recordings, read_recording

if TYPE_CHECKING:
    from markethub.sandbox.market import Market
    from tests.sandbox.conftest import StartSandbox

HOUR_MS = 3_600_000
# Every outage of a day or part of one that the recorded hours of 2017 to 2022 show.
HOURLY_HOLES = {
    "2017-09-06T17:00": 6, "2018-01-04T04:00": 1, "2018-02-08T01:00": 33, "2018-06-26T02:00": 10,
    "2018-06-27T13:00": 1, "2018-07-04T01:00": 7, "2018-10-19T06:00": 3, "2018-11-14T02:00": 7,
    "2019-03-12T02:00": 6, "2019-05-15T03:00": 10, "2019-08-15T02:00": 8, "2019-11-13T02:00": 2,
    "2019-11-25T02:00": 2, "2020-02-09T02:00": 1, "2020-02-19T12:00": 5, "2020-03-04T10:00": 1,
    "2020-04-25T02:00": 2, "2020-06-28T02:00": 3, "2020-11-30T06:00": 1, "2020-12-21T14:00": 4,
    "2020-12-25T02:00": 1, "2021-02-11T04:00": 1, "2021-03-06T02:00": 1, "2021-04-20T02:00": 2,
    "2021-04-25T05:00": 3, "2021-08-13T02:00": 4, "2021-09-29T07:00": 2,
}  # fmt: skip


async def test_paging_over_the_recorded_hours_finds_exactly_the_real_holes(browse: StartSandbox) -> None:
    browser = await browse(SandboxSettings(weight_per_minute=None))
    start_ms, end_ms = parse_time("2017-08-17"), parse_time("2022-10-11T11:00")
    opens: list[int] = []
    while rows := await browser.klines("BTCUSDT", "1h", startTime=start_ms, endTime=end_ms - 1, limit=1000):
        opens += [row[0] for row in rows]
        start_ms = opens[-1] + HOUR_MS
    assert len(opens) == 45_024
    assert opens[0] == parse_time("2017-08-17T04:00")
    gaps = np.flatnonzero(np.diff(opens) != HOUR_MS)
    found = {opens[at] + HOUR_MS: (opens[at + 1] - opens[at]) // HOUR_MS - 1 for at in gaps}
    assert found == {parse_time(start): bars for start, bars in HOURLY_HOLES.items()}


async def test_a_page_that_starts_in_a_hole_begins_after_it(browse: StartSandbox) -> None:
    browser = await browse()
    rows = await browser.klines("BTCUSDT", "1h", startTime=parse_time("2018-02-08T01:00"), limit=1)
    assert rows[0][0] == parse_time("2018-02-09T10:00")
    five = await browser.klines("BTCUSDT", "5m", startTime=parse_time("2023-03-24T12:40"), limit=1)
    assert five[0][0] == parse_time("2023-03-24T14:00")


async def test_a_window_inside_a_hole_is_empty(browse: StartSandbox) -> None:
    browser = await browse()
    start_ms = parse_time("2018-02-08T01:00")
    assert await browser.klines("BTCUSDT", "1h", startTime=start_ms, endTime=start_ms + 32 * HOUR_MS) == []


async def test_recorded_values_come_out_to_the_last_digit(browse: StartSandbox) -> None:
    browser = await browse()
    first = await browser.klines("BTCUSDT", "1h", startTime=0, limit=1)
    assert first == [
        [
            1502942400000, "4261.48000000", "4313.62000000", "4261.32000000", "4308.83000000", "47.18100900",
            1502945999999, "202232.54863931", 0, "0.00000000", "0.00000000", "0",
        ]
    ]  # fmt: skip
    full = await browser.klines("BTCUSDT", "1h", startTime=1733011200000, limit=1)
    assert full == [
        [
            1733011200000, "96407.99000000", "96672.49000000", "96260.00000000", "96340.60000000",
            "532.95388000", 1733014799999, "51410648.79613400", 154693, "246.27919000", "23756467.10209110",
            "0",
        ]
    ]  # fmt: skip


async def test_days_added_up_from_recorded_hours_are_the_exchanges_own_days(browse: StartSandbox) -> None:
    # Values of GET /api/v3/klines, interval 1d, as recorded by others from the exchange.
    browser = await browse()
    days = await browser.klines("BTCUSDT", "1d", startTime=parse_time("2019-01-01"), limit=3)
    assert [row[1:6] for row in days] == [
        ["3701.23000000", "3810.16000000", "3642.00000000", "3797.14000000", "23741.68703300"],
        ["3796.45000000", "3882.14000000", "3750.45000000", "3858.56000000", "35156.46336900"],
        ["3857.57000000", "3862.74000000", "3730.00000000", "3766.78000000", "29406.94835900"],
    ]


@pytest.mark.parametrize("month", ["2024-12", "2025-01", "2025-02"])
async def test_a_recorded_month_is_packed_as_the_very_csv_that_the_exchange_published(
    browse: StartSandbox, market: Market, month: str
) -> None:
    browser = await browse()
    reply = await browser.get(f"/data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-{month}.zip")
    text = zipfile.ZipFile(io.BytesIO(reply.body)).read(f"BTCUSDT-1h-{month}.csv")
    (original,) = (
        recording.provenance
        for recording in market.recordings.of("BTC_USDT", "1h")
        if recording.provenance.original.endswith(f"BTCUSDT-1h-{month}.csv")
    )
    assert hashlib.sha256(text).hexdigest() == original.sha256


async def test_the_listing_of_recordings_tells_provenance_and_what_is_made_up(browse: StartSandbox) -> None:
    browser = await browse()
    entries = (await browser.get("/sandbox/recordings")).json()["recordings"]
    hours = next(e for e in entries if e["interval"] == "1h" and e["bars"] == 45_024)
    assert (hours["symbol"], hours["start"], hours["end"]) == (
        "BTC_USDT", "2017-08-17T00:00:00Z", "2022-10-11T11:00:00Z",
    )  # fmt: skip
    assert {"start": "2018-02-08T01:00:00Z", "bars": 33} in hours["holes"]
    assert len(hours["holes"]) == 27
    assert hours["added_up_from"] is None
    assert hours["made_up_columns"] == ["quote_e8", "trades", "taker_e8", "taker_quote_e8"]
    complete = next(e for e in entries if e["original"] == "vision/BTCUSDT-1h-2025-01.csv")
    assert complete["made_up_columns"] == []
    assert {e["interval"] for e in entries if e["added_up_from"] == "1h"} == {
        "2h",
        "4h",
        "6h",
        "8h",
        "12h",
        "1d",
    }


def test_recordings_of_a_series_never_overlap_and_hold_their_bars(market: Market) -> None:
    for interval, width_ms in WIDTHS_MS.items():
        for root in ("BTC_USDT", "BTC_BUSD"):
            found = market.recordings.of(root, interval)
            for one, next_one in itertools.pairwise(found):
                assert one.span.end_ms <= next_one.span.start_ms
            for one in found:
                assert one.bars.open_ms[0] in one.span
                assert one.bars.open_ms[-1] in one.span
                assert not (one.bars.open_ms % width_ms).any()


def test_coarser_bars_are_added_up_from_the_widest_recording_that_has_them(market: Market) -> None:
    first, *_ = market.recordings.of("BTC_USDT", "4h")
    assert (first.added_up_from, len(first.bars), len(first.holes())) == ("1h", 11_271, 8)
    hours = market.recordings.of("BTC_USDT", "1h")
    assert [recording.added_up_from for recording in hours] == [None, "5m", None, None, None]


def test_no_made_up_bar_inside_a_recording_and_no_real_one_outside(market: Market) -> None:
    listing = market.catalog.by_root["BTC_USDT"]
    (recording,) = market.recordings.of("BTC_USDT", "5m")
    day_ms = 24 * HOUR_MS
    around = Span(recording.span.start_ms - day_ms, recording.span.end_ms + day_ms)
    bars = market.bars(listing, "5m", around)
    inside = bars.cut(recording.span.start_ms, recording.span.end_ms)
    assert np.array_equal(inside.columns, recording.bars.columns)
    assert len(bars) == 288 * 5 - 16
    assert (np.diff(bars.open_ms) > 0).all()


def test_sources_page_names_every_file_with_its_sha256() -> None:
    page = (RECORDINGS_DIR / "SOURCES.md").read_text()
    files = sorted(RECORDINGS_DIR.glob("*.parquet"))
    assert len(files) == 7
    for file in files:
        about = read_recording(file).provenance
        (line,) = (line for line in page.splitlines() if f"`{file.name}`" in line)
        assert f"`{about.sha256}`" in line
        assert f"`{about.original}`" in line
        assert about.licence in line
        assert "GPL" not in about.licence


def test_recordings_stay_small() -> None:
    assert sum(file.stat().st_size for file in RECORDINGS_DIR.iterdir()) < 3_500_000


def test_recorded_bars_are_sane() -> None:
    for root, interval in (("BTC_USDT", "1h"), ("BTC_USDT", "30m"), ("BTC_USDT", "5m"), ("BTC_BUSD", "1m")):
        for recording in Recordings.load().of(root, interval):
            _, opened, high, low, closed, volume, quote, *_ = recording.bars.columns
            assert (low > 0).all()
            assert (low <= np.minimum(opened, closed)).all()
            assert (np.maximum(opened, closed) <= high).all()
            assert ((volume > 0) == (quote > 0)).all()
