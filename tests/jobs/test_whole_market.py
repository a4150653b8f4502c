"""Tasks about whole markets of crypto, and the history that full syncs ask for."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import InputError, VenueUnavailableError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import parse_time
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.kline_full_sync import default_start_ms, find_history
from markethub.jobs.kline_sync import KlineSyncHandler
from markethub.jobs.quarantine import Quarantine
from markethub.jobs.sync_targets import SyncTargets
from markethub.jobs.whole_market import list_markets
from markethub.ports.venue import Venue
from markethub.sandbox import SandboxSettings, fixed_clock, running_sandbox
from markethub.stores.memory import MemorySeriesStore
from markethub.venues.binance import create_venue
from tests.bare_hub import NoKeys
from tests.jobs.fake_venues import MemoryLog, execution, running
from tests.jobs.ranked_market import RankedMarket

HOUR, DAY = 3_600_000, 86_400_000
BTC = Series.parse("BTC_USDT.BNC 1h")


def venues_of(**markets: RankedMarket | None) -> dict[str, Venue]:
    return {code: cast("Venue", SimpleNamespace(market=market)) for code, market in markets.items()}


async def test_what_does_not_trade_is_for_full_syncs_alone() -> None:
    venues = venues_of(BNC=RankedMarket({"BTC_USDT": 1.0, "ETH_USDT": 1.0}, frozenset({"ETH_USDT"})))
    trading = await list_markets(venues, ["BNC"], with_idle=False)
    everything = await list_markets(venues, ["BNC"], with_idle=True)
    assert [str(symbol) for symbol in trading.symbols] == ["BTC_USDT.BNC"]
    assert [str(symbol) for symbol in everything.symbols] == ["BTC_USDT.BNC", "ETH_USDT.BNC"]


async def test_an_exchange_that_is_away_does_not_keep_the_others_waiting() -> None:
    away = RankedMarket({}, error=VenueUnavailableError("BNC: no answer"))
    venues = venues_of(BNC=away, XMP=RankedMarket({"BTC_USDT": 1.0}))
    listed = await list_markets(venues, ["BNC", "XMP"], with_idle=False)
    assert (len(listed.symbols), listed.failures) == (1, {"listing of BNC": "BNC: no answer"})
    with pytest.raises(VenueUnavailableError):  # alone: the engine tries again
        await list_markets(venues, ["BNC"], with_idle=False)


@pytest.mark.parametrize(
    ("code", "message"), [("OKX", "no adapter for exchange OKX is installed"), ("GIO", "has klines only")]
)
async def test_an_exchange_that_cannot_tell_is_refused(code: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        await list_markets(venues_of(GIO=None), [code], with_idle=False)


def asked(
    series: Series, start_ms: int | None, first_ms: int | None, *covered: Span, now_ms: int
) -> list[Span]:
    def claims(span: Span) -> Sequence[Span]:
        return [part for one in covered if (part := one.intersect(span))]

    return find_history(series, start_ms, first_ms, covered=claims, now_ms=now_ms)


def test_the_default_start_is_older_than_anything_that_is_told() -> None:
    now_ms = parse_time("2026-01-01T00:30")
    ends = parse_time("2026-01-01")
    starts = {"BTC_USDT.BNC 1m": "2017-01-01", "US.AAPL 1d": "1962-01-01", "HK.00700 5m": "2010-01-01"}
    for name, start in starts.items():
        series = Series.parse(name)
        assert default_start_ms(series) == parse_time(start)
        assert asked(series, None, None, now_ms=now_ms)[0].start_ms == parse_time(start)
    older = parse_time("2013-05-01")
    assert asked(BTC, None, older, now_ms=now_ms) == [Span(older, ends)]
    assert asked(BTC, parse_time("2020-01-01"), older, now_ms=now_ms) == [
        Span(parse_time("2020-01-01"), ends)
    ]
    assert asked(BTC, ends, None, now_ms=now_ms) == []


hours = st.integers(0, 40)


@given(start=hours, first=st.none() | hours, claims=st.lists(st.tuples(hours, hours)), now=hours)
def test_all_is_asked_but_what_is_known_to_be_empty(
    start: int, first: int | None, claims: list[tuple[int, int]], now: int
) -> None:
    covered = [Span(low * HOUR, high * HOUR) for low, high in claims if low < high]
    first_ms = None if first is None else first * HOUR
    spans = asked(BTC, start * HOUR, first_ms, *covered, now_ms=now * HOUR + 1)
    for hour in range(41):
        is_known_empty = first is not None and hour < first and any(hour * HOUR in span for span in covered)
        is_wanted = start <= hour < now and not is_known_empty
        assert any(hour * HOUR in span for span in spans) == is_wanted


async def test_a_whole_exchange_is_synced_and_then_repaired() -> None:
    now_ms = parse_time("2026-06-17T15:20:30")
    settings = SandboxSettings(clock=fixed_clock(now_ms), weight_per_minute=None)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(running_sandbox(settings))
        venue = create_venue({"base_url": sandbox.url, "archive_url": sandbox.url})
        stack.push_async_callback(venue.close)
        venues, store, log = {"BNC": venue}, MemorySeriesStore(), MemoryLog()
        quarantine = Quarantine(store.records, fixed_clock(now_ms))
        backfill = KlineBackfillHandler(venues, store, fixed_clock(now_ms), quarantine)
        targets = SyncTargets(venues, cast("Any", None), AccountAccess(venues, NoKeys()))
        handler = KlineSyncHandler(targets, backfill)

        async def run(parameters: dict[str, Any]) -> Counter[str]:
            plan = await handler.plan(execution(parameters), log)
            total = Counter(plan.counters)
            for chunk in plan.chunks:
                total.update(await handler.run(running(chunk), log))
            return total

        market = {"exchanges": ["BNC"], "whole_market": True, "intervals": ["4h"], "lookback_days": 1}
        counts = await run(market)
        trading = (await list_markets(venues, ["BNC"], with_idle=False)).symbols
        assert len(trading) > 40
        assert [one.series.symbol for one in store.summaries()] == trading
        assert (counts["symbols"], counts["inserted"]) == (len(trading), 5 * len(trading))

        one = Series(trading[0], Interval.H4)
        parameters = {
            "mode": "full_sync",
            "symbols": [str(one.symbol)],
            "intervals": ["4h"],
            "start": "2026-06-01",
        }
        counts = await run(parameters)
        # What is stored already is asked for as well, and everything before it.
        assert (counts["inserted"], counts["unchanged"]) == (16 * 6 + 3 - 5, 5)
