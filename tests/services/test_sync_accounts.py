"""Syncs of everything but klines, with targets that are looked up when they run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from markethub.config import AccountSettings
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.domain.execution import ExecutionStatus
from markethub.domain.support import DataKind
from markethub.ports.records import RecordQuery
from markethub.sandbox import SandboxSettings, running_sandbox
from markethub.sandbox.accounts import ACCOUNTS
from markethub.services.hub import Hub
from markethub.tables.catalog import TABLE_OF
from tests.services.sync_stage import HOUR, MovableClock, Stage, run_job


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    for one in ACCOUNTS:
        for part in ("key", "secret", "passphrase"):
            if text := getattr(one, part):
                monkeypatch.setenv(f"{one.venue}_{one.name}_{part.upper()}", text)
    clock = MovableClock()
    names = [f"{one.venue}_{one.name}" for one in ACCOUNTS]
    settings = {
        "accounts": {name: AccountSettings(key_env=name) for name in names},
        "subscriptions": {"BNC": ["BTC_USDT"], "OKX": ["BTC_USDT", "ETH_USDT"]},
    }
    small = SandboxSettings(clock=clock, orders_per_account=60, transfers_per_account=40)
    async with running_sandbox(small) as sandbox:
        yield Stage(sandbox, clock, tmp_path, settings)


def stored(hub: Hub, kind: DataKind, **where: list[str]) -> int:
    return hub.records.count_records(TABLE_OF[kind], RecordQuery(where=where))


async def test_listings_tickers_and_books_of_what_is_subscribed(stage: Stage) -> None:
    async with stage.hub() as hub:
        async with hub.database.begin() as connection:
            await ensure_jobs(connection, [JobSpec("books", "orderbook", "sync", "")], stage.clock())
        ended, result, _ = await run_job(hub, "sync_symbols_all")
        assert (ended.status, result["chunks"]["total"]) == (ExecutionStatus.SUCCESS, 3)
        ended, result, _ = await run_job(hub, "sync_tickers_all")
        assert (ended.status, result["inserted"]) == (ExecutionStatus.SUCCESS, 3)
        ended, result, _ = await run_job(hub, "books", {"limit": 5, "exchanges": ["OKX"]})
        assert (ended.status, result["inserted"]) == (ExecutionStatus.SUCCESS, 2)
        (depth,) = {
            book["depth"] for book in hub.records.read_records(TABLE_OF[DataKind.ORDERBOOK]).to_pylist()
        }
        assert depth == 5
        assert ended.parameters == {"limit": 5, "exchanges": ["OKX"]}, "the job's own words are kept"


async def test_balances_of_all_accounts(stage: Stage) -> None:
    able = [one for one in ACCOUNTS if one.venue == "OKX" and one.name in ("MM01", "EMPTY")]
    stage.settings["accounts"] = {
        name: AccountSettings(key_env=name) for name in (f"{one.venue}_{one.name}" for one in able)
    }
    async with stage.hub() as hub:
        ended, result, _ = await run_job(hub, "sync_balances_all")
        assert (ended.status, result["chunks"]["total"]) == (ExecutionStatus.SUCCESS, 2)
        assert result["inserted"] == stored(hub, DataKind.BALANCE, account=["OKX_MM01"]) > 0
        ended, result, _ = await run_job(hub, "sync_balances_all", {"accounts": ["OKX_MM01"]})
        assert result["chunks"]["total"] == 1


async def test_a_ledger_is_asked_from_where_it_is_known_to_be_complete(stage: Stage) -> None:
    kind = DataKind.FILL
    stage.settings["accounts"] = {"OKX_MM01": AccountSettings(key_env="OKX_MM01")}
    async with stage.hub() as hub:
        ended, first, _ = await run_job(hub, f"sync_{kind}s_all")
        assert (ended.status, ended.error) == (ExecutionStatus.SUCCESS, None)
        assert first["inserted"] == stored(hub, kind) > 10
        asked = sum(stage.requests().values())
    stage.clock.shift_ms += HOUR
    async with stage.hub() as hub:
        before = stored(hub, kind)
        ended, again, _ = await run_job(hub, f"sync_{kind}s_all")
        assert (ended.status, ended.error) == (ExecutionStatus.SUCCESS, None)
        assert again["inserted"] == stored(hub, kind) - before
        assert again["processed"] < first["processed"]
        assert again["chunks"]["total"] == 1
        assert sum(stage.requests().values()) - asked < asked


async def test_no_account_is_nothing_to_do(stage: Stage) -> None:
    stage.settings["accounts"] = {}
    async with stage.hub() as hub:
        async with hub.database.begin() as connection:
            await ensure_jobs(connection, [JobSpec("fills", "fill", "sync", "")], stage.clock())
        ended, result, lines = await run_job(hub, "fills")
        assert (ended.status, result["chunks"]["total"]) == (ExecutionStatus.SUCCESS, 0)
        assert ("INFO", "Nothing to sync: no account is configured on OKX") in lines
