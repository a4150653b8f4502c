"""The whole adapter against the sandbox: the contract suite, thousands of bars, the wall, limits, faults."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from markethub.domain.errors import VenueProtocolError, VenueRefusedError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.ports.venue import Venue
from markethub.sandbox.server import RunningSandbox, running_sandbox
from markethub.sandbox.settings import Clock, SandboxSettings, clock_starting_at
from markethub.tables.klines import open_times_ms
from markethub.testing.source_contract import KlineSourceContract, SourceUnderTest, join_pages, read_pages
from markethub.venues.gate import client, create_venue
from tests.budgets import budget_of

HOUR = 3_600_000
BTC = Series.parse("BTC_USDT.GIO 1h")
NOW = parse_time("2025-06-17T15:20:30")
CANDLESTICKS = "/api/v4/spot/candlesticks"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    settings = SandboxSettings(clock=clock_starting_at(NOW), gate_requests_per_10_s=None)
    async with running_sandbox(settings) as running:
        yield running


@pytest.fixture
async def venue(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": sandbox.url + "/api/v4", "request_timeout_s": "5"})
    yield venue
    await venue.close()


class TestGateKlines(KlineSourceContract):
    @pytest.fixture
    def subject(self, venue: Venue) -> SourceUnderTest:
        # Four hours reach back 4.5 years: a listing and three pages lie within the 10,000-point wall.
        return SourceUnderTest(
            venue=venue,
            series=Series.parse("SUI_USDT.GIO 4h"),
            history=Span(parse_time("2023-06-01"), parse_time("2025-01-01")),
            before_listing=Span(parse_time("2023-04-10"), parse_time("2023-05-01")),
            unlisted=Symbol.parse("NOSUCH_USDT.GIO"),
        )


async def test_thousands_of_bars_none_missing_and_none_twice(sandbox: RunningSandbox, venue: Venue) -> None:
    minutes = Series(BTC.symbol, Interval.M1)
    span = Span(NOW - 4500 * 60_000, NOW)
    pages = await read_pages(venue.klines, minutes, span)
    times = open_times_ms(join_pages(pages)).to_pylist()
    assert times == list(range(Interval.M1.ceil(span.start_ms), NOW // 60_000 * 60_000, 60_000))
    assert [len(page.bars) for page in pages[:5]] == [1000, 1000, 1000, 1000, 499]
    assert sandbox.stats.requests[CANDLESTICKS] == 5


async def test_all_that_lies_within_the_wall_can_be_had(sandbox: RunningSandbox, venue: Venue) -> None:
    reach_ms = NOW // HOUR * HOUR - 9980 * HOUR
    with pytest.raises(VenueRefusedError, match="1h bars can be had from 2024-04-28T"):
        await venue.klines.klines(BTC, Span(reach_ms - HOUR, NOW))
    assert sandbox.stats.requests[CANDLESTICKS] == 0
    pages = await read_pages(venue.klines, BTC, Span(reach_ms, NOW))
    assert len(join_pages(pages)) == 9980
    assert sandbox.stats.requests[CANDLESTICKS] == 10


async def test_the_venues_own_wall_is_where_we_think_it_is(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_ms = NOW // HOUR * HOUR - 9999 * HOUR
    monkeypatch.setattr(client, "_DEPTH_MARGIN_BARS", -100)
    with pytest.raises(VenueRefusedError, match="INVALID_PARAM_VALUE 'Candlestick too long ago"):
        await venue.klines.klines(BTC, Span(first_ms - HOUR, first_ms + HOUR))
    page = await venue.klines.klines(BTC, Span(first_ms, first_ms + HOUR))
    assert len(page.bars) == 1


async def test_one_point_more_is_too_broad(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_BARS", 1001)
    with pytest.raises(VenueRefusedError, match="range too broad"):
        await venue.klines.klines(BTC, Span(NOW - 1100 * HOUR, NOW))


@pytest.mark.parametrize("interval", list(Interval))
async def test_every_interval_is_on_its_grid_in_utc(venue: Venue, interval: Interval) -> None:
    start_ms = interval.floor(NOW) - 12 * interval.width_ms
    span = Span(start_ms, start_ms + 12 * interval.width_ms)
    page = await venue.klines.klines(Series(BTC.symbol, interval), span)
    assert page.covered == span
    assert open_times_ms(page.bars).to_pylist() == list(range(start_ms, span.end_ms, interval.width_ms))


async def test_a_wide_bar_is_the_sum_of_narrow_ones(venue: Venue) -> None:
    span = Span(parse_time("2025-03-01"), parse_time("2025-03-02"))
    (day,) = (await venue.klines.klines(Series(BTC.symbol, Interval.D1), span)).bars.to_pylist()
    bars = (await venue.klines.klines(BTC, span)).bars.to_pydict()
    assert (day["open"], day["close"]) == (bars["open"][0], bars["close"][-1])
    assert (day["high"], day["low"]) == (max(bars["high"]), min(bars["low"]))
    assert day["volume"] == pytest.approx(sum(bars["volume"]))
    assert day["quote_volume"] == pytest.approx(sum(bars["quote_volume"]))
    assert day["low"] * day["volume"] < day["quote_volume"] < day["high"] * day["volume"]
    assert day["trades"] is None


async def test_a_pair_that_trades_no_more_keeps_its_past(venue: Venue) -> None:
    halted = Series.parse("WAVES_USDT.GIO 4h")
    assert await venue.klines.listed(halted.symbol)
    span = Span(parse_time("2024-06-16"), parse_time("2024-06-19"))
    pages = await read_pages(venue.klines, halted, span)
    assert open_times_ms(join_pages(pages))[-1].as_py() == parse_time("2024-06-17")
    assert pages[-1].covered is not None
    assert pages[-1].covered.end_ms == span.end_ms


async def plan_fault(sandbox: RunningSandbox, kind: str, times: int = 1) -> None:
    fault = {"path": CANDLESTICKS, "kind": kind, "times": times}
    async with (
        aiohttp.ClientSession() as http,
        http.post(sandbox.url + "/sandbox/faults", json=[fault]) as answer,
    ):
        assert answer.status == 200


async def test_trouble_that_passes_costs_nothing_but_a_moment(sandbox: RunningSandbox, venue: Venue) -> None:
    span = Span(parse_time("2025-03-01"), parse_time("2025-03-20"))
    calm = join_pages(await read_pages(venue.klines, BTC, span))
    for kind in ("disconnect", "truncate", "status"):
        await plan_fault(sandbox, kind)
        assert join_pages(await read_pages(venue.klines, BTC, span)).equals(calm)


async def test_garbage_is_an_error_and_no_bars(sandbox: RunningSandbox, venue: Venue) -> None:
    await plan_fault(sandbox, "garbage")
    with pytest.raises(VenueProtocolError, match="not JSON"):
        await venue.klines.klines(BTC, Span(NOW - 9 * HOUR, NOW))


async def test_the_budget_waits_and_is_never_refused() -> None:
    # The venue's ten seconds turn 2.5 s from now: the calls that do not fit wait for it.
    clock = clock_starting_at(NOW // 10_000 * 10_000 + 7_500)
    settings = SandboxSettings(clock=clock, gate_requests_per_10_s=20)
    async with running_sandbox(settings) as sandbox:
        venue = create_venue({"base_url": sandbox.url + "/api/v4", "connections": "4"})
        await venue.server_time_ms()
        start_ms = NOW // HOUR * HOUR - 500 * HOUR
        spans = [Span(start_ms + at * HOUR, start_ms + (at + 5) * HOUR) for at in range(35)]
        # The first answer tells that this venue allows but a tenth of what is documented.
        first = await venue.klines.klines(BTC, spans[0])
        pages = await asyncio.gather(*(venue.klines.klines(BTC, span) for span in spans[1:]))
        assert [page.covered for page in (first, *pages)] == spans
        assert budget_of(venue, "spot/candlesticks").limit == 20
        await venue.close()
        assert {status for _, status in sandbox.stats.replies} == {200}
        assert sandbox.stats.requests[CANDLESTICKS] == 35


async def test_a_refusal_for_load_is_waited_out() -> None:
    # The venue's ten seconds turn 1.5 s after its time goes on, which is when the first was refused.
    now_ms = NOW // 10_000 * 10_000 + 8_500
    going: list[Clock] = []

    def clock() -> int:
        return going[0]() if going else now_ms

    async with running_sandbox(SandboxSettings(clock=clock, gate_requests_per_10_s=5)) as sandbox:
        venue = create_venue({"base_url": sandbox.url + "/api/v4", "connections": "20"})
        await venue.server_time_ms()
        # All at once, before any header could tell of the limit.
        spans = [Span(NOW - (at + 9) * HOUR, NOW - at * HOUR) for at in range(1, 9)]
        asking = asyncio.gather(*(venue.klines.klines(BTC, span) for span in spans))
        while not sandbox.stats.replies[CANDLESTICKS, 429]:  # noqa: ASYNC110 - a counter sets no event
            await asyncio.sleep(0)
        going.append(clock_starting_at(now_ms))
        pages = await asking
        assert all(page.bars.num_rows == 9 for page in pages)
        await venue.close()
        assert 1 <= sandbox.stats.replies[CANDLESTICKS, 429] <= 3
        assert sandbox.stats.replies[CANDLESTICKS, 200] == 8
