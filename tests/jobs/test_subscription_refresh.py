"""Rules of subscriptions choose anew: what comes, what goes, and what is not believed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from markethub.control.database import Database
from markethub.control.subscription_choices import list_choices, set_choice
from markethub.control.subscriptions import StoredSubscriptions, replace_subscriptions
from markethub.domain.errors import VenueProtocolError, VenueUnavailableError
from markethub.domain.subscription import Source, SubscriptionRule
from markethub.domain.symbol import Symbol
from markethub.engine.handler import Plan
from markethub.jobs.subscription_refresh import SubscriptionRefreshHandler
from markethub.ports.budget import Asker, current_asker
from markethub.ports.venue import Venue
from tests.jobs.fake_venues import NOW_MS, FakeVenue, MemoryLog, execution, running
from tests.jobs.ranked_market import RankedMarket

SOME = ("AAA_USDT", "BBB_USDT", "CCC_USDT")
RULE = SubscriptionRule.parse({"quote": "USDT", "top": 2})


@dataclass
class Desk:
    """One exchange, one database, and what the handler logs."""

    database: Database
    market: RankedMarket
    log: MemoryLog = field(default_factory=MemoryLog)

    @property
    def handler(self) -> SubscriptionRefreshHandler:
        venue = cast("Venue", FakeVenue(self.market))  # type: ignore[arg-type]  # it has no books
        return SubscriptionRefreshHandler({"BNC": venue}, self.database, lambda: NOW_MS)

    async def set(
        self,
        rule: SubscriptionRule | None,
        *present: str,
        resolved_ms: int | None = 1_000,
        exchange: str = "BNC",
    ) -> None:
        async with self.database.begin() as connection:
            await set_choice(connection, exchange, rule, Source.API, now_ms=1_000, resolved_ms=resolved_ms)
            symbols = [Symbol(exchange, root) for root in present]
            await replace_subscriptions(connection, exchange, symbols, 1_000)

    async def plan(self, **parameters: object) -> Plan:
        return await self.handler.plan(execution(parameters), self.log)

    async def run(self) -> Mapping[str, int]:
        [chunk] = (await self.plan()).chunks
        return await self.handler.run(running(chunk), self.log)

    async def present(self) -> list[str]:
        return [symbol.instrument for symbol in await StoredSubscriptions(self.database).symbols(["BNC"])]


def nonzero(counters: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counters.items() if count}


@pytest.fixture
async def desk(database: Database) -> Desk:
    market = RankedMarket(
        {"AAA_USDT": 9.0, "BBB_USDT": 8.0, "CCC_USDT": 7.0, "DDD_USDT": 6.0, "EEE_USDT": 5.0}
    )
    return Desk(database, market)


async def test_what_came_and_went_is_stored_counted_and_told(desk: Desk) -> None:
    await desk.set(RULE, "AAA_USDT", "CCC_USDT", "EEE_USDT")
    counters = await desk.run()
    assert await desk.present() == ["AAA_USDT", "BBB_USDT", "CCC_USDT"]  # the third is kept to rank 4
    assert counters == {
        "processed": 3, "inserted": 1, "updated": 0, "unchanged": 2, "rejected": 0, "removed": 1,
    }  # fmt: skip
    assert desk.log.lines == [
        ("info", f"BNC: 3 symbols subscribed by its rule ({RULE}), 1 new, 1 gone"),
        ("info", "BNC, new: BBB_USDT.BNC"),
        ("info", "BNC, gone: EEE_USDT.BNC"),
    ]
    assert desk.market.asked == [Asker("trace-1", is_fresh=True)]
    assert current_asker.get().name == ""
    async with desk.database.read() as connection:
        assert [choice.resolved_ms for choice in await list_choices(connection)] == [NOW_MS]


async def test_a_second_time_changes_nothing(desk: Desk) -> None:
    await desk.set(RULE)
    await desk.run()
    assert nonzero(await desk.run()) == {"processed": 2, "unchanged": 2}
    assert await desk.present() == ["AAA_USDT", "BBB_USDT"]


async def test_what_was_there_before_the_rule_first_chose_is_not_kept(desk: Desk) -> None:
    await desk.set(RULE, "CCC_USDT", "EEE_USDT", resolved_ms=None)
    await desk.run()
    assert await desk.present() == ["AAA_USDT", "BBB_USDT"]


async def test_no_ticker_is_asked_for_where_all_are_taken(desk: Desk) -> None:
    await desk.set(replace(RULE, top=5, keep=5))
    await desk.run()
    assert (len(await desk.present()), desk.market.questions) == (5, ["listing"])


async def test_one_that_is_halted_goes_and_one_that_is_not_listed_is_named(desk: Desk) -> None:
    await desk.set(
        replace(RULE, include=("EEE_USDT", "GONE_USDT")), "AAA_USDT", "BBB_USDT", "CCC_USDT", "EEE_USDT"
    )
    desk.market.halted = frozenset({"AAA_USDT", "EEE_USDT"})
    await desk.run()
    assert await desk.present() == ["BBB_USDT", "CCC_USDT", "EEE_USDT"]
    assert desk.log.warnings() == ["BNC does not list GONE_USDT of its rule's include"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"halted": frozenset({"AAA_USDT", "BBB_USDT"})}, "2 of 3 subscribed instruments of BNC do"),
        ({"volumes": {"CCC_USDT": 1.0, "XXX_USDT": 1.0}}, "2 of 3 subscribed instruments"),
        ({"volumes": {"CCC_BTC": 1.0}}, "BNC shows nothing that the rule"),
        ({"volumes": dict.fromkeys(SOME, 0.0)}, "BNC tells no volume for any of 3"),
        ({"volumes": dict.fromkeys(SOME, None)}, "BNC tells no volume for any of 3"),
    ],
)  # fmt: skip
async def test_what_is_hard_to_believe_changes_nothing(
    desk: Desk, changes: dict[str, object], words: str
) -> None:
    await desk.set(RULE, "AAA_USDT", "BBB_USDT", "CCC_USDT")
    for name, value in changes.items():
        setattr(desk.market, name, value)
    with pytest.raises(VenueProtocolError, match=words):
        await desk.run()
    assert await desk.present() == ["AAA_USDT", "BBB_USDT", "CCC_USDT"]
    async with desk.database.read() as connection:
        assert [choice.resolved_ms for choice in await list_choices(connection)] == [1_000]


async def test_named_ones_may_all_be_halted(desk: Desk) -> None:
    await desk.set(replace(RULE, top=1, include=SOME), *SOME, "DDD_USDT")
    desk.market.halted = frozenset(SOME)
    await desk.run()
    assert await desk.present() == [*SOME, "DDD_USDT"]


async def test_two_of_two_may_go(desk: Desk) -> None:
    await desk.set(RULE, "AAA_USDT", "BBB_USDT")
    desk.market.halted = frozenset({"AAA_USDT", "BBB_USDT"})
    await desk.run()
    assert await desk.present() == ["CCC_USDT", "DDD_USDT"]


async def test_an_exchange_that_is_away_changes_nothing(desk: Desk) -> None:
    await desk.set(RULE, "EEE_USDT")
    desk.market.error = VenueUnavailableError("away")
    with pytest.raises(VenueUnavailableError):
        await desk.run()
    assert await desk.present() == ["EEE_USDT"]


@pytest.mark.parametrize("rule", [None, replace(RULE, top=3)])
async def test_whoever_chooses_meanwhile_wins(desk: Desk, rule: SubscriptionRule | None) -> None:
    await desk.set(RULE)
    desk.market.gate = asyncio.Event()
    going = asyncio.create_task(desk.run())
    await desk.market.calls.acquire()
    await desk.set(rule, "EEE_USDT")
    desk.market.gate.set()
    assert nonzero(await going) == {}
    assert await desk.present() == ["EEE_USDT"]
    assert desk.log.lines == [("info", "BNC: its subscriptions were changed meanwhile; nothing is done")]


async def test_one_chunk_for_each_exchange_with_a_rule(desk: Desk) -> None:
    await desk.set(None, "AAA_USDT")
    plan = await desk.plan()
    assert (list(plan.chunks), desk.log.lines) == (
        [],
        [("info", "No exchange is subscribed to by a rule: nothing to do")],
    )
    await desk.set(RULE, exchange="OKX")
    await desk.set(RULE)
    plan = await desk.plan()
    assert [(chunk.key, chunk.queue) for chunk in plan.chunks] == [("BNC", "BNC")]
    assert dict(plan.failures) == {"OKX": "no adapter for exchange OKX is installed"}
    assert (await desk.plan(exchanges=["OKX"])).chunks == []


async def test_a_rule_that_is_gone_when_its_turn_comes_asks_nobody(desk: Desk) -> None:
    await desk.set(RULE)
    [chunk] = (await desk.plan()).chunks
    await desk.set(None, "EEE_USDT")
    assert nonzero(await desk.handler.run(running(chunk), desk.log)) == {}
    assert desk.market.questions == []
    assert await desk.present() == ["EEE_USDT"]
