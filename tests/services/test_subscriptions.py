"""Subscriptions by name and by rule, against the sandbox's exchanges."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from markethub.app import apply_settings, open_hub
from markethub.config import Settings
from markethub.control.audit import list_audit
from markethub.control.subscriptions import StoredSubscriptions
from markethub.domain.errors import InputError, UnavailableError
from markethub.domain.execution import ExecutionStatus, new_trace_id
from markethub.domain.subscription import SubscriptionRule
from markethub.domain.times import parse_time
from markethub.engine.handler import NewExecution
from markethub.sandbox import RunningSandbox
from markethub.services import subscriptions
from markethub.services.backfill import queue_kline_backfill, queue_symbol_backfill, queue_ticker_backfill
from markethub.services.hub import Hub
from markethub.services.subscriptions import list_subscriptions, set_rule, set_symbols
from tests.sandbox_keys import write_keys

LARGEST = ["BTC_USDT", "ETH_USDT", "SOL_USDT"]


def rule_of(**fields: Any) -> SubscriptionRule:  # noqa: ANN401  (any field)
    return SubscriptionRule.parse({"quote": "USDT", "top": 3, **fields})


async def plan_faults(sandbox: RunningSandbox, *faults: dict[str, object]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.url}/sandbox/faults", json=list(faults)) as reply,
    ):
        assert reply.status == 200


async def names(hub: Hub, exchange: str = "BNC") -> list[str]:
    return [symbol.instrument for symbol in await StoredSubscriptions(hub.database).symbols([exchange])]


async def finish(hub: Hub, execution_id: int) -> dict[str, Any]:
    ended = await hub.engine.wait(execution_id, 60)
    assert ended.status is ExecutionStatus.SUCCESS, ended.error
    return dict(ended.result or {})


async def test_a_rule_takes_the_largest_of_each_exchange(hub: Hub) -> None:
    for exchange in ("BNC", "OKX", "GIO"):
        update = await set_rule(hub, exchange, rule_of())
        assert await names(hub, exchange) == LARGEST
        assert [symbol.instrument for symbol in update.changes.symbols] == LARGEST
        choice = update.state.choice
        assert (choice.rule, choice.source.value, update.state.count) == (rule_of(), "api", 3)
        assert choice.resolved_ms == choice.updated_ms


async def test_it_takes_what_the_exchanges_own_numbers_say(hub: Hub, sandbox: RunningSandbox) -> None:
    await set_rule(hub, "BNC", rule_of(top=8))
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sandbox.url}/api/v3/ticker/24hr") as reply,
    ):
        tickers = [row for row in await reply.json() if row["symbol"].endswith("USDT")]
    volume = {row["symbol"].removesuffix("USDT"): float(row["quoteVolume"]) for row in tickers}
    chosen = {name.removesuffix("_USDT") for name in await names(hub)}
    assert len(chosen) == 8
    assert min(volume[base] for base in chosen) >= 0.99 * sorted(volume.values())[-8]  # a minute later


async def test_names_of_a_rule_are_in_or_out(hub: Hub) -> None:
    await set_rule(hub, "BNC", rule_of(exclude=["BTC_USDT"], include=["ETH_BTC"], top=2))
    assert await names(hub) == ["ETH_BTC", "ETH_USDT", "SOL_USDT"]


async def test_a_rule_that_cannot_be_right_changes_nothing(hub: Hub) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("BNC", {"quote": "EUR"}, "chooses nothing: no instrument in EUR trades on BNC"),
        ("BNC", {"quote": "BUSD"}, "no instrument in BUSD trades on BNC"),  # listed, but its trading ended
        ("BNC", {"include": ["NOSUCH_USDT"]}, "BNC does not list NOSUCH_USDT of include"),
        ("XYZ", {}, "exchange 'XYZ' is unknown; known are BNC, OKX, GIO"),
        ("US", {}, "exchange 'US' is unknown"),
    ]
    for exchange, fields, words in cases:
        with pytest.raises(InputError) as caught:
            await set_rule(hub, exchange, rule_of(**fields))
        assert words in str(caught.value)
    assert await names(hub) == ["BTC_USDT", "ETH_USDT"]


async def test_an_exchange_that_is_away_changes_nothing(
    hub: Hub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plan_faults(sandbox, {"path": "/api/v3", "kind": "status", "status": 503, "times": 0})
    with pytest.raises(UnavailableError, match="nothing was changed: BNC exchange information: HTTP 503"):
        await set_rule(hub, "BNC", rule_of())
    await plan_faults(sandbox, {"path": "/api/v3", "kind": "hang", "times": 0})
    monkeypatch.setattr(subscriptions, "RESOLVE_TIMEOUT_S", 0.2)
    with pytest.raises(UnavailableError, match=r"BNC did not answer within 0\.2 s; nothing was changed"):
        await set_rule(hub, "BNC", rule_of())
    assert await names(hub) == ["BTC_USDT", "ETH_USDT"]
    assert (await list_subscriptions(hub)).exchanges[0].choice.source.value == "config"


async def test_symbols_by_name_in_either_spelling(hub: Hub) -> None:
    update = await set_symbols(hub, "BNC", ["ETH_USDT.BNC", "ADA_USDT", "ETH_USDT"])
    assert [str(one) for one in update.changes.added] == ["ADA_USDT.BNC"]
    assert [str(one) for one in update.changes.removed] == ["BTC_USDT.BNC"]
    assert await names(hub) == ["ADA_USDT", "ETH_USDT"]
    update = await set_symbols(hub, "BNC", [])
    assert (update.state.count, await names(hub)) == (0, [])


async def test_what_is_no_symbol_of_the_exchange_is_refused(hub: Hub) -> None:
    for symbol, words in (
        ("BTC_USDT.OKX", "symbol BTC_USDT.OKX is not of exchange BNC"),
        ("US.AAPL", "symbol US.AAPL is not of exchange BNC"),
        ("btc_usdt", "'btc_usdt' is not BASE_QUOTE"),
        ("BTC_USDT.B", "is not BASE_QUOTE.EXCHANGE"),
    ):
        with pytest.raises(InputError) as caught:
            await set_symbols(hub, "BNC", ["ADA_USDT", symbol])
        assert words in str(caught.value)
    assert await names(hub) == ["BTC_USDT", "ETH_USDT"]


async def test_names_are_checked_once_a_listing_is_stored(hub: Hub) -> None:
    await set_symbols(hub, "BNC", ["NOSUCH_USDT"])
    queued = await queue_symbol_backfill(hub, exchanges=["BNC"])
    await finish(hub, queued.execution_id)
    unknown = [f"NONE{number}_USDT" for number in range(7)]
    with pytest.raises(InputError) as caught:
        await set_symbols(hub, "BNC", ["BTC_USDT", *unknown])
    assert str(caught.value).startswith(
        "BNC does not list NONE0_USDT.BNC, NONE1_USDT.BNC, NONE2_USDT.BNC, NONE3_USDT.BNC, "
        "NONE4_USDT.BNC and 2 more, says its stored listing"
    )
    assert await names(hub) == ["NOSUCH_USDT"]
    await set_symbols(hub, "BNC", ["BTC_USDT"])
    await set_symbols(hub, "OKX", ["NOSUCH_USDT"])  # another exchange's listing


async def test_each_change_is_in_the_audit(hub: Hub) -> None:
    await set_symbols(hub, "BNC", ["ADA_USDT", "BTC_USDT"])
    await set_rule(hub, "OKX", rule_of())
    async with hub.database.read() as connection:
        rows, _ = await list_audit(connection, action="subscription")
    assert [(row.action, row.target) for row in rows] == [
        ("subscription.set", "OKX"), ("subscription.set", "BNC"), ("subscription.configure", "BNC"),
    ]  # fmt: skip
    assert rows[1].details == {
        "rule": None, "count": 2, "added": ["ADA_USDT.BNC"], "removed": ["ETH_USDT.BNC"],
    }  # fmt: skip
    assert rows[0].details["rule"] == rule_of().to_json()
    assert rows[2].details == {"configured": ["BTC_USDT", "ETH_USDT"]}


async def test_work_without_symbols_counts_names_and_rules_alike(hub: Hub) -> None:
    await set_rule(hub, "OKX", rule_of())
    both = await queue_kline_backfill(
        hub,
        exchanges=["BNC", "OKX"],
        symbols=None,
        intervals=["1d"],
        start_ms=parse_time("2024-01-01"),
        end_ms=parse_time("2024-01-02"),
    )
    assert both.message == "Kline backfill queued | exchanges=2 | symbols=5"
    everything = await queue_ticker_backfill(hub, exchanges=None, symbols=None)
    assert everything.message == "Ticker backfill queued | exchanges=2 | symbols=5"
    await finish(hub, both.execution_id)


@pytest.fixture
def by_rule(settings: Settings, tmp_path: Path) -> Settings:
    """A fresh install whose configuration has a rule."""
    told = settings.model_dump() | {
        "data_dir": tmp_path / "fresh",
        "subscriptions": {"BNC": {"quote": "USDT", "top": 3}},
        "accounts": write_keys(tmp_path / "keys"),
    }
    return Settings(**told)


@asynccontextmanager
async def resolved(settings: Settings) -> AsyncIterator[Hub]:
    """A hub whose rules have all chosen."""
    async with open_hub(settings) as hub:
        await until_resolved(hub)
        yield hub


async def until_resolved(hub: Hub) -> None:
    async with asyncio.timeout(30):
        while True:
            states = (await list_subscriptions(hub)).exchanges
            if all(state.choice.resolved_ms for state in states if state.choice.rule):
                return
            await asyncio.sleep(0.02)


async def test_a_configured_rule_chooses_soon_after_the_start(by_rule: Settings) -> None:
    async with resolved(by_rule) as hub:
        assert await names(hub) == LARGEST
        [state] = (await list_subscriptions(hub)).exchanges
        assert (state.choice.source.value, state.count) == ("config", 3)


async def test_a_rule_that_waits_says_so_and_keeps_nobody_waiting(
    by_rule: Settings, sandbox: RunningSandbox
) -> None:
    await plan_faults(sandbox, {"path": "/api/v3", "kind": "hang", "times": 0})
    async with open_hub(by_rule) as hub:
        with pytest.raises(InputError) as caught:
            await queue_ticker_backfill(hub, exchanges=None, symbols=None)
    assert str(caught.value).startswith(
        "no symbol is subscribed on BNC, OKX, GIO (the rule of BNC waits for an answer of the exchange); name"
    )


async def test_the_job_lets_rules_choose_anew(by_rule: Settings) -> None:
    async with resolved(by_rule) as hub:
        before = (await list_subscriptions(hub)).exchanges[0].choice
        name = "sync_subscriptions"
        request = NewExecution(name, {}, new_trace_id(name), "Run of sync_subscriptions queued")
        result = await finish(hub, await hub.engine.enqueue(request))
        assert (result["processed"], result["unchanged"]) == (3, 3)
        after = (await list_subscriptions(hub)).exchanges[0].choice
        assert before.resolved_ms is not None
        assert after.resolved_ms is not None
        assert after.resolved_ms > before.resolved_ms
        assert after.updated_ms == before.updated_ms


async def test_what_was_set_survives_a_restart_until_the_configuration_changes(by_rule: Settings) -> None:
    async with resolved(by_rule) as hub:
        await set_symbols(hub, "BNC", ["ADA_USDT"])
    async with resolved(by_rule) as hub:
        assert await names(hub) == ["ADA_USDT"]
    changed = by_rule.model_copy(update={"subscriptions": {"BNC": ("BNB_USDT",), "OKX": ("BTC_USDT",)}})
    async with resolved(changed) as hub:
        assert (await names(hub), await names(hub, "OKX")) == (["BNB_USDT"], ["BTC_USDT"])


async def test_a_reload_takes_over_what_has_changed_and_nothing_else(hub: Hub, settings: Settings) -> None:
    await set_symbols(hub, "BNC", ["ADA_USDT"])
    rule = rule_of(top=1)
    changed = settings.model_copy(update={"subscriptions": settings.subscriptions | {"GIO": rule}})
    await apply_settings(hub, changed)
    await until_resolved(hub)
    assert (await names(hub), await names(hub, "GIO")) == (["ADA_USDT"], ["BTC_USDT"])
    await apply_settings(hub, settings)
    assert (await names(hub), await names(hub, "GIO")) == (["ADA_USDT"], [])
