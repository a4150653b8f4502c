"""Yahoo's adapter against the sandbox: the contract suite, real days of Apple, depth, refusals, limits."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from markethub.domain.errors import SymbolNotListedError, VenueProtocolError, VenueRefusedError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.ports.venue import Venue
from markethub.sandbox.server import RunningSandbox, running_sandbox
from markethub.sandbox.settings import SandboxSettings, clock_starting_at
from markethub.tables.klines import open_times_ms
from markethub.testing.source_contract import KlineSourceContract, SourceUnderTest, join_pages, read_pages
from markethub.venues.stocks import create_hk_venue, create_us_venue

DAY = 86_400_000
# A Tuesday; New York trades until 20:00 UTC.
NOW = parse_time("2025-06-17T17:20:30")
CHART = "/yahoo/v8/finance/chart/{ticker}"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    settings = SandboxSettings(clock=clock_starting_at(NOW), yahoo_requests_per_10_s=None)
    async with running_sandbox(settings) as running:
        yield running


def options_for(sandbox: RunningSandbox, **changes: str) -> dict[str, str]:
    return {"base_url": sandbox.url + "/yahoo", "requests_per_10_s": "10000", "connections": "8"} | changes


@pytest.fixture
async def venue(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_us_venue(options_for(sandbox))
    yield venue
    await venue.close()


class TestYahooMinutes(KlineSourceContract):
    @pytest.fixture
    async def subject(self, sandbox: RunningSandbox) -> AsyncIterator[SourceUnderTest]:
        # The suite asks for a bar that has just closed; the usual delay would hold it back.
        venue = create_us_venue(options_for(sandbox, delay_s="0"))
        yield SourceUnderTest(
            venue=venue,
            series=Series.parse("US.NEWC 1m"),
            history=Span(parse_time("2025-05-28"), parse_time("2025-06-17")),
            before_listing=Span(parse_time("2025-05-30"), parse_time("2025-06-04")),
            unlisted=Symbol.parse("US.NOSUCH"),
        )
        await venue.close()


async def test_real_days_of_apple_as_they_were_traded(venue: Venue, sandbox: RunningSandbox) -> None:
    span = Span(parse_time("2000-01-01"), parse_time("2013-03-02"))
    (page,) = await read_pages(venue.klines, Series.parse("US.AAPL 1d"), span)
    assert (page.covered, page.rejected) == (span, ())
    rows = {row["open_time"].date().isoformat(): row for row in page.bars.to_pylist()}
    assert len(rows) == 3270
    assert next(iter(rows)) == "2000-03-01"
    # Around both splits of two to one, and the day of the profit warning, when the price halved without one.
    days = ("2000-06-20", "2000-06-21", "2000-09-29", "2005-02-25", "2005-02-28")
    assert [rows[day]["close"] for day in days] == [101.25, 55.63, 25.75, 88.99, 44.86]
    assert [rows[day]["volume"] for day in days] == [4476700, 4375000, 132529300, 16348400, 11635900]
    last = rows["2013-03-01"]
    assert [last[name] for name in ("open", "high", "low", "close")] == [438.0, 438.1799, 429.98, 430.47]
    # One to learn the time, one for the chart.
    assert sandbox.stats.requests[CHART] == 2


async def test_adjusted_days_have_neither_splits_nor_dividends(sandbox: RunningSandbox) -> None:
    venue = create_us_venue(options_for(sandbox, adjustment="adjusted"))
    span = Span(parse_time("2000-01-01"), parse_time("2013-03-02"))
    (page,) = await read_pages(venue.klines, Series.parse("US.AAPL 1d"), span)
    rows = {row["open_time"].date().isoformat(): row for row in page.bars.to_pylist()}
    # The file's own adjusted closes know the splits up to 2014; that of 2020 came after.
    assert rows["2000-06-20"]["close"] == pytest.approx(3.2530090467797 / 4)
    assert rows["2000-06-21"]["close"] == pytest.approx(3.5746151757502 / 4)
    assert rows["2000-06-20"]["volume"] == pytest.approx(4476700 * 112)
    await venue.close()


async def test_a_spin_off_that_yahoo_lists_as_a_split_is_undone_as_well(venue: Venue) -> None:
    span = Span(parse_time("2000-03-01"), parse_time("2000-03-02"))
    page = await venue.klines.klines(Series.parse("US.IBM 1d"), span)
    assert [row["close"] for row in page.bars.to_pylist()] == [100.25]


async def test_minutes_before_a_reverse_split_come_back_in_the_shares_of_their_day(venue: Venue) -> None:
    span = Span(parse_time("2025-06-09T13:30"), parse_time("2025-06-10T13:31"))
    page = await venue.klines.klines(Series.parse("US.REVS 1m"), span)
    closes = page.bars.column("close").to_pylist()
    # Twenty old shares became a new one.
    assert closes[-1] / closes[-2] == pytest.approx(20, rel=0.05)
    day = await venue.klines.klines(
        Series.parse("US.REVS 1d"), Span(parse_time("2025-06-09"), parse_time("2025-06-10"))
    )
    assert day.bars.column("close").to_pylist() == [closes[-2]]


async def test_halts_are_holes_that_the_venue_has(venue: Venue) -> None:
    span = Span(parse_time("2025-06-16T13:30"), parse_time("2025-06-16T14:30"))
    page = await venue.klines.klines(Series.parse("US.THIN 1m"), span)
    assert page.covered == span
    assert page.rejected == ()
    assert len(page.bars) == 54
    absent = set(range(span.start_ms, span.end_ms, 60_000)) - set(open_times_ms(page.bars).to_pylist())
    assert {at // 60_000 % 10 for at in absent} == {0}


async def test_closed_hours_cost_no_request(venue: Venue, sandbox: RunningSandbox) -> None:
    await venue.server_time_ms()
    asked = sandbox.stats.requests[CHART]
    weekend = Span(parse_time("2025-06-13T20:00"), parse_time("2025-06-16T13:30"))
    for interval in (Interval.M1, Interval.M30):
        page = await venue.klines.klines(Series(Symbol.parse("US.AAPL"), interval), weekend)
        assert (page.covered, len(page.bars)) == (weekend, 0)
    assert sandbox.stats.requests[CHART] == asked


async def test_bars_that_may_still_change_are_not_covered(venue: Venue) -> None:
    span = Span(parse_time("2025-06-17T13:30"), NOW + DAY)
    page = await venue.klines.klines(Series.parse("US.AAPL 5m"), span)
    assert page.covered == Span(span.start_ms, parse_time("2025-06-17T17:00"))
    assert open_times_ms(page.bars)[-1].as_py() == parse_time("2025-06-17T16:55")
    today = Span(parse_time("2025-06-16"), NOW)
    days = await venue.klines.klines(Series.parse("US.AAPL 1d"), today)
    assert open_times_ms(days.bars).to_pylist() == [parse_time("2025-06-16")]


@pytest.mark.parametrize("interval", [Interval.M1, Interval.M5, Interval.M15, Interval.M30])
async def test_a_session_has_all_its_bars_and_they_add_up_to_the_day(
    venue: Venue, interval: Interval
) -> None:
    start_ms = parse_time("2025-06-16")
    symbol = Symbol.parse("US.AAPL")
    bars = (await venue.klines.klines(Series(symbol, interval), Span(start_ms, start_ms + DAY))).bars
    assert len(bars) == 390 * 60_000 // interval.width_ms
    opens = open_times_ms(bars).to_pylist()
    assert opens[0] == parse_time("2025-06-16T13:30")
    assert opens[-1] == parse_time("2025-06-16T20:00") - interval.width_ms
    (day,) = (
        await venue.klines.klines(Series(symbol, Interval.D1), Span(start_ms, start_ms + DAY))
    ).bars.to_pylist()
    columns = bars.to_pydict()
    assert (day["open"], day["close"]) == (columns["open"][0], columns["close"][-1])
    assert (day["high"], day["low"]) == (max(columns["high"]), min(columns["low"]))
    assert day["volume"] == sum(columns["volume"])


async def test_hong_kong_has_a_lunch_break(sandbox: RunningSandbox) -> None:
    venue = create_hk_venue(options_for(sandbox))
    span = Span(parse_time("2025-06-16"), parse_time("2025-06-17"))
    page = await venue.klines.klines(Series.parse("HK.00700 30m"), span)
    opens = [row["open_time"].strftime("%H:%M") for row in page.bars.to_pylist()]
    assert opens == [
        "01:30",
        "02:00",
        "02:30",
        "03:00",
        "03:30",
        *[f"{5 + at // 2:02d}:{at % 2 * 30:02d}" for at in range(6)],
    ]
    (day,) = (await venue.klines.klines(Series.parse("HK.00700 1d"), span)).bars.to_pylist()
    assert day["open_time"].isoformat() == "2025-06-16T00:00:00+00:00"
    await venue.close()


async def test_what_lies_too_far_back_is_refused_up_front(venue: Venue, sandbox: RunningSandbox) -> None:
    await venue.server_time_ms()
    asked = sandbox.stats.requests[CHART]
    span = Span(parse_time("2025-05-01"), parse_time("2025-05-03"))
    with pytest.raises(
        VenueRefusedError, match="only for the last 30 days; 1m bars can be had from 2025-05-18T18:2"
    ):
        await venue.klines.klines(Series.parse("US.AAPL 1m"), span)
    assert sandbox.stats.requests[CHART] == asked
    reach_ms = venue.klines.reach_ms(Interval.M1, NOW)
    assert reach_ms is not None
    page = await venue.klines.klines(Series.parse("US.AAPL 1m"), Span(reach_ms, reach_ms + 3 * DAY))
    assert len(page.bars)
    assert venue.klines.reach_ms(Interval.D1, NOW) is None


async def test_the_sandbox_has_the_walls_where_we_think_they_are(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = "markethub.venues.stocks.yahoo.client."
    span = Span(parse_time("2025-05-10"), parse_time("2025-06-16"))
    monkeypatch.setattr(client + "DEPTH_MS", {})
    with pytest.raises(VenueRefusedError, match="must be within the last 30 days"):
        await venue.klines.klines(Series.parse("US.AAPL 1m"), Span(span.start_ms, span.start_ms + 3 * DAY))
    monkeypatch.setattr(client + "PAGE_MS", {})
    with pytest.raises(VenueRefusedError, match="Only 7 days worth of 1m"):
        await venue.klines.klines(Series.parse("US.AAPL 1m"), Span(NOW - 20 * DAY, NOW))


@pytest.mark.parametrize("interval", [Interval.H1, Interval.H4])
async def test_hours_would_open_off_the_grid(venue: Venue, interval: Interval) -> None:
    series = Series(Symbol.parse("US.AAPL"), interval)
    with pytest.raises(
        VenueRefusedError, match="sessions begin at half past the hour; there are 1m, 5m, 15m, 30m, 1d"
    ):
        await venue.klines.klines(series, Span(NOW - DAY, NOW))


async def test_listed_is_asked_once_an_hour(venue: Venue, sandbox: RunningSandbox) -> None:
    await venue.server_time_ms()
    for _ in range(3):
        assert await venue.klines.listed(Symbol.parse("US.BRK.B"))
        assert not await venue.klines.listed(Symbol.parse("US.NOSUCH"))
        assert not await venue.klines.listed(Symbol.parse("HK.00700"))
    assert sandbox.stats.requests[CHART] == 3
    with pytest.raises(SymbolNotListedError, match="No data found"):
        await venue.klines.klines(Series.parse("US.NOSUCH 1d"), Span(NOW - 9 * DAY, NOW - DAY))


async def test_the_clock_is_that_of_the_answers(venue: Venue) -> None:
    assert abs(await venue.server_time_ms() - NOW) < 60_000


async def plan_fault(sandbox: RunningSandbox, kind: str, **more: object) -> None:
    fault = {"path": "/yahoo", "kind": kind, "times": 1} | more
    async with (
        aiohttp.ClientSession() as http,
        http.post(sandbox.url + "/sandbox/faults", json=[fault]) as answer,
    ):
        assert answer.status == 200


async def test_trouble_that_passes_costs_nothing_but_a_moment(sandbox: RunningSandbox, venue: Venue) -> None:
    series, span = Series.parse("US.AAPL 1d"), Span(parse_time("2003-01-01"), parse_time("2003-04-01"))
    calm = join_pages(await read_pages(venue.klines, series, span))
    assert len(calm) == 61
    for kind in ("disconnect", "truncate", "status"):
        await plan_fault(sandbox, kind)
        assert join_pages(await read_pages(venue.klines, series, span)).equals(calm)
    await plan_fault(sandbox, "status", status=429, retry_after_s=1)
    assert join_pages(await read_pages(venue.klines, series, span)).equals(calm)


async def test_garbage_is_an_error_and_no_bars(sandbox: RunningSandbox, venue: Venue) -> None:
    await venue.server_time_ms()
    await plan_fault(sandbox, "garbage")
    with pytest.raises(VenueProtocolError, match="not JSON"):
        await venue.klines.klines(Series.parse("US.AAPL 1d"), Span(NOW - 9 * DAY, NOW - DAY))


async def test_the_budget_waits_and_is_never_refused() -> None:
    # The ten seconds turn 4 s from now: the calls that do not fit wait for it.
    clock = clock_starting_at(NOW // 10_000 * 10_000 + 6_000)
    async with running_sandbox(SandboxSettings(clock=clock, yahoo_requests_per_10_s=4)) as sandbox:
        venue = create_us_venue(options_for(sandbox, requests_per_10_s="4"))
        await venue.server_time_ms()
        series = Series.parse("US.GOOG 1d")
        start_ms = parse_time("2025-06-02")
        spans = [Span(start_ms + at * DAY, start_ms + (at + 1) * DAY) for at in range(5)]
        pages = await asyncio.gather(*(venue.klines.klines(series, span) for span in spans))
        assert [len(page.bars) for page in pages] == [1] * 5
        await venue.close()
        assert {status for _, status in sandbox.stats.replies} == {200}


async def test_a_library_that_names_itself_is_turned_away(sandbox: RunningSandbox) -> None:
    venue = create_us_venue(options_for(sandbox, user_agent="markethub/1", patience_s="0"))
    with pytest.raises(Exception, match="HTTP 429"):
        await venue.server_time_ms()
    await venue.close()
