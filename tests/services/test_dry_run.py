"""Dry runs, held against what the same backfills then did and what the sandbox counted."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from markethub.api.app import create_api
from markethub.app import open_hub
from markethub.config import AccountSettings, Settings
from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.errors import InputError, UnavailableError
from markethub.domain.execution import ExecutionStatus
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.engine.engine import Engine
from markethub.jobs.kline_plan import KlineBackfill
from markethub.ports.store import Coverage
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.sandbox.accounts import ACCOUNTS
from markethub.sandbox.settings import clock_starting_at
from markethub.services import backfill
from markethub.services.access import create_token
from markethub.services.backfill import Extras, Queued
from markethub.services.dry_run import SHOWN_CHUNKS, DryRun, foresee_backfill
from markethub.services.executions import list_executions, show_progress
from markethub.services.hub import Hub
from markethub.tables.klines import empty_klines
from tests.bare_hub import bare_hub

# In the morning: Binance's daily files come at noon, so that yesterday is for REST.
NOW = parse_time("2026-06-17T11:20:30Z")
YESTERDAY = parse_time("2026-06-16")
DRY = Extras(dry_run=True)

KLINE_PATHS = {
    "BNC": ("/api/v3/klines",),
    "OKX": ("/api/v5/market/candles", "/api/v5/market/history-candles"),
    "GIO": ("/api/v4/spot/candlesticks",),
}


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    settings = SandboxSettings(
        clock=clock_starting_at(NOW), orders_per_account=300, transfers_per_account=100
    )
    async with running_sandbox(settings) as running:
        yield running


@pytest.fixture
async def hub(sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    for one in ACCOUNTS:
        for part in ("key", "secret", "passphrase"):
            if text := getattr(one, part):
                monkeypatch.setenv(f"{one.venue}_{one.name}_{part.upper()}", text)
    accounts = {f"{one.venue}_{one.name}": f"{one.venue}_{one.name}" for one in ACCOUNTS}
    settings = Settings(
        data_dir=tmp_path / "data",
        venues={
            "BNC": {"base_url": sandbox.url, "archive_url": sandbox.url},
            "OKX": {"base_url": sandbox.url},
            "GIO": {"base_url": f"{sandbox.url}/api/v4"},
        },
        accounts={name: AccountSettings(key_env=prefix) for name, prefix in accounts.items()},
    )
    async with open_hub(settings, clock_starting_at(NOW)) as opened:
        yield opened


def klines(hub: Hub, *symbols: str, **fields: Any) -> partial[Any]:  # noqa: ANN401
    usual = {"intervals": ["1m"], "start_ms": YESTERDAY, "end_ms": NOW}
    return partial(backfill.queue_kline_backfill, hub, exchanges=None, symbols=symbols, **{**usual, **fields})


async def plan_of(queue: partial[Any]) -> DryRun:
    planned: Queued = await queue(extras=DRY)
    assert (planned.execution_id, planned.trace_id, planned.status) == (0, "", "planned")
    assert planned.plan is not None
    return planned.plan


async def run(hub: Hub, queue: partial[Any], extras: Extras = backfill.USUAL) -> dict[str, Any]:
    queued: Queued = await queue(extras=extras)
    ended = await hub.engine.wait(queued.execution_id, 60)
    assert ended.status is ExecutionStatus.SUCCESS, ended.error
    return dict(ended.result or {}) | {"id": queued.execution_id, "message": queued.message}


async def test_rest_klines_cost_what_was_foreseen(hub: Hub, sandbox: RunningSandbox) -> None:
    queue = klines(hub, "ETH_USDT.BNC", "ETH_USDT.OKX", "ETH_USDT.GIO")
    plan = await plan_of(queue)
    assert (await list_executions(hub)).total == 0
    assert plan.totals.files == 0
    before = sandbox.stats.snapshot()["requests"]
    assert isinstance(before, dict)
    assert not set(before) & {path for paths in KLINE_PATHS.values() for path in paths}
    result = await run(hub, queue)
    counted = sandbox.stats.snapshot()["requests"]
    assert isinstance(counted, dict)
    for code, paths in KLINE_PATHS.items():
        totals = plan.by_exchange[code]
        assert totals.requests == sum(counted.get(path, 0) for path in paths), code
        assert totals.weight == (totals.requests or 0) * (2 if code == "BNC" else 1)
        assert not totals.is_least
    assert plan.totals.rows == result["processed"] == 3 * (24 * 60 + 11 * 60 + 20)
    assert plan.totals.requests == result["rest_pages"]
    stored = (await show_progress(hub, str(result["id"]))).chunks.rows
    assert sorted(one.key for one in plan.chunks) == sorted(one.key for one in stored)


async def test_after_the_run_there_is_nothing_to_plan_but_with_mode_all(hub: Hub) -> None:
    queue = klines(hub, "ETH_USDT.GIO", end_ms=NOW - 3_600_000)
    first = await run(hub, queue)
    assert (await plan_of(queue)).totals.chunks == 0
    again = await queue(extras=Extras(mode=BackfillMode.ALL, dry_run=True))
    assert again.plan.totals.rows == first["processed"]
    assert again.message == "Kline backfill planned | exchanges=1 | symbols=1 | mode=all"


async def test_archive_files_are_counted_and_what_they_lack_is_left_open(
    hub: Hub, sandbox: RunningSandbox
) -> None:
    queue = klines(
        hub,
        "BTC_USDT.BNC",
        intervals=["1h"],
        start_ms=parse_time("2018-01-01"),
        end_ms=parse_time("2018-03-15"),
    )
    plan = await plan_of(queue)
    # January and February are files; March, which is not asked for to its end, is for REST.
    assert (plan.totals.files, plan.totals.requests, plan.totals.is_least) == (2, 1, True)
    result = await run(hub, queue)
    assert result["archive_files"] == 2
    assert result["rest_pages"] >= 1


async def test_what_cannot_be_had_is_told_with_the_reason(hub: Hub) -> None:
    queue = klines(hub, "NOSUCH_USDT.GIO", "ETH_USDT.GIO", start_ms=parse_time("2026-01-01"))
    plan = await plan_of(queue)
    assert list(plan.failures) == ["ETH_USDT.GIO 1m"]
    assert "tells 1m bars of ETH_USDT.GIO over REST only from" in plan.failures["ETH_USDT.GIO 1m"]
    assert plan.failed == 1
    ticker = await backfill.queue_ticker_backfill(
        hub, exchanges=None, symbols=["NOSUCH_USDT.GIO", "ETH_USDT.GIO"], extras=DRY
    )
    assert ticker.plan is not None
    assert ticker.plan.failures == {"NOSUCH_USDT.GIO": "GIO does not list NOSUCH_USDT.GIO"}
    assert ticker.plan.totals.rows == 1


@pytest.mark.parametrize("kind", [DataKind.ORDER, DataKind.FILL, DataKind.TRANSFER])
async def test_ledgers_take_at_least_what_was_foreseen(
    hub: Hub, sandbox: RunningSandbox, kind: DataKind
) -> None:
    queue = partial(
        backfill.queue_ledger_backfill,
        hub,
        kind,
        exchanges=None,
        accounts=["OKX_MM01"],
        symbols=None,
        start_ms=parse_time("2026-05-01"),
        end_ms=parse_time("2026-06-15"),
    )
    plan = await plan_of(queue)
    assert (plan.totals.rows, plan.totals.is_least) == (None, True)
    await run(hub, queue)
    counted = sandbox.stats.snapshot()["requests"]
    assert isinstance(counted, dict)
    asked = sum(times for path, times in counted.items() if "history" in path)
    assert 0 < (plan.totals.requests or 0) <= asked


async def test_snapshots_cost_what_was_foreseen(hub: Hub, sandbox: RunningSandbox) -> None:
    symbols = [f"{root}.{code}" for code in KLINE_PATHS for root in ("BTC_USDT", "ETH_USDT", "SOL_USDT")]
    kinds: dict[str, tuple[partial[Any], dict[str, int], int | None]] = {
        "/ticker": (
            partial(backfill.queue_ticker_backfill, hub, exchanges=None, symbols=symbols),
            {"BNC": 2, "OKX": 1, "GIO": 1},
            9,
        ),
        "book": (
            partial(backfill.queue_orderbook_backfill, hub, exchanges=None, symbols=symbols, limit=500),
            {"BNC": 75, "OKX": 3, "GIO": 3},
            9,
        ),
        "depth": (
            partial(
                backfill.queue_orderbook_backfill, hub, exchanges=None, symbols=["ETH_USDT.BNC"], limit=20
            ),
            {"BNC": 5},
            1,
        ),
        "balance": (
            partial(backfill.queue_balance_backfill, hub, exchanges=None, accounts=["BNC_MM01", "OKX_MM01"]),
            {"BNC": 21, "OKX": 2},
            None,
        ),
        "symbol": (
            partial(backfill.queue_symbol_backfill, hub, exchanges=["BNC", "OKX", "GIO"]),
            {"BNC": 20, "OKX": 1, "GIO": 1},
            None,
        ),
    }
    for what, (queue, weights, rows) in kinds.items():
        plan = await plan_of(queue)
        assert {code: totals.weight for code, totals in plan.by_exchange.items()} == weights, what
        assert plan.totals.rows == rows, what
        before = _count(sandbox)
        await run(hub, queue)
        # The listing and the clock are for everybody; with the listing itself they are the work.
        assert plan.totals.requests == _count(sandbox) - before, what


def _count(sandbox: RunningSandbox) -> int:
    counted = sandbox.stats.snapshot()["requests"]
    assert isinstance(counted, dict)
    return sum(times for path, times in counted.items() if "time" not in path)


async def test_many_chunks_are_cut_and_totals_are_whole(hub: Hub) -> None:
    symbols = [
        f"{root}.BNC" for root in ("BTC_USDT", "ETH_USDT", "SOL_USDT", "BNB_USDT", "XRP_USDT", "ADA_USDT")
    ]
    queue = klines(hub, *symbols, start_ms=parse_time("2018-01-01"))
    plan = await plan_of(queue)
    assert len(plan.chunks) == SHOWN_CHUNKS
    assert plan.totals.chunks == 6 * (8 * 12 + 6)
    assert sum(totals.chunks for totals in plan.by_exchange.values()) == plan.totals.chunks
    assert plan.totals.rows == 6 * ((NOW - parse_time("2018-01-01")) // 60_000)


async def test_a_plan_that_takes_too_long_is_refused(hub: Hub) -> None:
    wanted = KlineBackfill((Symbol.parse("ETH_USDT.BNC"),), (Interval.M1,), Span(YESTERDAY, NOW))
    with pytest.raises(InputError, match="the plan is not ready after 0 s; ask for a shorter range"):
        await foresee_backfill(hub, DataKind.KLINE, wanted.to_parameters(), longest_s=0)


async def test_a_hub_without_workers_says_so(hub: Hub) -> None:
    idle = bare_hub(hub.database, Engine(hub.database, {}), hub.clock)
    with pytest.raises(UnavailableError, match="no worker of this hub runs backfill_kline"):
        await klines(idle, "ETH_USDT.BNC")(extras=DRY)


async def test_a_bar_within_a_gap_costs_a_page_for_each_side(hub: Hub, sandbox: RunningSandbox) -> None:
    series = Series(Symbol.parse("ETH_USDT.GIO"), Interval.M1)
    middle = Span(YESTERDAY + 600 * 60_000, YESTERDAY + 700 * 60_000)
    hub.store.upsert(series, empty_klines(), [Coverage(middle, "rest", NOW)]).result()
    queue = klines(hub, "ETH_USDT.GIO", end_ms=YESTERDAY + 1300 * 60_000)
    plan = await plan_of(queue)
    assert (plan.totals.requests, plan.totals.rows) == (2, 1200)
    result = await run(hub, queue)
    assert (result["rest_pages"], result["processed"]) == (2, 1200)


async def test_over_http_a_dry_run_uses_no_key_up_and_adds_one_field(hub: Hub) -> None:
    token, _ = await create_token(hub.database, hub.clock(), name="writer", scopes=["write:backfill"])
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "the-same"}
    body = {
        "symbols": ["ETH_USDT.GIO"],
        "intervals": ["1m"],
        "start_time": "2026-06-16T00:00:00Z",
        "end_time": "2026-06-16T20:00:00Z",
    }
    transport = httpx2.ASGITransport(create_api(hub))
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=headers) as client:

        async def post(**more: object) -> httpx2.Response:
            return await client.post("/api/v1/backfill/klines", json={**body, **more})

        for _ in range(2):
            planned = (await post(dry_run=True)).json()
            assert list(planned) == ["execution_id", "trace_id", "status", "message", "plan"]
            assert planned["message"] == "Kline backfill planned | exchanges=1 | symbols=1"
        assert planned["plan"]["totals"] == {
            "chunks": 1,
            "rows": 1200,
            "archive_files": 0,
            "requests": 2,
            "request_weight": 2,
            "at_least": False,
        }
        assert planned["plan"]["exchanges"] == [{**planned["plan"]["totals"], "exchange": "GIO"}]
        (chunk,) = planned["plan"]["chunks"]
        assert (chunk["key"], chunk["start"], chunk["end"]) == (
            "ETH_USDT.GIO 1m 2026-06",
            "2026-06-16T00:00:00Z",
            "2026-06-16T20:00:00Z",
        )
        queued = await post()
        assert list(queued.json()) == ["execution_id", "trace_id", "status", "message"]
        assert (await post()).json() == queued.json()
        assert (await post(priority=5)).status_code == 409, "another request under the same key"
        assert (await post(priority=0, mode="missing", dry_run=False)).json() == queued.json()
        for field, value in (("priority", 101), ("priority", 1.5), ("mode", "some"), ("dry_run", 1)):
            refused = await post(**{field: value})
            assert refused.status_code == 422
            assert field in refused.json()["error"]["message"]
        stranger = await client.post("/api/v1/backfill/klines", json=body, headers={"Authorization": "x"})
        assert stranger.status_code == 401
