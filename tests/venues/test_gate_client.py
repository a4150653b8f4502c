"""The client's own decisions, against a scripted venue."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from markethub.domain.errors import (
    SymbolNotListedError,
    VenueError,
    VenueProtocolError,
    VenueRefusedError,
    VenueThrottledError,
    VenueUnavailableError,
)
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time, parse_time
from markethub.ports.venue import Venue
from markethub.tables.klines import open_times_ms
from markethub.venues.gate import create_venue
from tests.budgets import budget_of

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

HOUR = 3_600_000
NOW = 1_700_000_000_000 // HOUR * HOUR + HOUR // 2 + 3_000  # far from the turn of ten seconds
CLOSED = NOW // HOUR * HOUR
START = CLOSED - 3000 * HOUR
BTC = Series.parse("BTC_USDT.GIO 1h")
CANDLESTICKS = "/spot/candlesticks"


class FakeGate:
    """Lists BTC_USDT; has a bar at every hour up to now that is not in ``holes``."""

    def __init__(self) -> None:
        self.holes: set[int] = set()
        self.flags: dict[int, str] = {}
        self.now_ms = NOW
        self.queries: list[dict[str, str]] = []
        self.counts: dict[str, int] = {}
        self.listed = ["BTC_USDT"]
        self.broken: dict[str, web.Response] = {}
        self.headers: dict[str, str] = {}
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.counts[request.path] = self.counts.get(request.path, 0) + 1
        self.asked.set()
        await self.answers.wait()
        if request.path in self.broken:
            spoiled = self.broken[request.path]
            return web.Response(status=spoiled.status, body=spoiled.body, headers=self.headers)
        answers: dict[str, Callable[[dict[str, str]], Any]] = {
            "/spot/time": lambda _: {"server_time": self.now_ms},
            "/spot/currency_pairs": lambda _: self.pairs(),
            CANDLESTICKS: self.candlesticks,
        }
        body = orjson.dumps(answers[request.path](dict(request.query)))
        return web.Response(body=body, headers=self.headers)

    def pairs(self) -> list[dict[str, str]]:
        halves = [(name, *name.split("_")) for name in self.listed]
        return [{"id": name, "base": base, "quote": quote} for name, base, quote in halves]

    def candlesticks(self, query: dict[str, str]) -> list[list[str]]:
        self.queries.append(query)
        first, last = int(query["from"]) * 1000, min(int(query["to"]) * 1000, self.now_ms)
        opens = [time_ms for time_ms in range(first, last + 1, HOUR) if time_ms not in self.holes]
        return [[str(t // 1000), "10", "2", "3", "1", "2", "5", self.flags.get(t, "true")] for t in opens]


@pytest.fixture
def fake() -> FakeGate:
    return FakeGate()


@pytest.fixture
async def venue(fake: FakeGate, serve: Serve) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": await serve(fake.handle), "quick_retries": "0"})
    yield venue
    await venue.close()


async def test_from_and_to_are_inclusive_seconds_and_no_limit_is_sent(fake: FakeGate, venue: Venue) -> None:
    await venue.klines.klines(BTC, Span(START + 1, START + 5 * HOUR))
    assert fake.queries == [
        {
            "currency_pair": "BTC_USDT",
            "interval": "1h",
            "from": str(START // 1000 + 3600),
            "to": str(START // 1000 + 4 * 3600),
        }
    ]


@pytest.mark.parametrize("interval", list(Interval))
async def test_a_page_asks_for_1000_points_on_the_grid(
    fake: FakeGate, venue: Venue, interval: Interval
) -> None:
    fake.broken[CANDLESTICKS] = web.Response(text="[]")
    width_ms = interval.width_ms
    first_ms = interval.ceil(NOW - 5000 * width_ms)
    page = await venue.klines.klines(Series(BTC.symbol, interval), Span(first_ms - 1, NOW))
    assert page.covered == Span(first_ms - 1, first_ms + 1000 * width_ms)


async def test_the_range_of_a_page_is_999_widths(fake: FakeGate, venue: Venue) -> None:
    for start_ms, end_ms in (
        (START, START + 1000 * HOUR),
        (START, START + 1001 * HOUR),
        (START - 1, START + 1000 * HOUR + 1),
        (START + 1, START + 2000 * HOUR + 1),
    ):
        fake.queries.clear()
        await venue.klines.klines(BTC, Span(start_ms, end_ms))
        (query,) = fake.queries
        assert int(query["to"]) - int(query["from"]) == 999 * 3600
        assert int(query["from"]) % 3600 == 0


async def test_a_page_covers_its_points_and_the_next_goes_on(fake: FakeGate, venue: Venue) -> None:
    span = Span(START - 10, START + 1500 * HOUR)
    page = await venue.klines.klines(BTC, span)
    assert len(page.bars) == 1000
    assert page.covered == Span(START - 10, START + 1000 * HOUR)
    rest = await venue.klines.klines(BTC, Span(START + 1000 * HOUR, span.end_ms))
    assert len(rest.bars) == 500
    assert rest.covered == Span(START + 1000 * HOUR, span.end_ms)


async def test_a_hole_inside_a_page_is_the_venues_own(fake: FakeGate, venue: Venue) -> None:
    fake.holes = {START + hour * HOUR for hour in range(10, 30)}
    span = Span(START, START + 100 * HOUR)
    page = await venue.klines.klines(BTC, span)
    assert len(page.bars) == 80
    assert page.covered == span


async def test_bars_missing_at_the_end_of_a_page_are_asked_for_alone(fake: FakeGate, venue: Venue) -> None:
    fake.holes = {START + hour * HOUR for hour in range(40, 100)}
    span = Span(START, START + 100 * HOUR)
    page = await venue.klines.klines(BTC, span)
    # It might be a page cut short.
    assert page.covered == Span(START, START + 40 * HOUR)
    rest = await venue.klines.klines(BTC, Span(START + 40 * HOUR, span.end_ms))
    assert rest.covered == Span(START + 40 * HOUR, span.end_ms)
    assert rest.bars.num_rows == 0


async def test_an_empty_page_covers_its_points_only(fake: FakeGate, venue: Venue) -> None:
    fake.holes = {START + hour * HOUR for hour in range(1500)}
    span = Span(START, START + 1600 * HOUR)
    page = await venue.klines.klines(BTC, span)
    assert (page.covered, page.bars.num_rows) == (Span(START, START + 1000 * HOUR), 0)


async def test_nothing_is_asked_of_a_span_that_has_not_closed(fake: FakeGate, venue: Venue) -> None:
    page = await venue.klines.klines(BTC, Span(CLOSED - 5 * HOUR, CLOSED + 50 * HOUR))
    assert len(page.bars) == 5
    assert page.covered == Span(CLOSED - 5 * HOUR, CLOSED)
    nothing = await venue.klines.klines(BTC, Span(CLOSED, CLOSED + 50 * HOUR))
    assert nothing.covered is None
    narrow = Span(START + 1, START + HOUR)
    assert (await venue.klines.klines(BTC, narrow)).covered == narrow
    assert len(fake.queries) == 1


async def test_our_own_clock_plays_no_part(fake: FakeGate, venue: Venue) -> None:
    # The venue's clock stands in 2023, years before ours.
    assert await venue.server_time_ms() == NOW
    page = await venue.klines.klines(BTC, Span(CLOSED - 5 * HOUR, NOW + 10 * 365 * 24 * HOUR))
    assert page.covered is not None
    assert page.covered.end_ms == CLOSED


async def test_the_budgets_windows_turn_by_the_venues_clock(venue: Venue) -> None:
    await venue.server_time_ms()
    for budget in venue._budgets.values():  # type: ignore[attr-defined]  # only a refusal would show it
        budget.throttle(5.0)
    for limits in venue.limits():
        assert limits.closed_until_ms is not None
        assert NOW + 4_000 < limits.closed_until_ms < NOW + 65_000


async def test_an_open_bar_that_is_sent_all_the_same_is_refused(fake: FakeGate, venue: Venue) -> None:
    rows = fake.candlesticks({"from": str(CLOSED // 1000 - 3600), "to": str(CLOSED // 1000)})
    fake.broken[CANDLESTICKS] = web.json_response(rows)  # as if it ignored the end
    with pytest.raises(VenueProtocolError, match="not asked for"):
        await venue.klines.klines(BTC, Span(CLOSED - HOUR, CLOSED + 5 * HOUR))


async def test_a_bar_still_marked_as_open_ends_the_page(fake: FakeGate, venue: Venue) -> None:
    fake.now_ms = CLOSED + 5_000  # the clock says it has closed, five seconds ago
    fake.flags = {CLOSED - HOUR: "false"}
    page = await venue.klines.klines(BTC, Span(CLOSED - 3 * HOUR, CLOSED + HOUR))
    assert page.covered == Span(CLOSED - 3 * HOUR, CLOSED - HOUR)
    assert open_times_ms(page.bars).to_pylist() == [CLOSED - 3 * HOUR, CLOSED - 2 * HOUR]
    again = await venue.klines.klines(BTC, Span(CLOSED - HOUR, CLOSED + HOUR))
    assert (again.covered, again.bars.num_rows) == (None, 0)


async def test_a_bar_marked_as_open_long_after_its_close_is_refused(fake: FakeGate, venue: Venue) -> None:
    fake.flags = {START + 2 * HOUR: "false"}
    with pytest.raises(VenueProtocolError, match="still marked as open"):
        await venue.klines.klines(BTC, Span(START, START + 5 * HOUR))


async def test_a_bar_that_just_closed_and_is_absent_is_not_covered(fake: FakeGate, venue: Venue) -> None:
    fake.now_ms = CLOSED + 5_000
    fake.holes = {CLOSED - HOUR}
    page = await venue.klines.klines(BTC, Span(CLOSED - HOUR, CLOSED + HOUR))
    assert (page.covered, page.bars.num_rows) == (None, 0)
    sliver = await venue.klines.klines(BTC, Span(CLOSED - HOUR - 1, CLOSED + HOUR))
    assert sliver.covered == Span(CLOSED - HOUR - 1, CLOSED - HOUR)


@pytest.mark.parametrize("interval", list(Interval))
async def test_the_10000_point_wall_is_refused_up_front(
    fake: FakeGate, venue: Venue, interval: Interval
) -> None:
    series = Series(BTC.symbol, interval)
    fake.broken[CANDLESTICKS] = web.Response(text="[]")
    wall_ms = interval.floor(NOW) - 9980 * interval.width_ms
    with pytest.raises(
        VenueRefusedError, match=f"last 10000 bars; {interval} bars can be had from"
    ) as caught:
        await venue.klines.klines(series, Span(wall_ms - interval.width_ms, NOW))
    assert CANDLESTICKS not in fake.counts, "no request is spent"
    assert not caught.value.retryable
    # What the message names can be asked for, even 20 bars later.
    told = re.search(r"from (\S+) on", str(caught.value))
    assert told is not None
    first_ms = parse_time(told[1])
    assert format_time(first_ms) == format_time(wall_ms + 20 * interval.width_ms)
    fake.now_ms += 20 * interval.width_ms
    await venue.server_time_ms()
    page = await venue.klines.klines(series, Span(first_ms, NOW))
    assert page.covered == Span(first_ms, first_ms + 1000 * interval.width_ms)


async def test_what_is_within_the_wall_is_asked_for(fake: FakeGate, venue: Venue) -> None:
    wall_ms = CLOSED - 9980 * HOUR
    page = await venue.klines.klines(BTC, Span(wall_ms - HOUR + 1, wall_ms + 5 * HOUR))
    assert page.covered == Span(wall_ms - HOUR + 1, wall_ms + 5 * HOUR)
    # Too narrow to hold an open time, however old.
    narrow = Span(wall_ms - 500 * HOUR + 1, wall_ms - 499 * HOUR)
    assert (await venue.klines.klines(BTC, narrow)).covered == narrow


async def test_the_venues_own_wall_is_told_as_it_is(fake: FakeGate, venue: Venue) -> None:
    text = '{"label":"INVALID_PARAM_VALUE","message":"Candlestick too long ago. Maximum 10000 points ago"}'
    fake.broken[CANDLESTICKS] = web.Response(status=400, text=text)
    with pytest.raises(VenueRefusedError, match="too long ago"):
        await venue.klines.klines(BTC, Span(START, START + HOUR))
    assert fake.counts[CANDLESTICKS] == 1


async def test_an_unknown_pair_is_left_to_the_venue_to_judge(fake: FakeGate, venue: Venue) -> None:
    gone = Series.parse("OLD_USDT.GIO 1h")
    assert not await venue.klines.listed(gone.symbol)
    assert len((await venue.klines.klines(gone, Span(START, START + HOUR))).bars) == 1
    text = '{"label":"INVALID_CURRENCY_PAIR","message":"no such pair"}'
    fake.broken[CANDLESTICKS] = web.Response(status=400, text=text)
    with pytest.raises(SymbolNotListedError, match="INVALID_CURRENCY_PAIR"):
        await venue.klines.klines(gone, Span(START, START + HOUR))


async def test_dozens_of_first_calls_ask_for_the_time_once(fake: FakeGate, venue: Venue) -> None:
    spans = [Span(START + hour * HOUR, START + (hour + 1) * HOUR) for hour in range(40)]
    await asyncio.gather(*(venue.klines.klines(BTC, span) for span in spans))
    assert fake.counts == {"/spot/time": 1, CANDLESTICKS: 40}
    assert budget_of(venue, "spot/candlesticks").used == 40


async def test_what_others_spend_is_learned_from_the_headers(fake: FakeGate, venue: Venue) -> None:
    await venue.server_time_ms()
    fake.headers = {"X-Gate-RateLimit-Limit": "150", "X-Gate-RateLimit-Requests-Remain": "30"}
    await venue.klines.klines(BTC, Span(START, START + HOUR))
    candlesticks = budget_of(venue, "spot/candlesticks")
    assert (candlesticks.used, candlesticks.limit) == (120, 150)
    assert budget_of(venue, "spot/time").limit == 200


async def test_a_429_waits_until_the_reset_the_venue_names(fake: FakeGate, serve: Serve) -> None:
    venue = create_venue({"base_url": await serve(fake.handle), "patience_s": "5"})
    await venue.server_time_ms()
    fake.broken[CANDLESTICKS] = web.Response(status=429, text='{"label":"TOO_MANY_REQUESTS","message":"x"}')
    fake.headers = {
        "X-Gate-RateLimit-Limit": "200",
        "X-Gate-RateLimit-Requests-Remain": "0",
        "X-Gate-RateLimit-Reset-Timestamp": str(NOW // 1000 + 7),
        "X-Out-Time": str(NOW * 1000),
    }
    with pytest.raises(VenueThrottledError, match="TOO_MANY_REQUESTS") as caught:
        await venue.klines.klines(BTC, Span(START, START + HOUR))
    assert caught.value.retry_after_s == 7
    fake.broken.clear()
    with pytest.raises(VenueThrottledError, match="stay away"):  # nothing is sent meanwhile
        await venue.klines.klines(BTC, Span(START, START + HOUR))
    assert fake.counts[CANDLESTICKS] == 1
    assert await venue.klines.listed(BTC.symbol), "the other endpoints are counted apart"
    await venue.close()


async def test_a_listing_is_asked_again_only_after_an_hour(fake: FakeGate, venue: Venue) -> None:
    directory = venue.klines._directory  # type: ignore[attr-defined]  # its clock is moved
    skipped_s = 0.0
    real = directory._monotonic
    directory._monotonic = lambda: real() + skipped_s
    new = Symbol.parse("NEW_USDT.GIO")
    assert not await venue.klines.listed(new)
    fake.listed.append("NEW_USDT")
    skipped_s = 3500.0
    assert not await venue.klines.listed(new)
    skipped_s = 3601.0
    assert await venue.klines.listed(new)
    assert fake.counts["/spot/currency_pairs"] == 2


async def test_a_listing_that_cannot_be_had_is_an_error_and_is_asked_again(
    fake: FakeGate, venue: Venue
) -> None:
    fake.broken["/spot/currency_pairs"] = web.Response(status=503, text="later")
    with pytest.raises(VenueUnavailableError):
        await venue.klines.listed(BTC.symbol)
    fake.broken["/spot/currency_pairs"] = web.Response(status=200, text="[]")
    with pytest.raises(VenueProtocolError):
        await venue.klines.listed(BTC.symbol)
    del fake.broken["/spot/currency_pairs"]
    assert await venue.klines.listed(BTC.symbol)


@pytest.mark.parametrize("text", ["<html>maintenance</html>", '{"klines":[]}', "[[1,2,3]]"])
async def test_a_page_that_makes_no_sense_names_what_was_asked(
    fake: FakeGate, venue: Venue, text: str
) -> None:
    fake.broken[CANDLESTICKS] = web.Response(text=text)
    with pytest.raises(VenueProtocolError, match=r"GIO klines of BTC_USDT\.GIO 1h in \["):
        await venue.klines.klines(BTC, Span(START, START + HOUR))


async def test_closing_ends_the_calls_under_way(fake: FakeGate, venue: Venue) -> None:
    fake.answers.clear()
    ask = asyncio.create_task(venue.klines.klines(BTC, Span(START, START + HOUR)))
    await fake.asked.wait()
    await venue.close()
    with pytest.raises(VenueError):
        await ask
    with pytest.raises(VenueUnavailableError, match="closed"):
        await venue.server_time_ms()
