"""The client's own decisions, against a scripted venue."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
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
from markethub.ports.venue import Venue
from markethub.tables.klines import open_times_ms
from markethub.testing.source_contract import join_pages, read_pages
from markethub.venues.okx import create_venue
from tests.budgets import budget_of

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

MINUTE, HOUR = 60_000, 3_600_000
NOW = 1_700_000_000_000 // HOUR * HOUR + HOUR // 2 + 300
CLOSED = NOW // HOUR * HOUR
START = CLOSED - 5000 * HOUR
BTC = Series.parse("BTC_USDT.OKX 1h")

TIME = "/api/v5/public/time"
INSTRUMENTS = "/api/v5/public/instruments"
CANDLES = "/api/v5/market/candles"
HISTORY = "/api/v5/market/history-candles"


class FakeOkx:
    """Lists BTC-USDT; has an hourly bar from ``first_ms`` up to now that is not in ``holes``.

    Answers at most ``page_rows`` rows of what lies between two cursors, those at the newer end or, with
    ``keeps_oldest``, at the older end: the documentation does not tell for candles. The newest
    ``stale_bars`` are not in the caches yet.
    """

    def __init__(self) -> None:
        self.first_ms = START - 1000 * HOUR
        self.width_ms = HOUR
        self.now_ms = NOW
        self.holes: set[int] = set()
        self.unconfirmed: set[int] = set()
        self.page_rows = 300
        self.keeps_oldest = False
        self.stale_bars = 0
        self.listed = ["BTC-USDT"]
        self.paths: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.scripted: dict[str, list[web.Response]] = {}
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    @property
    def candle_paths(self) -> list[str]:
        return [path for path in self.paths if path in (CANDLES, HISTORY)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        self.asked.set()
        await self.answers.wait()
        if self.scripted.get(request.path):
            return self.scripted[request.path].pop(0)
        if request.path == TIME:
            return envelope([{"ts": str(self.now_ms)}])
        if request.path == INSTRUMENTS:
            return envelope([self.instrument(name) for name in self.listed])
        self.queries.append(dict(request.query))
        return envelope(self.rows(request.path, dict(request.query)))

    @staticmethod
    def instrument(name: str) -> dict[str, str]:
        base, _, quote = name.partition("-")
        return {"instType": "SPOT", "instId": name, "baseCcy": base, "quoteCcy": quote}

    def rows(self, path: str, query: dict[str, str]) -> list[list[str]]:
        width_ms = self.width_ms
        newest = self.now_ms // width_ms * width_ms - self.stale_bars * width_ms
        oldest = self.first_ms
        if path == CANDLES:
            oldest = max(oldest, newest - 1439 * width_ms)
        else:
            newest -= width_ms
        newest = min(newest, -(-int(query["after"]) // width_ms) * width_ms - width_ms)
        oldest = max(oldest, int(query.get("before", "-1")) // width_ms * width_ms + width_ms)
        times = [time for time in range(newest, oldest - 1, -width_ms) if time not in self.holes]
        count = min(self.page_rows, int(query["limit"]))
        keeps_oldest = self.keeps_oldest and "before" in query
        times = times[-count:] if keeps_oldest else times[:count]
        return [self.row(time) for time in times]

    def row(self, time_ms: int) -> list[str]:
        is_open = time_ms + self.width_ms > self.now_ms or time_ms in self.unconfirmed
        return [str(time_ms), "2", "3", "1", "2", "5", "10", "10", "0" if is_open else "1"]


def envelope(data: Any, code: str = "0", msg: str = "", status: int = 200) -> web.Response:  # noqa: ANN401
    body = orjson.dumps({"code": code, "msg": msg, "data": data})
    return web.Response(body=body, status=status, content_type="application/json")


def refusal(code: str, status: int = 200) -> web.Response:
    return envelope([], code, "no", status)


@pytest.fixture
def fake() -> FakeOkx:
    return FakeOkx()


@pytest.fixture
async def venue(fake: FakeOkx, serve: Serve) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": await serve(fake.handle), "quick_retries": "0"})
    yield venue
    await venue.close()


async def read(venue: Venue, span: Span, series: Series = BTC) -> list[int]:
    """Open times of all pages of ``span``, which they must tile."""
    pages = await read_pages(venue.klines, series, span)
    cursor_ms = span.start_ms
    for page in pages:
        assert page.covered is not None
        assert page.covered.start_ms == cursor_ms
        cursor_ms = page.covered.end_ms
    assert cursor_ms == span.end_ms
    times: list[int] = open_times_ms(join_pages(pages)).to_pylist()
    return times


def hours(span: Span, without: Iterable[int] = ()) -> list[int]:
    gone = set(without)
    return [time for time in range(span.start_ms, span.end_ms, HOUR) if time not in gone]


async def test_what_is_asked(fake: FakeOkx, venue: Venue) -> None:
    page = await venue.klines.klines(BTC, Span(START + 1, START + 5 * HOUR))
    assert page.covered == Span(START + 1, START + 5 * HOUR)
    assert fake.queries == [
        {
            "instId": "BTC-USDT",
            "bar": "1H",
            "before": str(START + HOUR - 1),
            "after": str(START + 5 * HOUR),
            "limit": "300",
        }
    ]
    assert fake.candle_paths == [HISTORY]


async def test_a_full_page_is_one_question(fake: FakeOkx, venue: Venue) -> None:
    page = await venue.klines.klines(BTC, Span(START - 10, START + 2000 * HOUR))
    assert page.bars.num_rows == 300
    assert page.covered == Span(START - 10, START + 300 * HOUR)
    assert fake.queries[0]["after"] == str(START + 300 * HOUR)
    assert len(fake.queries) == 1


async def test_both_cursors_are_exclusive_and_no_bar_is_lost_at_a_page_edge(
    fake: FakeOkx, venue: Venue
) -> None:
    span = Span(START, START + 901 * HOUR)
    assert await read(venue, span) == hours(span)
    assert len(fake.queries) == 4


@pytest.mark.parametrize("interval", list(Interval))
async def test_bars_as_the_venue_names_them(fake: FakeOkx, venue: Venue, interval: Interval) -> None:
    names = ["1m", "5m", "15m", "30m", "1H", "4H", "1Dutc"]
    fake.width_ms = interval.width_ms
    start_ms = interval.floor(START)
    await venue.klines.klines(Series(BTC.symbol, interval), Span(start_ms, start_ms + interval.width_ms))
    assert fake.queries[0]["bar"] == names[list(Interval).index(interval)]


@pytest.mark.parametrize("keeps_oldest", [False, True])
@pytest.mark.parametrize("page_rows", [300, 100])
@pytest.mark.parametrize(
    "holes",
    [
        range(0),
        range(1),
        range(50),
        range(299, 301),
        range(250, 300),
        range(300, 1000),
        range(95, 130),
        range(1100, 1200),
        range(1200),
    ],
)
async def test_paging_over_holes_whatever_the_server_cuts_off(
    fake: FakeOkx,
    venue: Venue,
    keeps_oldest: bool,
    page_rows: int,
    holes: range,
) -> None:
    # "Count rows": servers that stop at 100 exist, and which end of a window they keep is not documented.
    fake.page_rows, fake.keeps_oldest = page_rows, keeps_oldest
    fake.holes = {START + hour * HOUR for hour in holes}
    venue.klines._doors.history._budget.set_limit(None)  # type: ignore[attr-defined]  # no wait here
    span = Span(START, START + 1200 * HOUR)
    assert await read(venue, span) == hours(span, fake.holes)


async def test_years_before_the_first_bar_cost_a_handful_of_questions(fake: FakeOkx, venue: Venue) -> None:
    fake.first_ms = START
    span = Span(START - 40_000 * HOUR, START + 10 * HOUR)
    page = await venue.klines.klines(BTC, span)
    assert open_times_ms(page.bars)[0].as_py() == START
    assert page.covered is not None
    assert page.covered.start_ms == span.start_ms
    assert len(fake.queries) < 15
    fake.queries.clear()
    before = Span(START - 40_000 * HOUR, START)
    assert (await venue.klines.klines(BTC, before)).covered == before
    assert len(fake.queries) == 2


async def test_after_the_last_bar_of_a_pair_there_is_surely_nothing(fake: FakeOkx, venue: Venue) -> None:
    gone_ms = START + 20 * HOUR
    fake.holes = set(range(gone_ms, CLOSED + HOUR, HOUR))
    span = Span(START, START + 4000 * HOUR)
    assert await read(venue, span) == hours(Span(START, gone_ms))
    assert len(fake.queries) == 3


async def test_the_recent_endpoint_is_asked_as_far_as_it_reaches(fake: FakeOkx, venue: Venue) -> None:
    for age, path in [(300, CANDLES), (1400, CANDLES), (1439, HISTORY), (1700, HISTORY)]:
        fake.paths.clear()
        start_ms = CLOSED - age * HOUR
        page = await venue.klines.klines(BTC, Span(start_ms, CLOSED))
        assert page.bars.num_rows == 300
        assert fake.candle_paths == [path], age


async def test_what_the_recent_endpoint_lacks_is_asked_of_the_history(fake: FakeOkx, venue: Venue) -> None:
    # As if its oldest bars had fallen out of reach while the question waited.
    span = Span(CLOSED - 1400 * HOUR, CLOSED - 1100 * HOUR)
    for missing in (50, 300):
        fake.paths.clear()
        fake.scripted[CANDLES] = [envelope([fake.row(time) for time in reversed(hours(span)[missing:])])]
        page = await venue.klines.klines(BTC, span)
        assert page.covered == span
        assert open_times_ms(page.bars).to_pylist() == hours(span)
        assert set(fake.candle_paths[1:]) == {HISTORY}


async def test_the_open_bar_is_not_even_asked_for(fake: FakeOkx, venue: Venue) -> None:
    page = await venue.klines.klines(BTC, Span(CLOSED - 5 * HOUR, CLOSED + 50 * HOUR))
    assert page.bars.num_rows == 5
    assert page.covered == Span(CLOSED - 5 * HOUR, CLOSED)
    assert fake.queries[0]["after"] == str(CLOSED)
    nothing = await venue.klines.klines(BTC, Span(CLOSED, CLOSED + 50 * HOUR))
    assert nothing.covered is None
    assert len(fake.queries) == 1


async def test_an_open_bar_that_is_sent_all_the_same_is_refused(fake: FakeOkx, venue: Venue) -> None:
    fake.scripted[CANDLES] = [envelope([fake.row(CLOSED), fake.row(CLOSED - HOUR)])]
    with pytest.raises(VenueProtocolError, match="not asked for"):
        await venue.klines.klines(BTC, Span(CLOSED - HOUR, CLOSED + 5 * HOUR))


@pytest.fixture
def just_closed(fake: FakeOkx) -> int:
    """Put the venue's clock half a minute after the close of the bar that opened an hour before."""
    fake.now_ms = CLOSED + MINUTE // 2
    return CLOSED - HOUR


