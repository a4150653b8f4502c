"""The client's own decisions, against a scripted venue."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from markethub.domain.errors import (
    SymbolNotListedError,
    VenueError,
    VenueProtocolError,
    VenueUnavailableError,
)
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.ports.venue import Venue
from markethub.venues.binance import create_venue
from tests.budgets import budget_of

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

HOUR = 3_600_000
NOW = 1_700_000_000_000 // HOUR * HOUR + HOUR // 2 + 20_000  # far from the turn of a minute
START = NOW // HOUR * HOUR - 3000 * HOUR
BTC = Series.parse("BTC_USDT.BNC 1h")


class FakeBinance:
    """Lists BTCUSDT and 币安人生USDT; has a bar at every hour up to now that is not in ``holes``."""

    def __init__(self) -> None:
        self.holes: set[int] = set()
        self.now_ms = NOW
        self.queries: list[dict[str, str]] = []
        self.counts: dict[str, int] = {}
        self.listed = ["BTC", "币安人生"]
        self.weight_limit = 6000
        self.broken: dict[str, web.Response] = {}
        self.used_weight = 500  # somebody else's
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.counts[request.path] = self.counts.get(request.path, 0) + 1
        self.asked.set()
        await self.answers.wait()
        if request.path in self.broken:
            spoiled = self.broken[request.path]
            return web.Response(status=spoiled.status, body=spoiled.body)
        answers: dict[str, Callable[[dict[str, str]], Any]] = {
            "/api/v3/time": lambda _: {"serverTime": self.now_ms},
            "/api/v3/exchangeInfo": lambda _: self.info(),
            "/api/v3/klines": self.klines,
        }
        self.used_weight += {"/api/v3/time": 1, "/api/v3/exchangeInfo": 20, "/api/v3/klines": 2}[request.path]
        body = orjson.dumps(answers[request.path](dict(request.query)))
        return web.Response(body=body, headers={"X-MBX-USED-WEIGHT-1M": str(self.used_weight)})

    def info(self) -> dict[str, Any]:
        rule = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
        return {
            "rateLimits": [rule | {"limit": self.weight_limit}],
            "symbols": [
                {"symbol": base + "USDT", "baseAsset": base, "quoteAsset": "USDT"} for base in self.listed
            ],
        }

    def klines(self, query: dict[str, str]) -> list[list[Any]]:
        self.queries.append(query)
        first, last = int(query["startTime"]), min(int(query["endTime"]), self.now_ms)
        opens = (time_ms for time_ms in range(-(-first // HOUR) * HOUR, last + 1, HOUR))
        kept = [time_ms for time_ms in opens if time_ms not in self.holes][: int(query["limit"])]
        return [[t, "2", "3", "1", "2", "5", t + HOUR - 1, "10", 4, "2", "4", "0"] for t in kept]


@pytest.fixture
def fake() -> FakeBinance:
    return FakeBinance()


@pytest.fixture
async def venue(fake: FakeBinance, serve: Serve) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": await serve(fake.handle), "quick_retries": "0"})
    yield venue
    await venue.close()


async def test_what_is_asked(fake: FakeBinance, venue: Venue) -> None:
    await venue.klines.klines(BTC, Span(START + 1, START + 5 * HOUR))
    assert fake.queries == [
        {
            "symbol": "BTCUSDT",
            "interval": "1h",
            "startTime": str(START + HOUR),
            "endTime": str(START + 5 * HOUR - 1),
            "limit": "1000",
        }
    ]
    await venue.klines.klines(Series.parse("币安人生_USDT.BNC 1h"), Span(START, START + HOUR))
    assert fake.queries[1]["symbol"] == "币安人生USDT"


async def test_a_full_page_covers_up_to_its_last_bar(fake: FakeBinance, venue: Venue) -> None:
    fake.holes = {START + hour * HOUR for hour in range(999, 1500)}
    span = Span(START - 10, START + 2000 * HOUR)
    page = await venue.klines.klines(BTC, span)
    assert len(page.bars) == 1000
    # The page jumped over the hole: its last bar opens 1500 hours after the start.
    assert page.covered == Span(START - 10, START + 1501 * HOUR)
    rest = await venue.klines.klines(BTC, Span(START + 1501 * HOUR, span.end_ms))
    assert len(rest.bars) == 499
    assert rest.covered == Span(START + 1501 * HOUR, span.end_ms)


async def test_a_full_page_that_ends_the_span(fake: FakeBinance, venue: Venue) -> None:
    span = Span(START, START + 1000 * HOUR)
    page = await venue.klines.klines(BTC, span)
    assert page.covered == span


async def test_a_short_page_covers_everything_that_is_closed(fake: FakeBinance, venue: Venue) -> None:
    closed_ms = NOW // HOUR * HOUR
    span = Span(closed_ms - 5 * HOUR, closed_ms + 50 * HOUR)
    page = await venue.klines.klines(BTC, span)
    assert len(page.bars) == 5
    assert page.covered == Span(span.start_ms, closed_ms)
    nothing = await venue.klines.klines(BTC, Span(closed_ms, span.end_ms))
    assert nothing.covered is None
    assert len(fake.queries) == 1


async def test_our_own_clock_plays_no_part(fake: FakeBinance, venue: Venue) -> None:
    # The venue's clock stands in 2023, years before ours.
    assert await venue.server_time_ms() == NOW
    page = await venue.klines.klines(BTC, Span(START, NOW + 10 * 365 * 24 * HOUR))
    assert page.covered is not None
    assert page.covered.end_ms <= NOW


async def test_an_open_bar_that_is_sent_all_the_same_is_refused(fake: FakeBinance, venue: Venue) -> None:
    closed_ms = NOW // HOUR * HOUR
    query = {"startTime": str(closed_ms - HOUR), "endTime": str(closed_ms), "limit": "2"}
    fake.broken["/api/v3/klines"] = web.json_response(fake.klines(query))  # as if it ignored the end
    with pytest.raises(VenueProtocolError, match="not asked for"):
        await venue.klines.klines(BTC, Span(closed_ms - HOUR, closed_ms + 5 * HOUR))


async def test_dozens_of_first_calls_ask_for_listing_and_time_once(fake: FakeBinance, venue: Venue) -> None:
    spans = [Span(START + hour * HOUR, START + (hour + 1) * HOUR) for hour in range(40)]
    await asyncio.gather(*(venue.klines.klines(BTC, span) for span in spans))
    assert fake.counts == {"/api/v3/exchangeInfo": 1, "/api/v3/time": 1, "/api/v3/klines": 40}
    assert budget_of(venue, "request weight").used == 500 + 20 + 1 + 80


async def test_the_limit_is_the_one_the_venue_tells(fake: FakeBinance, venue: Venue) -> None:
    fake.weight_limit = 1200
    assert budget_of(venue, "request weight").limit == 6000
    assert await venue.klines.listed(BTC.symbol)
    assert budget_of(venue, "request weight").limit == 1200


async def test_a_pair_that_spells_like_another_is_not_listed(fake: FakeBinance, venue: Venue) -> None:
    impostor = Series.parse("BTCU_SDT.BNC 1h")
    assert not await venue.klines.listed(impostor.symbol)
    with pytest.raises(SymbolNotListedError, match=r"its BTCUSDT is BTC_USDT\.BNC"):
        await venue.klines.klines(impostor, Span(START, START + HOUR))
    assert venue.kline_archive is not None
    file = venue.kline_archive.files(impostor, Span(START, START + HOUR), NOW * 2)[0]
    with pytest.raises(SymbolNotListedError):
        await venue.kline_archive.fetch(file)
    assert not fake.queries


async def test_a_delisted_pair_is_left_to_the_venue_to_judge(fake: FakeBinance, venue: Venue) -> None:
    gone = Symbol.parse("OLD_USDT.BNC")
    assert not await venue.klines.listed(gone)
    page = await venue.klines.klines(Series(gone, BTC.interval), Span(START, START + HOUR))
    assert len(page.bars) == 1


async def test_a_listing_is_asked_again_only_after_an_hour(fake: FakeBinance, venue: Venue) -> None:
    directory = venue.klines._directory  # type: ignore[attr-defined]  # its clock is moved
    skipped_s = 0.0
    real = directory._monotonic
    directory._monotonic = lambda: real() + skipped_s
    new = Symbol.parse("NEW_USDT.BNC")
    assert not await venue.klines.listed(new)
    fake.listed.append("NEW")
    skipped_s = 3500.0
    assert not await venue.klines.listed(new)
    skipped_s = 3601.0
    assert await venue.klines.listed(new)
    assert fake.counts["/api/v3/exchangeInfo"] == 2


async def test_a_listing_that_cannot_be_had_is_an_error_and_is_asked_again(
    fake: FakeBinance, venue: Venue
) -> None:
    fake.broken["/api/v3/exchangeInfo"] = web.Response(status=503, text="later")
    with pytest.raises(VenueUnavailableError):
        await venue.klines.listed(BTC.symbol)
    fake.broken["/api/v3/exchangeInfo"] = web.Response(status=200, text='{"symbols":[]}')
    with pytest.raises(VenueProtocolError):
        await venue.klines.listed(BTC.symbol)
    del fake.broken["/api/v3/exchangeInfo"]
    assert await venue.klines.listed(BTC.symbol)


@pytest.mark.parametrize("text", ["<html>maintenance</html>", '{"klines":[]}', "[[1,2,3]]"])
async def test_a_page_that_makes_no_sense_names_what_was_asked(
    fake: FakeBinance, venue: Venue, text: str
) -> None:
    fake.broken["/api/v3/klines"] = web.Response(text=text)
    with pytest.raises(VenueProtocolError, match=r"BNC klines of BTC_USDT\.BNC 1h in \["):
        await venue.klines.klines(BTC, Span(START, START + HOUR))


async def test_a_question_cancelled_while_the_listing_is_under_way(fake: FakeBinance, venue: Venue) -> None:
    fake.answers.clear()
    ask = asyncio.create_task(venue.klines.klines(BTC, Span(START, START + HOUR)))
    other = asyncio.create_task(venue.klines.klines(BTC, Span(START, START + HOUR)))
    await fake.asked.wait()
    ask.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ask
    fake.answers.set()
    assert len((await other).bars) == 1


async def test_closing_ends_the_calls_under_way(fake: FakeBinance, venue: Venue) -> None:
    fake.answers.clear()
    ask = asyncio.create_task(venue.klines.klines(BTC, Span(START, START + HOUR)))
    await fake.asked.wait()
    await venue.close()
    with pytest.raises(VenueError):
        await ask
    with pytest.raises(VenueUnavailableError, match="closed"):
        await venue.server_time_ms()
