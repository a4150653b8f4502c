"""Planning and running a kline sync without a venue."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from markethub.domain.symbol import Series, Symbol
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.kline_sync import CLOSE_GRACE_MS, KlineSyncHandler
from markethub.jobs.quarantine import Quarantine
from markethub.jobs.sync_targets import SyncTargets
from markethub.ports.venue import Venue
from markethub.stores.memory import MemorySeriesStore
from tests.bare_hub import NoKeys
from tests.flat_bars import flat_bars
from tests.jobs.fake_venues import FakeVenue, MemoryLog, execution, running
from tests.jobs.kline_source import HOUR, Source

CLOSE = 500_000 * HOUR


@dataclass
class Fixed:
    """These symbols are subscribed; ``asked`` are the exchanges that somebody wanted."""

    names: Sequence[str] = ("BTC_USDT.BNC",)
    asked: list[Sequence[str] | None] = field(default_factory=list)

    async def symbols(self, exchanges: Sequence[str] | None = None) -> list[Symbol]:
        self.asked.append(exchanges)
        return [Symbol.parse(name) for name in self.names]


@dataclass
class Stand:
    now_ms: int = CLOSE
    source: Source = field(default_factory=lambda: Source(closed_ms=CLOSE))
    subscribed: Fixed = field(default_factory=Fixed)
    slept_s: list[float] = field(default_factory=list)
    store: MemorySeriesStore = field(default_factory=MemorySeriesStore)

    def handler(self) -> KlineSyncHandler:
        fake = FakeVenue()
        fake.klines = self.source  # type: ignore[assignment]  # it answers all that is asked here
        venues = {"BNC": cast("Venue", fake)}
        targets = SyncTargets(venues, self.subscribed, AccountAccess(venues, NoKeys()))
        quarantine = Quarantine(self.store.records, self.clock)
        backfill = KlineBackfillHandler(venues, self.store, self.clock, quarantine)
        return KlineSyncHandler(targets, backfill, self.sleep)

    def clock(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ms += round(seconds * 1000)


@pytest.mark.parametrize(
    ("after_close_ms", "slept_s"),
    [(0, [3.0]), (500, [2.5]), (CLOSE_GRACE_MS, []), (HOUR // 2, []), (-5000, [])],
)
async def test_a_bar_is_given_a_moment_after_its_close(after_close_ms: int, slept_s: list[float]) -> None:
    stand = Stand()
    handler, log = stand.handler(), MemoryLog()
    parameters = {"intervals": ["1h"], "exchanges": ["BNC"]}
    (chunk,) = (await handler.plan(execution(parameters), log)).chunks
    stand.now_ms = CLOSE + after_close_ms
    await handler.run(running(chunk), log)
    assert stand.slept_s == slept_s
    assert stand.subscribed.asked == [["BNC"]]


async def test_a_run_asks_for_what_was_planned_and_no_more() -> None:
    stand = Stand(now_ms=CLOSE + 600_000)
    series = Series.parse("BTC_USDT.BNC 1h")
    stand.store.upsert(series, flat_bars([CLOSE - 10 * HOUR])).result()
    handler, log = stand.handler(), MemoryLog()
    plan = await handler.plan(execution({"symbols": ["BTC_USDT.BNC"], "recheck_bars": 2}), log)
    (chunk,) = plan.chunks
    counters = await handler.run(running(chunk), log)
    assert stand.source.asked[0][1].start_ms == CLOSE - 11 * HOUR
    assert stand.source.asked[-1][1].end_ms == CLOSE
    # The bar before the first stored one came with those that were asked again.
    assert (counters["inserted"], counters["unchanged"]) == (10, 1)
    assert len(stand.store.read(series)) == 11
