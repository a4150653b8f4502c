"""OKX's listing, tickers and books over a socket: what is asked, how often, and what comes back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from markethub.domain.errors import InputError, SymbolNotListedError, VenueRefusedError
from markethub.domain.symbol import Symbol
from markethub.domain.times import from_ms, parse_time
from markethub.ports.venue import MarketSource, Venue
from markethub.sandbox import RunningSandbox, SandboxSettings, fixed_clock, running_sandbox
from markethub.venues.okx import create_venue
from tests.budgets import budget_of

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

# ENA is announced for the day after tomorrow.
NOW = parse_time("2024-03-31T10:00:30.250Z")
BTC, ETH = Symbol.parse("BTC_USDT.OKX"), Symbol.parse("ETH_USDT.OKX")
TICKER, TICKERS = "/api/v5/market/ticker", "/api/v5/market/tickers"
INSTRUMENTS = "/api/v5/public/instruments"
BOOKS, BOOKS_FULL = "/api/v5/market/books", "/api/v5/market/books-full"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings(clock=fixed_clock(NOW))) as running:
        yield running


@pytest.fixture
async def venue(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": sandbox.url, "quick_retries": "0"})
    yield venue
    await venue.close()


@pytest.fixture
def market(venue: Venue) -> MarketSource:
    assert venue.market is not None
    return venue.market


async def test_the_listing_is_asked_now_each_time(sandbox: RunningSandbox, market: MarketSource) -> None:
    table = await market.listing()
    rows = {row["symbol"]: row for row in table.to_pylist()}
    assert list(rows) == sorted(rows)
    assert str(rows["BTC_USDT.OKX"]["tick_size"]) == "0.010000000000000000"
    assert "WAVES_USDT.OKX" in rows
    assert "BTC_BUSD.OKX" not in rows, "its end was last year"
    assert rows["ENA_USDT.OKX"] | {"venue_name": ""} == {
        "symbol": "ENA_USDT.OKX", "venue_name": "", "base": "ENA", "quote": "USDT", "status": "pre_open",
        "venue_status": "preopen", "tick_size": None, "lot_size": None, "min_size": None,
        "min_notional": None, "listed_time": from_ms(parse_time("2024-04-02T08:00")), "delisted_time": None,
    }  # fmt: skip
    await market.listing()
    assert sandbox.stats.requests[INSTRUMENTS] == 2


async def test_klines_take_the_listing_that_was_asked_for(
    sandbox: RunningSandbox, venue: Venue, market: MarketSource
) -> None:
    await market.listing()
    assert await venue.klines.listed(BTC)
    assert sandbox.stats.requests[INSTRUMENTS] == 1


async def test_one_ticker_is_one_small_question(sandbox: RunningSandbox, market: MarketSource) -> None:
    (row,) = (await market.tickers([BTC])).to_pylist()
    assert (row["symbol"], row["time"]) == ("BTC_USDT.OKX", from_ms(NOW))
    assert row["low_24h"] <= row["last"] <= row["high_24h"]
    assert row["bid"] < row["ask"]
    assert dict(sandbox.stats.requests) == {TICKER: 1}


async def test_many_tickers_are_one_question_in_the_order_asked_for(
    sandbox: RunningSandbox, market: MarketSource
) -> None:
    symbols = [ETH, Symbol.parse("1INCH_USDT.OKX"), BTC]
    found = await market.tickers(symbols)
    assert found.column("symbol").to_pylist() == list(map(str, symbols))
    assert dict(sandbox.stats.requests) == {TICKERS: 1}


async def test_no_tickers_are_no_question(sandbox: RunningSandbox, market: MarketSource) -> None:
    assert len(await market.tickers([])) == 0
    assert not sandbox.stats.requests


@pytest.mark.parametrize("others", [[], [BTC]])
async def test_a_pair_without_a_ticker_is_left_out_if_it_is_listed(
    market: MarketSource, others: list[Symbol]
) -> None:
    found = await market.tickers([*others, Symbol.parse("ENA_USDT.OKX")])
    assert found.column("symbol").to_pylist() == list(map(str, others))


@pytest.mark.parametrize("others", [[], [BTC]])
async def test_pairs_that_are_not_listed_are_named(market: MarketSource, others: list[Symbol]) -> None:
    unknown = [Symbol.parse("NOSUCH_USDT.OKX")]
    with pytest.raises(SymbolNotListedError, match="NOSUCH_USDT"):
        await market.tickers([*others, *unknown])


async def test_symbols_of_other_venues_are_refused_unasked(
    sandbox: RunningSandbox, market: MarketSource
) -> None:
    other = Symbol.parse("BTC_USDT.BNC")
    for asked in ([other], [BTC, other]):
        with pytest.raises(SymbolNotListedError):
            await market.tickers(asked)
    with pytest.raises(SymbolNotListedError):
        await market.orderbook(other, 1)
    assert not sandbox.stats.requests


@pytest.mark.parametrize(("depth", "path"), [(1, BOOKS), (400, BOOKS), (401, BOOKS_FULL), (1000, BOOKS_FULL)])
async def test_book_depth_above_400_comes_from_the_full_book(
    sandbox: RunningSandbox, market: MarketSource, depth: int, path: str
) -> None:
    (row,) = (await market.orderbook(BTC, depth)).to_pylist()
    assert dict(sandbox.stats.requests) == {path: 1}
    assert [len(row[name]) for name in ("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")] == [depth] * 4
    assert row["depth"] == depth
    assert row["time"] == from_ms(NOW // 1000 * 1000), "the venue's own time"
    assert (row["sequence"] is None) == (path == BOOKS_FULL)


@pytest.mark.parametrize("depth", [0, -1, 1001])
async def test_a_depth_out_of_range_is_refused_unasked(
    sandbox: RunningSandbox, market: MarketSource, depth: int
) -> None:
    with pytest.raises(InputError, match="between 1 and 1000"):
        await market.orderbook(BTC, depth)
    assert not sandbox.stats.requests


async def test_an_unknown_pair_has_no_book(market: MarketSource) -> None:
    with pytest.raises(SymbolNotListedError, match="51001"):
        await market.orderbook(Symbol.parse("NOSUCH_USDT.OKX"), 5)


async def test_the_size_of_a_book_is_always_sent(serve: Serve) -> None:
    # Without it the venue shows a single level.
    queries: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        queries.append(dict(request.query))
        levels = {"bids": [["1", "1", "0", "1"]], "asks": [], "ts": "1700000000000"}
        return web.Response(body=orjson.dumps({"code": "0", "msg": "", "data": [levels]}))

    venue = create_venue({"base_url": await serve(answer)})
    assert venue.market is not None
    await venue.market.orderbook(BTC, 1)
    await venue.market.orderbook(BTC, 400)
    assert queries == [{"instId": "BTC-USDT", "sz": "1"}, {"instId": "BTC-USDT", "sz": "400"}]
    await venue.close()


async def test_a_refusal_that_is_none_of_the_pairs_fault_is_an_error(serve: Serve) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b'{"code":"50005","msg":"gone","data":[]}', status=410)

    venue = create_venue({"base_url": await serve(answer), "quick_retries": "0"})
    assert venue.market is not None
    for symbols in ([BTC], [BTC, ETH]):
        with pytest.raises(VenueRefusedError, match="50005"):
            await venue.market.tickers(symbols)
    await venue.close()


async def test_each_endpoint_has_the_documented_budget(venue: Venue) -> None:
    limits = {"ticker": 20, "tickers": 20, "books": 40, "books-full": 10}
    for name, limit in limits.items():
        budget = budget_of(venue, f"market/{name}")
        assert (budget.limit, budget.window_s) == (limit, 2.0)
