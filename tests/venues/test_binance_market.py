"""What the market source asks, at which weight, and what it refuses: a scripted venue, then the sandbox."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa
import pytest
from aiohttp import web

from markethub.domain.errors import (
    InputError,
    SymbolNotListedError,
    VenueProtocolError,
    VenueUnavailableError,
)
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.ports.venue import MarketSource, Venue
from markethub.sandbox import RunningSandbox, SandboxSettings, clock_starting_at, running_sandbox
from markethub.tables.symbols import LISTING
from markethub.venues.binance import create_venue
from markethub.venues.binance.limits import split_tickers, weigh_book, weigh_tickers
from tests.budgets import budget_of

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

NOW = parse_time("2025-06-17T15:20:30Z")
BTC = Symbol.parse("BTC_USDT.BNC")


def pairs(count: int) -> list[Symbol]:
    return [Symbol.parse(f"COIN{number}_USDT.BNC") for number in range(count)]


@dataclass
class FakeBinance:
    """Lists COIN0USDT and so on, all trading but those in ``halted``."""

    count: int = 300
    halted: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    queries: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    book: bytes = b'{"lastUpdateId":7,"bids":[["8","1"],["7","1"]],"asks":[["9","1"],["10","1"]]}'
    now_ms: int = NOW

    def paths(self) -> list[str]:
        return [path.removeprefix("/api/v3/") for path, _ in self.queries]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.queries.append((request.path, dict(request.query)))
        match request.path:
            case "/api/v3/time":
                return web.json_response({"serverTime": self.now_ms})
            case "/api/v3/exchangeInfo":
                return web.json_response({"symbols": [self.describe(f"COIN{i}") for i in range(self.count)]})
            case "/api/v3/depth":
                return web.Response(body=self.book)
            case "/api/v3/ticker/24hr":
                named = orjson.loads(request.query.get("symbols", "null"))
                names = named or [f"COIN{i}USDT" for i in range(self.count)]
                return web.json_response([self.tell(name) for name in names if name not in self.forgotten])
        return web.Response(status=404)

    def describe(self, base: str) -> dict[str, Any]:
        name = base + "USDT"
        status = "BREAK" if name in self.halted else "TRADING"
        return {"symbol": name, "baseAsset": base, "quoteAsset": "USDT", "status": status, "filters": []}

    def tell(self, name: str) -> dict[str, Any]:
        numbers = dict.fromkeys(
            ("lastPrice", "bidPrice", "bidQty", "askPrice", "askQty", "openPrice", "highPrice", "lowPrice"),
            "8",
        )
        return numbers | {"symbol": name, "volume": "1", "quoteVolume": "8", "closeTime": NOW}


@pytest.fixture
def fake() -> FakeBinance:
    return FakeBinance()


@pytest.fixture
async def venue(fake: FakeBinance, serve: Serve) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": await serve(fake.handle), "quick_retries": "0"})
    yield venue
    await venue.close()


@pytest.fixture
def market(venue: Venue) -> MarketSource:
    return market_of(venue)


def market_of(venue: Venue) -> MarketSource:
    assert venue.market is not None
    return venue.market


@pytest.mark.parametrize(
    ("count", "asked", "weight"),
    [
        (1, [1], 2),
        (20, [20], 2),
        (21, [21], 40),
        (100, [100], 40),
        (101, [100, 1], 42),
        (120, [100, 20], 42),
        (121, [None], 80),
        (300, [None], 80),
    ],
)
async def test_tickers_are_asked_for_in_the_cheapest_way(
    fake: FakeBinance, venue: Venue, count: int, asked: list[int | None], weight: int
) -> None:
    wanted = pairs(count)[::-1]
    rows = await market_of(venue).tickers(wanted)
    assert rows["symbol"].to_pylist() == [str(symbol) for symbol in wanted]
    queries = [query for path, query in fake.queries if path.endswith("24hr")]
    sizes = [len(orjson.loads(query["symbols"])) if query else None for query in queries]
    assert sizes == asked
    assert budget_of(venue, "request weight").used == 20 + weight


def test_the_documented_weights() -> None:
    assert [weigh_book(levels) for levels in (1, 100, 101, 500, 501, 1000)] == [5, 5, 25, 25, 50, 50]
    assert [weigh_tickers(count) for count in (1, 20, 21, 100, 101, None)] == [2, 2, 40, 40, 80, 80]
    assert split_tickers([]) == []


async def test_no_symbols_no_question(fake: FakeBinance, market: MarketSource) -> None:
    assert len(await market.tickers([])) == 0
    assert "ticker/24hr" not in fake.paths()


async def test_a_pair_that_does_not_trade_has_no_row(fake: FakeBinance, market: MarketSource) -> None:
    fake.halted = {"COIN1USDT"}
    rows = await market.tickers(pairs(3))
    assert rows["symbol"].to_pylist() == ["COIN0_USDT.BNC", "COIN2_USDT.BNC"]


async def test_a_pair_that_began_to_trade_since_the_listing_is_found(
    fake: FakeBinance, venue: Venue, market: MarketSource
) -> None:
    directory = venue.klines._directory  # type: ignore[attr-defined]  # its clock is moved
    skipped_s, real = 0.0, directory._monotonic
    directory._monotonic = lambda: real() + skipped_s
    fake.halted = {"COIN1USDT"}
    assert len(await market.tickers(pairs(2))) == 1
    fake.halted.clear()
    fake.count = 301
    skipped_s = 61.0
    assert len(await market.tickers([*pairs(2), Symbol.parse("COIN300_USDT.BNC")])) == 3
    assert fake.paths().count("exchangeInfo") == 2
    skipped_s = 3000.0
    assert len(await market.tickers(pairs(2))) == 2
    assert fake.paths().count("exchangeInfo") == 2  # the one at hand shows them trading


async def test_symbols_that_are_not_listed_are_named(market: MarketSource) -> None:
    strangers = [Symbol.parse("NOSUCH_USDT.BNC"), Symbol.parse("COIN0_USDT.OKX")]
    with pytest.raises(SymbolNotListedError, match=r"NOSUCH_USDT\.BNC, COIN0_USDT\.OKX"):
        await market.tickers([*pairs(2), *strangers])
    with pytest.raises(SymbolNotListedError, match="and 295 more"):
        await market.tickers([Symbol.parse(f"X{number}_USDT.BNC") for number in range(300)])
    with pytest.raises(SymbolNotListedError):
        await market.tickers([Symbol.parse("COIN0U_SDT.BNC")])
    with pytest.raises(SymbolNotListedError):
        await market.orderbook(Symbol.parse("COIN0U_SDT.BNC"), 5)


async def test_a_ticker_missing_from_the_answer_is_an_error(fake: FakeBinance, market: MarketSource) -> None:
    fake.forgotten = {"COIN7USDT"}
    with pytest.raises(VenueProtocolError, match=r"tickers of 20 symbols: 1 are missing, such as COIN7USDT"):
        await market.tickers(pairs(20))
    with pytest.raises(VenueProtocolError, match=r"all tickers: .* COIN7USDT"):
        await market.tickers(pairs(300))


@pytest.mark.parametrize(("depth", "weight"), [(1, 5), (100, 5), (101, 25), (500, 25), (501, 50), (1000, 50)])
async def test_what_is_asked_for_a_book(fake: FakeBinance, venue: Venue, depth: int, weight: int) -> None:
    rows = await market_of(venue).orderbook(pairs(1)[0], depth)
    assert fake.queries[-1] == ("/api/v3/depth", {"symbol": "COIN0USDT", "limit": str(depth)})
    assert budget_of(venue, "request weight").used == 20 + 1 + weight
    (row,) = rows.to_pylist()
    assert row["depth"] == depth
    assert len(row["bid_prices"]) == min(depth, 2)  # the server sends two whatever is asked


async def test_the_trap_of_a_book_without_a_time(fake: FakeBinance, market: MarketSource) -> None:
    # The venue's clock stands in 2025, ours does not.
    rows = await market.orderbook(pairs(1)[0], 5)
    (time_ms,) = rows["time"].cast("int64").to_pylist()
    assert NOW <= time_ms < NOW + 60_000
    assert fake.paths()[-2:] == ["time", "depth"]  # the clock first
    await market.orderbook(pairs(1)[0], 5)
    assert fake.paths().count("time") == 1


@pytest.mark.parametrize("depth", [0, -1, 1001])
async def test_a_depth_out_of_range(fake: FakeBinance, market: MarketSource, depth: int) -> None:
    with pytest.raises(InputError, match="not from 1 to 1000"):
        await market.orderbook(pairs(1)[0], depth)
    assert not fake.queries


async def test_a_crossed_book_is_refused(fake: FakeBinance, market: MarketSource) -> None:
    fake.book = b'{"lastUpdateId":7,"bids":[["9","1"]],"asks":[["8","1"]]}'
    with pytest.raises(VenueProtocolError, match=r"BNC order book of COIN0_USDT\.BNC: crossed"):
        await market.orderbook(pairs(1)[0], 5)


async def test_every_listing_is_a_fresh_one(fake: FakeBinance, venue: Venue, market: MarketSource) -> None:
    await market.listing()
    fake.count = 301
    rows = await market.listing()
    assert rows.schema.equals(LISTING)
    assert len(rows) == 301
    assert await venue.klines.listed(Symbol.parse("COIN300_USDT.BNC"))
    assert fake.paths() == ["exchangeInfo"] * 2  # what was read serves the klines, too


async def test_after_closing(venue: Venue, market: MarketSource) -> None:
    await venue.close()
    with pytest.raises(VenueUnavailableError):
        await market.listing()


# ---------------------------------------------------------------------------------------------- sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings(clock=clock_starting_at(NOW))) as running:
        yield running


@pytest.fixture
async def played(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": sandbox.url, "archive_url": sandbox.url})
    yield venue
    await venue.close()


async def test_the_sandboxs_listing(played: Venue) -> None:
    rows = {row["symbol"]: row for row in (await market_of(played).listing()).to_pylist()}
    assert (rows["BTC_USDT.BNC"]["status"], rows["BTC_BUSD.BNC"]["status"]) == ("trading", "halted")
    assert rows["BTC_USDT.BNC"]["min_notional"] == 5
    assert rows["ETH_BTC.BNC"]["venue_name"] == "ETHBTC"


async def test_listing_tickers_books_and_bars_of_the_sandbox_agree(
    sandbox: RunningSandbox, played: Venue
) -> None:
    market = market_of(played)
    listed = await market.listing()
    symbols = [Symbol.parse(text) for text in listed["symbol"].to_pylist()]
    tickers = await market.tickers(symbols)
    trading = listed.filter(pa.compute.equal(listed["status"], "trading"))
    assert tickers["symbol"].to_pylist() == trading["symbol"].to_pylist()
    book = (await market.orderbook(BTC, 1000)).to_pylist()[0]
    assert len(book["bid_prices"]) == len(book["ask_prices"]) == 1000
    (ticker,) = (await market.tickers([BTC])).to_pylist()
    spread = ticker["ask"] - ticker["bid"]
    assert 0 < spread < 0.1
    end_ms = NOW // 60_000 * 60_000
    page = await played.klines.klines(Series(BTC, Interval.M1), Span(end_ms - 1000 * 60_000, end_ms))
    assert ticker["low_24h"] <= min(page.bars["low"].to_pylist())
    assert ticker["high_24h"] >= max(page.bars["high"].to_pylist())
    assert {status for _, status in sandbox.stats.replies} == {200}
    assert budget_of(played, "request weight").used == 20 + 40 + 1 + 50 + 2 + 2
