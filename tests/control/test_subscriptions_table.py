import pytest

from markethub.control.database import Database
from markethub.control.subscriptions import list_subscriptions, replace_subscriptions
from markethub.domain.errors import InputError
from markethub.domain.symbol import Symbol


def symbols(*texts: str) -> list[Symbol]:
    return [Symbol.parse(text) for text in texts]


async def test_replacing_touches_one_exchange_and_keeps_the_age_of_what_stays(database: Database) -> None:
    async with database.begin() as connection:
        await replace_subscriptions(connection, "OKX", symbols("BTC_USDT.OKX"), 1_000)
        await replace_subscriptions(connection, "BNC", symbols("ETH_USDT.BNC", "BTC_USDT.BNC"), 1_000)
        await replace_subscriptions(
            connection, "BNC", symbols("SOL_USDT.BNC", "BTC_USDT.BNC", "SOL_USDT.BNC"), 2_000
        )
        found = [(str(one.symbol), one.created_ms) for one in await list_subscriptions(connection)]
        assert found == [("BTC_USDT.BNC", 1_000), ("SOL_USDT.BNC", 2_000), ("BTC_USDT.OKX", 1_000)]
        only = await list_subscriptions(connection, ["OKX", "GIO"])
        assert [str(one.symbol) for one in only] == ["BTC_USDT.OKX"]
        assert await list_subscriptions(connection, []) == []
        await replace_subscriptions(connection, "BNC", [], 3_000)
        assert await list_subscriptions(connection, ["BNC"]) == []


async def test_a_symbol_of_another_exchange_changes_nothing(database: Database) -> None:
    async with database.begin() as connection:
        await replace_subscriptions(connection, "BNC", symbols("BTC_USDT.BNC"), 1_000)
        with pytest.raises(InputError, match=r"ETH_USDT\.OKX is not of exchange BNC"):
            await replace_subscriptions(connection, "BNC", symbols("SOL_USDT.BNC", "ETH_USDT.OKX"), 2_000)
        assert len(await list_subscriptions(connection)) == 1
