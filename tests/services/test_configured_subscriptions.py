"""What the configuration says of subscriptions, and when it counts; on both databases."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.control.database import Database, open_database
from markethub.control.subscription_choices import StoredChoice, list_choices, note_resolved, set_choice
from markethub.control.subscriptions import StoredSubscriptions, replace_subscriptions
from markethub.domain.errors import VenueUnavailableError
from markethub.domain.subscription import Choice, Source, SubscriptionRule, parse_choice
from markethub.domain.symbol import Symbol
from markethub.ports.venue import Venue
from markethub.services.pending_rules import resolve_pending
from markethub.services.subscriptions import apply_configured
from tests.jobs.fake_venues import FakeVenue
from tests.jobs.ranked_market import RankedMarket

RULE = SubscriptionRule.parse({"quote": "USDT", "top": 2})
A, B = ("A_USDT",), ("B_USDT",)


async def state(database: Database, exchange: str = "BNC") -> tuple[list[str], str | None]:
    """The subscribed root symbols, and whose choice they are."""
    symbols = await StoredSubscriptions(database).symbols([exchange])
    async with database.read() as connection:
        choices = await list_choices(connection, [exchange])
    return [one.instrument for one in symbols], choices[0].source.value if choices else None


async def put(database: Database, names: tuple[str, ...], exchange: str = "BNC") -> None:
    """What a caller does."""
    async with database.begin() as connection:
        await set_choice(connection, exchange, None, Source.API, now_ms=5_000, resolved_ms=None)
        symbols = [Symbol(exchange, name) for name in names]
        await replace_subscriptions(connection, exchange, symbols, 5_000)


async def configure(database: Database, choice: Choice | None, exchange: str = "BNC") -> None:
    await apply_configured(database, {} if choice is None else {exchange: choice}, 1_000)


async def test_the_newer_word_counts(database: Database) -> None:
    await configure(database, A)
    assert await state(database) == (["A_USDT"], "config")
    await put(database, B)
    await configure(database, A)  # a restart
    assert await state(database) == (["B_USDT"], "api")
    await configure(database, ("A_USDT", "C_USDT"))
    assert await state(database) == (["A_USDT", "C_USDT"], "config")


async def test_taken_out_it_loses_what_it_had_chosen_and_no_more(database: Database) -> None:
    await configure(database, A)
    await configure(database, None)
    assert await state(database) == ([], None)
    await configure(database, A)
    await put(database, B)
    await configure(database, None)
    assert await state(database) == (["B_USDT"], "api")
    await configure(database, A)  # it says something again
    assert await state(database) == (["A_USDT"], "config")


async def test_a_rule_keeps_what_was_there_until_it_has_chosen(database: Database) -> None:
    await configure(database, A)
    await configure(database, RULE)
    assert await state(database) == (["A_USDT"], "config")
    async with database.read() as connection:
        [choice] = await list_choices(connection)
    assert (choice.rule, choice.resolved_ms) == (RULE, None)


async def test_a_rule_said_again_is_not_asked_for_again(database: Database) -> None:
    await configure(database, RULE)
    async with database.begin() as connection:
        [choice] = await list_choices(connection)
        assert await note_resolved(connection, choice, 2_000)
    await configure(database, parse_choice({"top": 2, "quote": "USDT", "keep": 4}))
    async with database.read() as connection:
        assert [one.resolved_ms for one in await list_choices(connection)] == [2_000]


async def test_what_an_older_release_had_mirrored_is_taken_over(database: Database) -> None:
    async with database.begin() as connection:
        for exchange in ("BNC", "OKX"):
            await replace_subscriptions(connection, exchange, [Symbol(exchange, "A_USDT")], 100)
    await configure(database, A)
    assert await state(database) == (["A_USDT"], "config")
    assert await state(database, "OKX") == ([], None)
    assert await StoredSubscriptions(database).symbols() == [Symbol("BNC", "A_USDT")]


async def test_two_processes_that_start_at_once(database: Database) -> None:
    await asyncio.gather(*(configure(database, A) for _ in range(5)))
    assert await state(database) == (["A_USDT"], "config")


words = st.sampled_from([None, (), A, B])
steps = st.lists(st.tuples(st.sampled_from(["configuration", "caller"]), words), max_size=8)


@pytest.fixture(scope="module")
def empty_control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A control database to be copied: to migrate one takes longer than an example."""
    path = tmp_path_factory.mktemp("empty") / "control.db"

    async def make() -> None:
        await (await open_database(f"sqlite:///{path}")).close()

    asyncio.run(make())
    return path


@settings(max_examples=30)
@given(steps)
def test_any_run_of_restarts_and_changes_goes_as_the_words_say(
    empty_control: Path, taken: list[tuple[str, tuple[str, ...] | None]]
) -> None:
    async def run(folder: str) -> None:
        database = await open_database(f"sqlite:///{shutil.copy(empty_control, folder)}")
        said: tuple[str, ...] | None = None
        present: tuple[str, ...] = ()
        source: str | None = None
        try:
            for who, names in taken:
                if who == "caller":
                    await put(database, names or ())
                    present, source = names or (), "api"
                else:
                    await configure(database, names)
                    if names != said and (names is not None or source == "config"):
                        present, source = names or (), None if names is None else "config"
                    said = names
                assert await state(database) == (list(present), source)
        finally:
            await database.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(folder))


class Watch:
    """Rules being resolved while the block lasts, without pauses."""

    def __init__(self, database: Database, market: RankedMarket) -> None:
        venues: Mapping[str, Venue] = {"BNC": cast("Venue", FakeVenue(market))}  # type: ignore[arg-type]
        self._work = resolve_pending(database, venues, lambda: 7_000, look_s=0, retry_s=0)

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._work)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        assert self._task.cancelled()


async def until_resolved(database: Database, exchange: str = "BNC") -> StoredChoice:
    async with asyncio.timeout(30):
        while True:
            async with database.read() as connection:
                [choice] = await list_choices(connection, [exchange])
            if choice.resolved_ms is not None:
                return choice
            await asyncio.sleep(0)


@pytest.mark.parametrize("error", [VenueUnavailableError("gone away"), KeyError("a bug of an adapter")])
async def test_an_exchange_that_is_away_is_asked_until_it_answers(
    database: Database, error: Exception
) -> None:
    market = RankedMarket({"A_USDT": 3.0, "B_USDT": 2.0, "C_USDT": 1.0}, error=error)
    await configure(database, RULE)
    async with Watch(database, market), asyncio.timeout(30):
        for _ in range(3):
            await market.calls.acquire()
        assert await state(database) == ([], "config")
        market.error = None
        assert (await until_resolved(database)).resolved_ms == 7_000
    assert await state(database) == (["A_USDT", "B_USDT"], "config")
    assert {asker.name for asker in market.asked} == {"subscriptions"}


async def test_one_exchange_without_an_answer_does_not_hold_up_another(database: Database) -> None:
    market = RankedMarket({"A_USDT": 3.0})
    await apply_configured(database, {"AAA": RULE, "BNC": RULE}, 1_000)  # nobody can ask AAA
    async with Watch(database, market):
        await until_resolved(database)
    assert await state(database) == (["A_USDT"], "config")


async def test_who_has_chosen_is_not_asked_again(database: Database) -> None:
    market = RankedMarket({"A_USDT": 3.0})
    await configure(database, RULE)
    async with Watch(database, market):
        await until_resolved(database)
        for _ in range(50):
            await asyncio.sleep(0)
    assert market.questions == ["listing"]
