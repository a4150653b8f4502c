"""Gate's listing, tickers and books over HTTP: what is asked, and that answers fit the sandbox's bars."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pyarrow.compute as pc
import pytest
from aiohttp import web

from markethub.domain.errors import InputError, SymbolNotListedError, VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import from_ms, parse_time
from markethub.ports.venue import MarketSource, Venue
from markethub.sandbox.server import RunningSandbox, running_sandbox
from markethub.sandbox.settings import SandboxSettings, clock_starting_at
from markethub.tables.tickers import TICKERS
from markethub.testing.source_contract import join_pages, read_pages
from markethub.venues.gate import create_venue

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

NOW = parse_time("2025-06-17T15:20:30")
BTC = Symbol.parse("BTC_USDT.GIO")
ETH = Symbol.parse("ETH_USDT.GIO")
HALTED = Symbol.parse("WAVES_USDT.GIO")
STRANGER = Symbol.parse("NOSUCH_USDT.GIO")
DAY = 86_400_000
TICKERS_PATH, BOOK_PATH = "/api/v4/spot/tickers", "/api/v4/spot/order_book"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    settings = SandboxSettings(clock=clock_starting_at(NOW), gate_requests_per_10_s=None)
    async with running_sandbox(settings) as running:
        yield running


@pytest.fixture
async def venue(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": sandbox.url + "/api/v4", "request_timeout_s": "10"})
    yield venue
    await venue.close()


def market_of(venue: Venue) -> MarketSource:
    assert venue.market is not None
    return venue.market


async def test_the_listing(venue: Venue) -> None:
    table = await market_of(venue).listing()
    symbols = table["symbol"].to_pylist()
    assert symbols == sorted(symbols)
    assert len(symbols) == 49
    rows = {row["symbol"]: row for row in table.to_pylist()}
    assert (rows["BTC_USDT.GIO"]["status"], rows["BTC_USDT.GIO"]["venue_status"]) == ("trading", "tradable")
    assert (str(rows["BTC_USDT.GIO"]["tick_size"]), str(rows["BTC_USDT.GIO"]["lot_size"])) == (
        "0.010000000000000000",
        "0.000010000000000000",
    )
    gone = rows["WAVES_USDT.GIO"]
    assert (gone["status"], gone["venue_status"]) == ("delisting", "untradable")
    assert gone["delisted_time"] == datetime(2024, 6, 17, 3, tzinfo=UTC)


async def test_a_listing_makes_klines_know_of_it_at_once(serve: Serve) -> None:
    entries = [{"id": "BTC_USDT", "base": "BTC", "quote": "USDT"}]
    facts = {"precision": 1, "amount_precision": 1, "trade_status": "tradable"}

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/time"):
            return web.json_response({"server_time": NOW})
        return web.json_response([entry | facts for entry in entries])

    venue = create_venue({"base_url": await serve(answer)})
    assert not await venue.klines.listed(ETH)
    entries.append({"id": "ETH_USDT", "base": "ETH", "quote": "USDT"})
    assert not await venue.klines.listed(ETH), "the directory is asked once an hour"
    assert len(await market_of(venue).listing()) == 2
    assert await venue.klines.listed(ETH)
    await venue.close()


async def test_all_tickers_are_one_question(sandbox: RunningSandbox, venue: Venue) -> None:
    listing = await market_of(venue).listing()
    trading = listing.filter(pc.equal(listing["status"], "trading"))
    symbols = [Symbol.parse(text) for text in trading["symbol"].to_pylist()]
    table = await market_of(venue).tickers(symbols[::-1])
    assert table["symbol"].to_pylist() == trading["symbol"].to_pylist()[::-1]
    assert sandbox.stats.requests[TICKERS_PATH] == 1
    for row in table.to_pylist():
        assert row["low_24h"] <= row["last"] <= row["high_24h"]
        assert row["bid"] < row["ask"]
        assert row["low_24h"] * row["volume_24h"] <= row["quote_volume_24h"] * 1.000001
        assert row["open_24h"] is None


async def test_a_ticker_fits_the_bars_and_the_book(venue: Venue) -> None:
    (row,) = (await market_of(venue).tickers([BTC])).to_pylist()
    assert NOW <= row["time"].timestamp() * 1000 <= NOW + 60_000
    end_ms = Interval.M1.floor(NOW)
    pages = await read_pages(venue.klines, Series(BTC, Interval.M1), Span(end_ms - DAY, end_ms))
    bars = join_pages(pages).to_pylist()
    assert len(bars) == 1440
    # The minute that is not over may only widen them.
    assert row["high_24h"] >= max(bar["high"] for bar in bars[1:])
    assert row["low_24h"] <= min(bar["low"] for bar in bars[1:])
    assert row["volume_24h"] == pytest.approx(sum(bar["volume"] for bar in bars), rel=0.01)
    assert row["quote_volume_24h"] == pytest.approx(sum(bar["quote_volume"] for bar in bars), rel=0.01)
    assert row["last"] == pytest.approx(bars[-1]["close"], rel=0.02)
    assert row["bid"] <= row["last"] <= row["ask"]
    assert row["bid_size"] > 0 < row["ask_size"]


async def test_a_pair_that_trades_no_more_has_no_ticker_and_an_empty_book(venue: Venue) -> None:
    table = await market_of(venue).tickers([HALTED, BTC])
    assert table["symbol"].to_pylist() == ["BTC_USDT.GIO"]
    (row,) = (await market_of(venue).orderbook(HALTED, 10)).to_pylist()
    assert (row["bid_prices"], row["ask_prices"]) == ([], [])


async def test_unknown_symbols_are_named(sandbox: RunningSandbox, venue: Venue) -> None:
    with pytest.raises(SymbolNotListedError, match=r"GIO does not list NOSUCH_USDT\.GIO$"):
        await market_of(venue).tickers([BTC, STRANGER, HALTED])
    with pytest.raises(SymbolNotListedError, match=r"ticker of NOSUCH_USDT\.GIO: HTTP 400 INVALID_CURRENCY"):
        await market_of(venue).tickers([STRANGER])
    with pytest.raises(SymbolNotListedError, match=r"book of NOSUCH_USDT\.GIO: HTTP 400 INVALID_CURRENCY"):
        await market_of(venue).orderbook(STRANGER, 10)
    with pytest.raises(SymbolNotListedError, match="is not a symbol of GIO"):
        await market_of(venue).tickers([BTC, Symbol.parse("BTC_USDT.BNC")])
    assert sandbox.stats.requests[TICKERS_PATH] == 2


async def test_no_symbols_are_no_question(sandbox: RunningSandbox, venue: Venue) -> None:
    assert (await market_of(venue).tickers([])).equals(TICKERS.empty())
    assert not sandbox.stats.requests


@pytest.mark.parametrize("depth", [1, 10, 100, 1000])
async def test_a_book_is_as_deep_as_asked(venue: Venue, depth: int) -> None:
    (row,) = (await market_of(venue).orderbook(BTC, depth)).to_pylist()
    assert len(row["bid_prices"]) == len(row["ask_prices"]) == len(row["bid_sizes"]) == depth
    assert row["depth"] == depth
    assert from_ms(NOW) <= row["time"] <= from_ms(NOW + 60_000)
    assert row["sequence"] > 0


@pytest.mark.parametrize("depth", [0, -1, 1001])
async def test_a_depth_the_venue_does_not_have_is_refused_without_asking(
    sandbox: RunningSandbox, venue: Venue, depth: int
) -> None:
    with pytest.raises(InputError, match=f"depth {depth} is not between 1 and 1000"):
        await market_of(venue).orderbook(BTC, depth)
    assert not sandbox.stats.requests


async def test_limit_interval_and_id_are_always_sent(serve: Serve) -> None:
    queries: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/time"):
            return web.json_response({"server_time": NOW})
        queries.append(request.query_string)
        return web.json_response({"asks": [], "bids": []})

    venue = create_venue({"base_url": await serve(answer)})
    (row,) = (await market_of(venue).orderbook(BTC, 10)).to_pylist()
    assert queries == ["currency_pair=BTC_USDT&limit=10&interval=0&with_id=true"]
    assert from_ms(NOW) <= row["time"] < from_ms(NOW + 60_000), (
        "the venue's clock where the answer has no time"
    )
    await venue.close()


async def test_a_crossed_book_is_refused(serve: Serve) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/time"):
            return web.json_response({"server_time": NOW})
        return web.json_response({"asks": [["1", "1"]], "bids": [["2", "1"]]})

    venue = create_venue({"base_url": await serve(answer)})
    with pytest.raises(VenueProtocolError, match=r"book of BTC_USDT\.GIO: bid 2\.0 reaches ask 1\.0"):
        await market_of(venue).orderbook(BTC, 10)
    await venue.close()


async def test_each_endpoint_has_a_budget_of_its_own(venue: Venue) -> None:
    names = ("spot/time", "spot/currency_pairs", "spot/candlesticks", "spot/tickers", "spot/order_book")
    assert [limits.name for limits in venue.limits()] == [f"GIO {name}" for name in names]
    assert {limits.limit for limits in venue.limits()} == {200}


async def test_a_ticker_is_dated_when_its_question_leaves_not_when_it_stands_in_line(serve: Serve) -> None:
    asked = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        if request.path.endswith("/time"):
            return web.json_response({"server_time": NOW})
        asked += 1
        if asked == 1:  # the first is told to come back in a second
            headers = {
                "X-Gate-RateLimit-Reset-Timestamp": str(NOW // 1000 + 1),
                "X-Out-Time": str(NOW * 1000),
            }
            return web.json_response({"label": "TOO_MANY_REQUESTS"}, status=429, headers=headers)
        return web.json_response([{"currency_pair": "BTC_USDT", "last": "1"}])

    venue = create_venue({"base_url": await serve(answer)})
    (row,) = (await market_of(venue).tickers([BTC])).to_pylist()
    assert row["time"] >= from_ms(NOW + 900)
    await venue.close()