async def test_a_closed_bar_that_is_not_confirmed_yet_waits(
    fake: FakeOkx, venue: Venue, just_closed: int
) -> None:
    fake.unconfirmed = {just_closed}
    page = await venue.klines.klines(BTC, Span(just_closed - 3 * HOUR, CLOSED))
    assert open_times_ms(page.bars).to_pylist() == hours(Span(just_closed - 3 * HOUR, just_closed))
    assert page.covered == Span(just_closed - 3 * HOUR, just_closed)
    alone = await venue.klines.klines(BTC, Span(just_closed, CLOSED))
    assert (alone.covered, alone.bars.num_rows) == (None, 0)
    fake.unconfirmed = set()
    assert (await venue.klines.klines(BTC, Span(just_closed, CLOSED))).bars.num_rows == 1


async def test_a_bar_that_is_never_confirmed_is_an_error(fake: FakeOkx, venue: Venue) -> None:
    fake.unconfirmed = {CLOSED - 3 * HOUR}
    with pytest.raises(VenueProtocolError, match="still not confirmed 9000 s after its close"):
        await venue.klines.klines(BTC, Span(CLOSED - 5 * HOUR, CLOSED))


async def test_a_cache_that_is_behind_makes_no_hole(fake: FakeOkx, venue: Venue, just_closed: int) -> None:
    # "Several caches": the answer may be older than the clock.
    fake.stale_bars = 2
    span = Span(just_closed - 3 * HOUR, CLOSED)
    pages = await read_pages(venue.klines, BTC, span)
    assert open_times_ms(join_pages(pages)).to_pylist() == hours(span)[:3]
    assert pages[0].covered == Span(span.start_ms, just_closed)
    assert pages[-1].covered is None
    fake.stale_bars = 0
    assert await read(venue, Span(just_closed, CLOSED)) == [just_closed]


