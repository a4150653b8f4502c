"""Tickers and order books of this moment."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from markethub.domain.errors import VenueUnavailableError
from markethub.engine.handler import Handler, Plan
from markethub.jobs.market_snapshots import OrderbookBackfillHandler, TickerBackfillHandler
from markethub.ports.budget import NOBODY, Asker, current_asker
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.tickers import TICKERS
from tests.jobs.fake_venues import (
    NOW_MS,
    FakeKlines,
    FakeMarket,
    FakeVenue,
    MemoryLog,
    execution,
    running,
    venues_of,
)

SYMBOLS = ["BTC_USDT.BNC", "ETH_USDT.BNC", "BTC_USDT.OKX"]


async def run_all(handler: Handler, plan: Plan, log: MemoryLog) -> list[Mapping[str, int]]:
    return [await handler.run(running(chunk), log) for chunk in plan.chunks]


def parameters(symbols: list[str], **more: object) -> dict[str, Any]:
    return {"symbols": symbols, **more}


async def test_tickers_are_one_question_per_exchange() -> None:
    records, log = MemorySeriesStore().records, MemoryLog()
    markets = {"BNC": FakeMarket(), "OKX": FakeMarket()}
    handler = TickerBackfillHandler(
        venues_of(**{code: FakeVenue(market) for code, market in markets.items()}), records, lambda: NOW_MS
    )
    plan = await handler.plan(execution(parameters(SYMBOLS)), log)
    assert [(chunk.key, chunk.queue) for chunk in plan.chunks] == [("BNC", "BNC"), ("OKX", "OKX")]
    done = await run_all(handler, plan, log)
    assert [counters["inserted"] for counters in done] == [2, 1]
    assert sorted(records.read_records(TICKERS).column("symbol").to_pylist()) == sorted(SYMBOLS)
    assert markets["BNC"].asked == [Asker("trace-1", is_fresh=True)]
    assert current_asker.get() == NOBODY


async def test_a_symbol_that_is_not_listed_does_not_spoil_the_others() -> None:
    records, log = MemorySeriesStore().records, MemoryLog()
    venue = FakeVenue(FakeMarket(), FakeKlines(frozenset({"ETH_USDT.BNC"})))
    for handler, inserted in (
        (TickerBackfillHandler(venues_of(BNC=venue), records, lambda: NOW_MS), 1),
        (OrderbookBackfillHandler(venues_of(BNC=venue), records, lambda: NOW_MS), 1),
    ):
        plan = await handler.plan(execution(parameters(SYMBOLS, limit=20)), log)
        assert plan.failures["ETH_USDT.BNC"] == "BNC does not list ETH_USDT.BNC"
        assert "no adapter for exchange OKX" in " ".join(plan.failures.values())
        assert [counters["inserted"] for counters in await run_all(handler, plan, log)] == [inserted]


async def test_symbols_that_do_not_trade_are_named_in_the_log() -> None:
    log = MemoryLog()
    venue = FakeVenue(FakeMarket(halted=frozenset({"ETH_USDT.BNC"})))
    handler = TickerBackfillHandler(venues_of(BNC=venue), MemorySeriesStore().records, lambda: NOW_MS)
    plan = await handler.plan(execution(parameters(SYMBOLS[:2])), log)
    [counters] = await run_all(handler, plan, log)
    assert Counter(counters) == Counter(processed=1, inserted=1)
    assert ("info", "BNC, not trading now: ETH_USDT.BNC") in log.lines


async def test_a_listing_that_cannot_be_had_holds_up_nothing() -> None:
    log = MemoryLog()
    venue = FakeVenue(FakeMarket(), FakeKlines(error=VenueUnavailableError("away")))
    handler = TickerBackfillHandler(venues_of(BNC=venue), MemorySeriesStore().records, lambda: NOW_MS)
    plan = await handler.plan(execution(parameters(SYMBOLS[:2])), log)
    assert (len(plan.chunks), dict(plan.failures)) == (1, {})
    assert log.warnings() == ["listing of BNC: away"]


async def test_order_books_are_one_chunk_each_at_the_depth_asked_for() -> None:
    records, log = MemorySeriesStore().records, MemoryLog()
    market = FakeMarket()
    handler = OrderbookBackfillHandler(venues_of(BNC=FakeVenue(market)), records, lambda: NOW_MS)
    plan = await handler.plan(execution(parameters(SYMBOLS[:2], limit=3)), log)
    assert [chunk.key for chunk in plan.chunks] == SYMBOLS[:2]
    assert plan.chunks[0].priority > plan.chunks[1].priority
    await run_all(handler, plan, log)
    books = records.read_records(ORDERBOOKS).to_pylist()
    assert [(book["symbol"], book["depth"], book["bid_prices"]) for book in books] == [
        (name, 3, [10.0, 9.0, 8.0]) for name in SYMBOLS[:2]
    ]
    assert set(market.asked) == {Asker("trace-1", is_fresh=True)}
