"""The whole adapter against the sandbox: the contract suite, the real holes, the archive and its faults."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from markethub.domain.errors import (
    ArchiveMissingError,
)
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.ports.venue import ArchiveFile, KlineArchive, Venue
from markethub.sandbox.server import RunningSandbox, running_sandbox
from markethub.sandbox.settings import SandboxSettings, clock_starting_at
from markethub.tables.klines import KLINES, cut_klines, open_times_ms
from markethub.testing.source_contract import KlineSourceContract, SourceUnderTest, join_pages, read_pages
from markethub.venues.binance import create_venue
from tests.budgets import budget_of

HOUR = 3_600_000
BTC = Series.parse("BTC_USDT.BNC 1h")
NOW = parse_time("2025-06-17T15:20:30")
FEBRUARY = Span(parse_time("2018-02-01"), parse_time("2018-03-01"))
# Recorded: the venue was away from 8 February 01:00 for 33 hours.
OUTAGE = Span(parse_time("2018-02-08T01:00"), parse_time("2018-02-09T10:00"))


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings(clock=clock_starting_at(NOW))) as running:
        yield running


@pytest.fixture
async def venue(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": sandbox.url, "archive_url": sandbox.url, "request_timeout_s": "5"})
    yield venue
    await venue.close()


@pytest.fixture
def archive(venue: Venue) -> KlineArchive:
    assert venue.kline_archive is not None
    return venue.kline_archive


async def plan_fault(sandbox: RunningSandbox, path: str, kind: str, times: int = 1, **more: int) -> None:
    fault = {"path": path, "kind": kind, "times": times} | more
    async with (
        aiohttp.ClientSession() as http,
        http.post(sandbox.url + "/sandbox/faults", json=[fault]) as answer,
    ):
        assert answer.status < 300, await answer.text()


class TestBinanceKlines(KlineSourceContract):
    @pytest.fixture
    def subject(self, venue: Venue) -> SourceUnderTest:
        return SourceUnderTest(
            venue=venue,
            series=BTC,
            history=Span(parse_time("2018-01-01"), parse_time("2018-06-01")),
            before_listing=Span(parse_time("2017-07-20"), parse_time("2017-08-10")),
            unlisted=Symbol.parse("NOSUCH_USDT.BNC"),
        )


async def test_paging_over_the_outage_of_february_2018(venue: Venue) -> None:
    span = Span(parse_time("2018-01-20"), FEBRUARY.end_ms + 400 * HOUR)
    pages = await read_pages(venue.klines, BTC, span)
    times = set(open_times_ms(join_pages(pages)).to_pylist())
    missing = [t for t in range(span.start_ms, span.end_ms, HOUR) if t not in times]
    assert missing == list(range(OUTAGE.start_ms, OUTAGE.end_ms, HOUR))
    inside = await venue.klines.klines(BTC, OUTAGE)
    assert (inside.covered, inside.bars.num_rows) == (OUTAGE, 0)


async def test_archive_and_rest_tell_the_same(venue: Venue, archive: KlineArchive) -> None:
    spans = [
        FEBRUARY,
        Span(parse_time("2024-12-01"), parse_time("2025-01-01")),  # the last month in milliseconds
        Span(parse_time("2025-01-01"), parse_time("2025-02-01")),  # the first in microseconds
    ]
    for span in spans:
        (file,) = archive.files(BTC, span, NOW)
        archived = await archive.fetch(file)
        assert archived.bars.schema.equals(KLINES)
        assert len(archived.sha256) == 64
        assert archived.bars.equals(join_pages(await read_pages(venue.klines, BTC, span)))


async def test_the_newest_days_come_as_daily_files(venue: Venue, archive: KlineArchive) -> None:
    minutes = Series.parse("ETH_USDT.BNC 1m")
    span = Span(parse_time("2025-05-31"), NOW)
    files = archive.files(minutes, span, NOW)
    assert [file.path[-14:-4] for file in files[1:]] == [f"2025-06-{day:02d}" for day in range(1, 17)]
    assert "/monthly/" in files[0].path
    for file in (files[1], files[-1]):
        bars = (await archive.fetch(file)).bars
        assert bars.equals(join_pages(await read_pages(venue.klines, minutes, file.span)))


async def test_the_days_of_a_month_hold_what_the_month_holds(archive: KlineArchive) -> None:
    (month,) = archive.files(BTC, Span(parse_time("2025-02-01"), parse_time("2025-03-01")), NOW)
    whole = (await archive.fetch(month)).bars
    days = archive.split(month)
    assert len(days) == 28
    for day in (days[0], days[13], days[27]):
        assert (await archive.fetch(day)).bars.equals(cut_klines(whole, day.span))


@pytest.fixture
def february(archive: KlineArchive) -> ArchiveFile:
    (file,) = archive.files(BTC, FEBRUARY, NOW)
    return file


async def test_a_file_that_is_not_published(archive: KlineArchive) -> None:
    before_listing = Span(parse_time("2017-07-01"), parse_time("2017-08-01"))
    (file,) = archive.files(BTC, before_listing, NOW)
    with pytest.raises(ArchiveMissingError, match="2017-07"):
        await archive.fetch(file)


async def test_trouble_that_passes_costs_nothing_but_a_moment(
    sandbox: RunningSandbox, venue: Venue, archive: KlineArchive, february: ArchiveFile
) -> None:
    calm = (await archive.fetch(february)).bars
    for kind in ("disconnect", "truncate", "status"):
        await plan_fault(sandbox, february.path, kind)
        await plan_fault(sandbox, "/api/v3/klines", kind)
        assert (await archive.fetch(february)).bars.equals(calm)
        assert join_pages(await read_pages(venue.klines, BTC, FEBRUARY)).equals(calm)


async def test_a_small_budget_waits_and_is_never_refused() -> None:
    # The venue's minute turns 2 s from now: the calls that do not fit wait for it.
    clock = clock_starting_at(NOW // 60_000 * 60_000 + 58_000)
    async with running_sandbox(SandboxSettings(clock=clock, weight_per_minute=100)) as sandbox:
        venue = create_venue({"base_url": sandbox.url, "archive_url": sandbox.url})
        spans = [Span(FEBRUARY.start_ms + hour * HOUR, FEBRUARY.end_ms) for hour in range(60)]
        await venue.klines.listed(BTC.symbol)
        pages = await asyncio.gather(*(venue.klines.klines(BTC, span) for span in spans))
        assert len(pages) == 60
        assert budget_of(venue, "request weight").limit == 100
        await venue.close()
        assert {status for _, status in sandbox.stats.replies} == {200}
        assert sandbox.stats.requests["/api/v3/klines"] == 60