async def test_a_recent_bar_that_stays_away_is_a_hole(fake: FakeOkx, venue: Venue, just_closed: int) -> None:
    fake.holes = {just_closed}
    span = Span(just_closed - HOUR, CLOSED)
    assert (await read_pages(venue.klines, BTC, span))[-1].covered is None
    fake.now_ms = CLOSED + 2 * MINUTE
    await venue.server_time_ms()
    assert await read(venue, span) == [just_closed - HOUR]


async def test_answers_that_contradict_each_other_are_an_error(fake: FakeOkx, venue: Venue) -> None:
    span = Span(START, START + 600 * HOUR)
    fake.scripted[HISTORY] = [envelope([]), envelope([fake.row(START)]), envelope([])]
    with pytest.raises(VenueProtocolError, match="the history has shown one there"):
        await venue.klines.klines(BTC, span)


async def test_our_own_clock_plays_no_part(fake: FakeOkx, venue: Venue) -> None:
    # The venue's clock stands in 2023, years before ours.
    assert await venue.server_time_ms() == NOW
    page = await venue.klines.klines(BTC, Span(CLOSED - HOUR, NOW + 10 * 365 * 24 * HOUR))
    assert page.covered is not None
    assert page.covered.end_ms <= NOW


async def test_nothing_is_asked_of_the_years_before_1970(fake: FakeOkx, venue: Venue) -> None:
    fake.first_ms = HOUR
    span = Span(-5 * HOUR, 3 * HOUR)
    page = await venue.klines.klines(BTC, span)
    assert (page.covered, page.bars.num_rows) == (span, 2)
    long_ago = Span(-9 * HOUR, -HOUR)
    assert (await venue.klines.klines(BTC, long_ago)).covered == long_ago
    assert all(int(value) >= 0 for query in fake.queries for key, value in query.items() if key == "before")
    assert len(fake.queries) == 1


