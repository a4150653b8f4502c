"""Listings become a history: what is new, changed, gone and back again."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import InputError, VenueProtocolError, VenueUnavailableError
from markethub.domain.span import Span
from markethub.jobs.symbol_backfill import SymbolBackfillHandler
from markethub.ports.budget import Asker
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.records import times_ms
from markethub.tables.symbols import SYMBOLS
from tests.jobs.fake_venues import (
    NOW_MS,
    FakeMarket,
    FakeVenue,
    MemoryLog,
    execution,
    listing,
    running,
    venues_of,
)


class Clerk:
    """One venue, one store, and a clock that only a test moves."""

    def __init__(self, *shown: Any) -> None:  # noqa: ANN401  (tables or errors)
        self.now_ms = NOW_MS
        self.records = MemorySeriesStore().records
        self.market = FakeMarket(list(shown))
        self.log = MemoryLog()
        self.handler = SymbolBackfillHandler(
            venues_of(BNC=FakeVenue(self.market)), self.records, lambda: self.now_ms, confirm_after_s=0
        )

    async def run(self, shown: pa.Table | None = None, after_ms: int = 1000) -> Mapping[str, int]:
        self.now_ms += after_ms
        if shown is not None:
            self.market.listings = [shown]
        plan = await self.handler.plan(execution({"exchanges": ["BNC"]}), self.log)
        [chunk] = plan.chunks
        return await self.handler.run(running(chunk), self.log)

    def versions(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.records.read_records(SYMBOLS).to_pylist()
        return rows

    def in_force(self) -> dict[str, str]:
        return {
            row["symbol"]: f"{row['tick_size'].normalize():f}"
            for row in self.versions()
            if row["seen_until"] is None
        }


BOTH = listing({"BTC_USDT": "0.1", "ETH_USDT": "0.01"})


async def test_the_first_listing_is_all_new() -> None:
    clerk = Clerk(BOTH)
    counters = await clerk.run()
    assert Counter(counters) == Counter(processed=2, inserted=2)
    assert clerk.in_force() == {"BTC_USDT.BNC": "0.1", "ETH_USDT.BNC": "0.01"}
    assert clerk.market.asked == [Asker("trace-1", is_fresh=True)]


async def test_an_unchanged_listing_writes_nothing_but_that_it_was_seen() -> None:
    clerk = Clerk(BOTH)
    await clerk.run()
    counters = await clerk.run()
    assert Counter(counters) == Counter(processed=2, unchanged=2)
    assert len(clerk.versions()) == 2
    moments = clerk.records.covered_records(SYMBOLS, "BNC", Span(0, NOW_MS + 10_000))
    assert [claim.span.start_ms for claim in moments] == [NOW_MS + 1000, NOW_MS + 2000]
    assert clerk.records.covered_records(SYMBOLS, "OKX", Span(0, NOW_MS + 10_000)) == []


async def test_a_changed_fact_ends_one_version_and_begins_the_next() -> None:
    clerk = Clerk(BOTH)
    await clerk.run()
    counters = await clerk.run(listing({"BTC_USDT": "0.5", "ETH_USDT": "0.01"}))
    assert Counter(counters) == Counter(processed=3, inserted=1, updated=1, unchanged=1)
    old, new = [row for row in clerk.versions() if row["symbol"] == "BTC_USDT.BNC"]
    assert old["seen_until"] == new["seen_from"]
    assert new["seen_until"] is None
    assert clerk.in_force()["BTC_USDT.BNC"] == "0.5"


async def test_what_is_gone_stays_readable_and_may_come_back() -> None:
    clerk = Clerk(BOTH)
    await clerk.run()
    await clerk.run(listing({"BTC_USDT": "0.1"}))
    assert clerk.in_force() == {"BTC_USDT.BNC": "0.1"}
    assert ("info", "BNC, no longer listed: ETH_USDT.BNC") in clerk.log.lines
    await clerk.run(listing({"BTC_USDT": "0.1"}))
    await clerk.run(BOTH)
    ether = [row for row in clerk.versions() if row["symbol"] == "ETH_USDT.BNC"]
    assert [row["seen_until"] is None for row in ether] == [False, True]
    assert ether[0]["seen_until"] < ether[1]["seen_from"]


async def test_another_venue_with_the_same_instruments_is_left_alone() -> None:
    clerk = Clerk(BOTH)
    await clerk.run()
    other = SymbolBackfillHandler(
        venues_of(OKX=FakeVenue(FakeMarket([listing({"BTC_USDT": "0.2"}, "OKX")]))),
        clerk.records,
        lambda: NOW_MS + 5000,
    )
    [chunk] = (await other.plan(execution({"exchanges": ["OKX"]}), clerk.log)).chunks
    await other.run(running(chunk), clerk.log)
    assert clerk.in_force() == {"BTC_USDT.BNC": "0.1", "ETH_USDT.BNC": "0.01", "BTC_USDT.OKX": "0.2"}


MANY = listing({f"C{number}_USDT": "1" for number in range(10)})
FEW = listing({f"C{number}_USDT": "1" for number in range(4)})
OTHER_FEW = listing({f"C{number}_USDT": "1" for number in range(6, 10)})


async def test_a_listing_that_lost_most_instruments_is_asked_for_again() -> None:
    clerk = Clerk(MANY)
    await clerk.run()
    clerk.market.listings = [FEW, MANY]
    counters = await clerk.run()
    assert (counters["updated"], len(clerk.in_force())) == (0, 10)
    assert clerk.log.warnings() == ["BNC lists only 4 instruments; asking once more"]


async def test_one_that_says_so_twice_is_believed() -> None:
    clerk = Clerk(MANY)
    await clerk.run()
    clerk.market.listings = [FEW, FEW]
    await clerk.run()
    assert len(clerk.in_force()) == 4


@pytest.mark.parametrize("second", [OTHER_FEW, listing({})])
async def test_one_that_says_something_else_is_absurd_and_stores_nothing(second: pa.Table) -> None:
    clerk = Clerk(MANY)
    await clerk.run()
    clerk.market.listings = [FEW, second]
    with pytest.raises(VenueProtocolError, match="less than half"):
        await clerk.run()
    assert len(clerk.in_force()) == 10


async def test_no_venue_lists_nothing() -> None:
    clerk = Clerk(listing({}))
    with pytest.raises(VenueProtocolError, match="lists 0"):
        await clerk.run()


async def test_half_of_it_is_still_believed() -> None:
    clerk = Clerk(MANY)
    await clerk.run()
    await clerk.run(listing({f"C{number}_USDT": "1" for number in range(5)}))
    assert len(clerk.in_force()) == 5
    assert clerk.log.warnings() == []


async def test_a_clock_that_was_set_back_breaks_no_history() -> None:
    clerk = Clerk(BOTH)
    await clerk.run()
    await clerk.run(listing({"BTC_USDT": "0.5", "ETH_USDT": "0.01"}), after_ms=-3_600_000)
    await clerk.run(BOTH, after_ms=0)
    bitcoin = [row for row in clerk.versions() if row["symbol"] == "BTC_USDT.BNC"]
    ends = [row["seen_until"] for row in bitcoin]
    assert ends == [*(row["seen_from"] for row in bitcoin[1:]), None]
    assert clerk.in_force()["BTC_USDT.BNC"] == "0.1"


async def test_two_at_once_leave_one_version_in_force() -> None:
    clerk = Clerk(BOTH)
    await clerk.run()
    clerk.market.listings = [listing({"BTC_USDT": "0.5", "ETH_USDT": "0.01"})]
    ticking = itertools.count(NOW_MS + 10_000)
    handler = SymbolBackfillHandler(clerk.handler.venues, clerk.records, lambda: next(ticking))
    [chunk] = (await handler.plan(execution({"exchanges": ["BNC"]}), clerk.log)).chunks
    await asyncio.gather(*(handler.run(running(chunk), clerk.log) for _ in range(4)))
    assert [row["seen_until"] is None for row in clerk.versions() if row["symbol"] == "BTC_USDT.BNC"] == [
        False,
        True,
    ]


async def test_a_failure_stores_nothing() -> None:
    clerk = Clerk(VenueUnavailableError("away"))
    with pytest.raises(VenueUnavailableError):
        await clerk.run()
    assert clerk.versions() == []


async def test_exchanges_without_an_adapter_or_a_market_fail_by_name() -> None:
    handler = SymbolBackfillHandler(venues_of(GIO=FakeVenue()), MemorySeriesStore().records, lambda: NOW_MS)
    plan = await handler.plan(execution({"exchanges": ["BNC", "GIO"]}), MemoryLog())
    assert dict(plan.failures) == {"BNC": "no adapter for exchange BNC is installed"}
    [chunk] = plan.chunks
    with pytest.raises(InputError, match="GIO has klines only"):
        await handler.run(running(chunk), MemoryLog())


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["A_X", "B_X", "C_X", "D_X"]), st.sampled_from(["0.1", "0.2"]), min_size=1
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_sequence_of_listings_is_told_back(shown: list[dict[str, str]]) -> None:
    """What was in force after each listing is that listing, then and ever after."""

    async def run() -> None:
        clerk = Clerk(listing({}))
        for ticks in shown:
            # However much it lost: the fake says the same when it is asked again, and is believed.
            await clerk.run(listing(ticks))
            assert clerk.in_force() == {f"{root}.BNC": tick for root, tick in ticks.items()}
        rows = clerk.records.read_records(SYMBOLS)
        starts, ends = times_ms(rows, "seen_from").to_pylist(), times_ms(rows, "seen_until").to_pylist()
        for number, ticks in enumerate(shown, start=1):
            at_ms = NOW_MS + 1000 * number
            then = {
                row["symbol"]: f"{row['tick_size'].normalize():f}"
                for row, start, end in zip(rows.to_pylist(), starts, ends, strict=True)
                if start <= at_ms and (end is None or at_ms < end)
            }
            assert then == {f"{root}.BNC": tick for root, tick in ticks.items()}

    asyncio.run(run())
