"""The whole adapter against the sandbox: the contract suite, thousands of bars, limits and faults."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from markethub.domain.errors import SymbolNotListedError, VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.ports.venue import Venue
from markethub.sandbox.server import RunningSandbox, running_sandbox
from markethub.sandbox.settings import SandboxSettings, clock_starting_at
from markethub.tables.klines import open_times_ms
from markethub.testing.source_contract import KlineSourceContract, SourceUnderTest, join_pages, read_pages
from markethub.venues.okx import candles, create_venue
from markethub.venues.okx.names import BARS

HOUR = 3_600_000
BTC = Series.parse("BTC_USDT.OKX 1h")
NOW = parse_time("2025-06-17T15:20:30")
CANDLES, HISTORY = "/api/v5/market/candles", "/api/v5/market/history-candles"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    settings = SandboxSettings(clock=clock_starting_at(NOW), okx_limits_enforced=False)
    async with running_sandbox(settings) as running:
        yield running


@pytest.fixture
async def venue(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": sandbox.url, "request_timeout_s": "5"})
    # What the budget does is tested where the sandbox enforces its limits; elsewhere it would only wait.
    for budget in venue._doors.budgets():  # type: ignore[attr-defined]
        budget.set_limit(None)
    yield venue
    await venue.close()


class TestOkxKlines(KlineSourceContract):
    @pytest.fixture
    def subject(self, venue: Venue) -> SourceUnderTest:
        return SourceUnderTest(
            venue=venue,
            series=BTC,
            history=Span(parse_time("2018-01-01"), parse_time("2018-02-20")),
            before_listing=Span(parse_time("2017-07-20"), parse_time("2017-08-10")),
            unlisted=Symbol.parse("NOSUCH_USDT.OKX"),
        )


async def test_thousands_of_bars_none_missing_and_none_twice(sandbox: RunningSandbox, venue: Venue) -> None:
    # From the history into the depth of the recent endpoint, and up to the last bar that has closed.
    minutes = Series(BTC.symbol, Interval.M1)
    span = Span(NOW - 4000 * 60_000, NOW)
    pages = await read_pages(venue.klines, minutes, span)
    times = open_times_ms(join_pages(pages)).to_pylist()
    first_ms = Interval.M1.ceil(span.start_ms)
    assert times == list(range(first_ms, NOW // 60_000 * 60_000, 60_000))
    assert len(times) == 3999
    assert [len(page.bars) for page in pages[:13]] == [300] * 13
    asked = sandbox.stats.requests
    assert asked[HISTORY] + asked[CANDLES] == 14
    assert asked[CANDLES] >= 4


@pytest.mark.parametrize("interval", list(Interval))
async def test_every_interval_is_on_its_grid_in_utc(venue: Venue, interval: Interval) -> None:
    start_ms = parse_time("2024-03-01")
    span = Span(start_ms, start_ms + 12 * interval.width_ms)
    page = await venue.klines.klines(Series(BTC.symbol, interval), span)
    assert page.covered == span
    assert open_times_ms(page.bars).to_pylist() == list(range(start_ms, span.end_ms, interval.width_ms))


async def test_days_of_utc_plus_8_are_refused(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candles, "BARS", {**BARS, Interval.D1: "1D"})
    span = Span(parse_time("2024-03-01"), parse_time("2024-03-10"))
    with pytest.raises(VenueProtocolError, match="open time off the 1d grid"):
        await venue.klines.klines(Series(BTC.symbol, Interval.D1), span)


async def test_a_wide_bar_is_the_sum_of_narrow_ones(venue: Venue) -> None:
    span = Span(parse_time("2024-03-01"), parse_time("2024-03-02"))
    (day,) = (await venue.klines.klines(Series(BTC.symbol, Interval.D1), span)).bars.to_pylist()
    bars = (await venue.klines.klines(BTC, span)).bars.to_pydict()
    assert (day["open"], day["close"]) == (bars["open"][0], bars["close"][-1])
    assert (day["high"], day["low"]) == (max(bars["high"]), min(bars["low"]))
    assert day["volume"] == pytest.approx(sum(bars["volume"]))
    assert day["quote_volume"] == pytest.approx(sum(bars["quote_volume"]))
    assert day["low"] * day["volume"] < day["quote_volume"] < day["high"] * day["volume"]


async def test_a_delisted_pair_has_vanished(venue: Venue) -> None:
    gone = Symbol.parse("WAVES_USDT.OKX")
    assert not await venue.klines.listed(gone)
    span = Span(parse_time("2024-01-01"), parse_time("2024-01-02"))
    with pytest.raises(SymbolNotListedError, match="51001"):
        await venue.klines.klines(Series(gone, Interval.H1), span)


async def test_trouble_that_passes_costs_nothing_but_a_moment(sandbox: RunningSandbox, venue: Venue) -> None:
    span = Span(parse_time("2024-03-01"), parse_time("2024-03-20"))
    calm = join_pages(await read_pages(venue.klines, BTC, span))
    for kind in ("disconnect", "truncate", "status"):
        fault = {"path": HISTORY, "kind": kind}
        async with (
            aiohttp.ClientSession() as http,
            http.post(sandbox.url + "/sandbox/faults", json=[fault]) as answer,
        ):
            assert answer.status == 200
        assert join_pages(await read_pages(venue.klines, BTC, span)).equals(calm)


async def test_the_budget_waits_and_is_never_refused() -> None:
    async with running_sandbox(SandboxSettings(clock=clock_starting_at(NOW))) as sandbox:
        venue = create_venue({"base_url": sandbox.url})
        await venue.server_time_ms()
        old, recent = parse_time("2024-03-01"), NOW // HOUR * HOUR - 500 * HOUR
        spans = [
            Span(start + at * HOUR, start + (at + 5) * HOUR) for start in (old, recent) for at in range(45)
        ]
        pages = await asyncio.gather(*(venue.klines.klines(BTC, span) for span in spans))
        assert [page.covered for page in pages] == spans
        await venue.close()
        assert {status for _, status in sandbox.stats.replies} == {200}
        assert (sandbox.stats.requests[HISTORY], sandbox.stats.requests[CANDLES]) == (45, 45)