async def test_the_rate_limit_in_a_200_waits_and_asks_again(fake: FakeOkx, venue: Venue) -> None:
    for status in (200, 429):
        budget = venue.klines._doors.history._budget  # type: ignore[attr-defined]  # its pause is cut short
        fake.scripted[HISTORY] = [refusal("50011", status)]
        fake.asked.clear()
        ask = asyncio.create_task(venue.klines.klines(BTC, Span(START, START + HOUR)))
        while budget.state().closed_until_ms is None:  # noqa: ASYNC110 - the gate closes without telling
            await asyncio.sleep(0)
        assert not ask.done()
        budget._pause.until_s = 0.0
        budget._changed.set()
        assert (await ask).bars.num_rows == 1
    assert fake.candle_paths == [HISTORY] * 4


async def test_a_pause_closes_one_endpoint_and_leaves_the_others_open(fake: FakeOkx, serve: Serve) -> None:
    venue = create_venue({"base_url": await serve(fake.handle), "patience_s": "0"})
    fake.scripted[HISTORY] = [refusal("50011", 429)]
    with pytest.raises(VenueThrottledError) as caught:
        await venue.klines.klines(BTC, Span(START, START + HOUR))
    assert caught.value.retry_after_s == 2.0
    with pytest.raises(VenueThrottledError):
        await venue.klines.klines(BTC, Span(START, START + HOUR))
    assert fake.candle_paths == [HISTORY]
    assert (await venue.klines.klines(BTC, Span(CLOSED - HOUR, CLOSED))).bars.num_rows == 1
    assert await venue.klines.listed(BTC.symbol)
    await venue.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal("51001"), SymbolNotListedError),
        (refusal("51001", 400), SymbolNotListedError),
        (refusal("51000", 400), VenueRefusedError),
        (refusal("50007"), VenueRefusedError),
        (refusal("50001", 503), VenueUnavailableError),
        (refusal("50026", 500), VenueUnavailableError),
        (refusal("50004", 400), VenueUnavailableError),
        (web.Response(status=502, text="<html>bad gateway</html>"), VenueUnavailableError),
        (web.Response(text="<html>maintenance</html>"), VenueProtocolError),
        (envelope({}), VenueProtocolError),
        (web.json_response([1, 2]), VenueProtocolError),
    ],
)
async def test_refusals_are_told_apart(
    fake: FakeOkx, venue: Venue, answer: web.Response, error: type[VenueError]
) -> None:
    fake.scripted[HISTORY] = [answer]
    with pytest.raises(VenueError, match=r"^OKX candles of BTC_USDT\.OKX 1h in \[") as caught:
        await venue.klines.klines(BTC, Span(START, START + HOUR))
    assert type(caught.value) is error


