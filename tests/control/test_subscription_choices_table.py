"""How subscriptions were chosen, on both databases."""

import asyncio

import pytest

from markethub.control.database import Database
from markethub.control.subscription_choices import (
    StoredChoice,
    forget_choice,
    list_choices,
    note_configured,
    note_resolved,
    set_choice,
)
from markethub.control.subscriptions import (
    StoredSubscriptions,
    count_subscriptions,
    page_subscriptions,
    replace_subscriptions,
)
from markethub.domain.errors import InputError
from markethub.domain.subscription import Source, SubscriptionRule
from markethub.domain.symbol import Symbol

RULE = SubscriptionRule.parse({"quote": "USDT", "top": 3, "exclude": ["USDC_USDT"]})


def symbols(*texts: str) -> list[Symbol]:
    return [Symbol.parse(text) for text in texts]


async def put(
    database: Database,
    exchange: str = "BNC",
    rule: SubscriptionRule | None = RULE,
    now_ms: int = 1_000,
    resolved_ms: int | None = None,
) -> StoredChoice:
    async with database.begin() as connection:
        await set_choice(connection, exchange, rule, Source.API, now_ms=now_ms, resolved_ms=resolved_ms)
        [choice] = await list_choices(connection, [exchange])
        return choice


async def resolve(database: Database, choice: StoredChoice, now_ms: int) -> bool:
    async with database.begin() as connection:
        return await note_resolved(connection, choice, now_ms)


async def test_a_choice_comes_back_as_it_was_set(database: Database) -> None:
    by_rule = await put(database, "OKX", resolved_ms=1_000)
    assert by_rule == StoredChoice("OKX", RULE, None, Source.API, 1_000, 1_000)
    by_name = await put(database, "BNC", None)
    assert by_name == StoredChoice("BNC", None, None, Source.API, 1_000, None)
    async with database.begin() as connection:
        assert await list_choices(connection) == [by_name, by_rule]
        assert await list_choices(connection, ["GIO"]) == []
        await forget_choice(connection, "BNC")
        assert await list_choices(connection) == [by_rule]


async def test_what_the_configuration_said_outlives_other_choices(database: Database) -> None:
    await put(database)
    await put(database, "OKX")
    async with database.begin() as connection:
        await note_configured(connection, "BNC", '["BTC_USDT"]')
    assert (await put(database, rule=None, now_ms=2_000)).configured == '["BTC_USDT"]'
    async with database.read() as connection:
        assert [choice.configured for choice in await list_choices(connection)] == ['["BTC_USDT"]', None]


async def test_each_choice_is_later_than_the_one_before_whatever_the_clock_says(database: Database) -> None:
    times = [(await put(database, now_ms=now_ms)).updated_ms for now_ms in (5_000, 5_000, 3_000, 9_000)]
    assert times == [5_000, 5_001, 5_002, 9_000]


async def test_only_the_choice_in_force_is_resolved(database: Database) -> None:
    old = await put(database)
    assert await resolve(database, old, 1_500)
    new = await put(database)  # the same rule, set again at the same moment
    assert not await resolve(database, old, 2_000)
    async with database.read() as connection:
        assert (await list_choices(connection))[0].resolved_ms is None
    assert await resolve(database, new, 2_500)
    async with database.read() as connection:
        assert (await list_choices(connection))[0].resolved_ms == 2_500


async def test_setting_and_replacing_at_once_leaves_one_of_them_whole(database: Database) -> None:
    """Each caller's choice and symbols belong together, however many set the same exchange side by side."""
    sets = {f"C{number}": [f"C{number}_USDT.BNC", f"D{number}_USDT.BNC"] for number in range(6)}

    async def set_one(quote: str, names: list[str]) -> None:
        rule = SubscriptionRule.parse({"quote": quote, "top": 2})
        async with database.begin() as connection:
            await set_choice(connection, "BNC", rule, Source.API, now_ms=1_000, resolved_ms=1_000)
            await replace_subscriptions(connection, "BNC", symbols(*names), 1_000)

    await asyncio.gather(*(set_one(quote, names) for quote, names in sets.items()))
    async with database.read() as connection:
        [choice] = await list_choices(connection)
    assert choice.rule is not None
    assert [str(one) for one in await StoredSubscriptions(database).symbols()] == sets[choice.rule.quote]


@pytest.fixture
async def filled(database: Database) -> Database:
    async with database.begin() as connection:
        await replace_subscriptions(connection, "OKX", symbols("BTC_USDT.OKX", "DOGE_USDT.OKX"), 3_000)
        await replace_subscriptions(connection, "BNC", symbols("ETH_BTC.BNC", "BTC_USDT.BNC"), 1_000)
    return database


async def test_pages_by_exchange_search_and_order(filled: Database) -> None:
    async def page(**options: object) -> tuple[list[str], int]:
        async with filled.read() as connection:
            rows, total = await page_subscriptions(connection, **options)  # type: ignore[arg-type]
        return [str(row.symbol) for row in rows], total

    assert await page() == (["BTC_USDT.BNC", "BTC_USDT.OKX", "DOGE_USDT.OKX", "ETH_BTC.BNC"], 4)
    assert await page(limit=1, offset=2) == (["DOGE_USDT.OKX"], 4)
    assert await page(exchange="OKX") == (["BTC_USDT.OKX", "DOGE_USDT.OKX"], 2)
    assert await page(search="usdt.b") == (["BTC_USDT.BNC"], 1)
    assert await page(search="C_U") == (["BTC_USDT.BNC", "BTC_USDT.OKX"], 2)  # _ is no wildcard
    assert (await page(order_by="created_at", order_desc=True))[0][2:] == ["ETH_BTC.BNC", "BTC_USDT.BNC"]
    with pytest.raises(InputError, match="order_by 'colour' is not one of symbol, exchange, created_at"):
        await page(order_by="colour")


async def test_counts_and_the_symbols_of_some_exchanges(filled: Database) -> None:
    async with filled.read() as connection:
        assert await count_subscriptions(connection) == {"BNC": 2, "OKX": 2}
    stored = StoredSubscriptions(filled)
    assert await stored.symbols(["OKX"]) == symbols("BTC_USDT.OKX", "DOGE_USDT.OKX")
    assert len(await stored.symbols()) == 4
    assert await stored.symbols([]) == await stored.symbols(["GIO"]) == []


async def test_a_replacement_tells_what_it_did(filled: Database) -> None:
    async with filled.begin() as connection:
        changes = await replace_subscriptions(
            connection, "OKX", symbols("SOL_USDT.OKX", "BTC_USDT.OKX", "ADA_USDT.OKX"), 4_000
        )
    assert changes.added == symbols("ADA_USDT.OKX", "SOL_USDT.OKX")
    assert changes.removed == symbols("DOGE_USDT.OKX")
    assert changes.kept == symbols("BTC_USDT.OKX")
    assert changes.symbols == symbols("ADA_USDT.OKX", "BTC_USDT.OKX", "SOL_USDT.OKX")