@pytest.mark.parametrize("code", ["50013", "50040"])
async def test_a_busy_venue_is_left_alone(fake: FakeOkx, serve: Serve, code: str) -> None:
    venue = create_venue({"base_url": await serve(fake.handle), "patience_s": "0"})
    fake.scripted[HISTORY] = [refusal(code)]
    with pytest.raises(VenueThrottledError, match=code):
        await venue.klines.klines(BTC, Span(START, START + HOUR))
    await venue.close()


async def test_a_symbol_of_another_venue_is_not_asked_for(fake: FakeOkx, venue: Venue) -> None:
    stranger = Series.parse("BTC_USDT.BNC 1h")
    with pytest.raises(SymbolNotListedError, match=r"BTC_USDT\.BNC is not a symbol of OKX"):
        await venue.klines.klines(stranger, Span(START, START + HOUR))
    assert not await venue.klines.listed(stranger.symbol)
    assert not fake.paths


async def test_dozens_of_first_calls_ask_for_the_time_once(fake: FakeOkx, venue: Venue) -> None:
    spans = [Span(START + hour * HOUR, START + (hour + 1) * HOUR) for hour in range(15)]
    await asyncio.gather(*(venue.klines.klines(BTC, span) for span in spans))
    assert sorted(fake.paths) == [HISTORY] * 15 + [TIME]
    await asyncio.gather(*(venue.klines.listed(BTC.symbol) for _ in range(15)))
    assert fake.paths.count(INSTRUMENTS) == 1
    candles = budget_of(venue, "market/candles")
    assert (candles.limit, candles.window_s, candles.waiting, candles.closed_until_ms) == (40, 2.0, 0, None)
    assert budget_of(venue, "market/history-candles").limit == 20


async def test_a_listing_is_asked_again_only_after_an_hour(fake: FakeOkx, venue: Venue) -> None:
    directory = venue.klines._directory  # type: ignore[attr-defined]  # its clock is moved
    skipped_s = 0.0
    real = directory._monotonic
    directory._monotonic = lambda: real() + skipped_s
    new = Symbol.parse("NEW_USDT.OKX")
    assert not await venue.klines.listed(new)
    fake.listed.append("NEW-USDT")
    skipped_s = 3500.0
    assert not await venue.klines.listed(new)
    skipped_s = 3601.0
    assert await venue.klines.listed(new)
    assert fake.paths == [INSTRUMENTS, INSTRUMENTS]


async def test_a_listing_that_cannot_be_had_is_an_error_and_is_asked_again(
    fake: FakeOkx, venue: Venue
) -> None:
    fake.scripted[INSTRUMENTS] = [web.Response(status=503, text="later"), envelope([])]
    with pytest.raises(VenueUnavailableError):
        await venue.klines.listed(BTC.symbol)
    with pytest.raises(VenueProtocolError):
        await venue.klines.listed(BTC.symbol)
    assert await venue.klines.listed(BTC.symbol)


async def test_closing_ends_the_calls_under_way(fake: FakeOkx, venue: Venue) -> None:
    fake.answers.clear()
    ask = asyncio.create_task(venue.klines.klines(BTC, Span(START, START + HOUR)))
    await fake.asked.wait()
    await venue.close()
    with pytest.raises(VenueError):
        await ask
    with pytest.raises(VenueUnavailableError, match="closed"):
        await venue.server_time_ms()
