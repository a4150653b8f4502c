"""Every kind of every venue, through the engine into the store, while one request in five goes wrong."""

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import aiohttp
import orjson
import pyarrow as pa
import pytest

from markethub.app import open_hub
from markethub.config import AccountSettings, Settings
from markethub.domain.execution import ExecutionStatus
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import LEDGER_KINDS, SUPPORT, DataKind
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.ports.records import RecordQuery
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.sandbox.accounts import ACCOUNTS
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.settings import clock_starting_at
from markethub.services import backfill
from markethub.services.backfill import Queued
from markethub.services.hub import Hub
from markethub.tables.catalog import TABLE_OF
from markethub.tables.klines import open_times_ms
from tests.okx_ledger_truth import find_rows, key_of, ledger_of, moment

NOW = parse_time("2026-06-17T15:20:30")
MINUTE, DAY = 60_000, 86_400_000
ORDERS, TRANSFERS = 1200, 800

# Together they take one request in five.
FAULTS = [
    {"path": "/", "kind": "status", "status": 503, "rate": 0.06, "times": 0},
    {"path": "/", "kind": "html", "status": 502, "rate": 0.03, "times": 0},
    {"path": "/", "kind": "disconnect", "rate": 0.03, "times": 0},
    {"path": "/", "kind": "truncate", "rate": 0.04, "times": 0},
    {"path": "/", "kind": "garbage", "rate": 0.05, "times": 0},
    {"path": "/api/v5", "kind": "throttle_in_200", "rate": 0.01, "times": 0},
    {"path": "/api/", "kind": "status", "status": 429, "retry_after_s": 1, "rate": 0.01, "times": 0},
]


@pytest.fixture
def settings() -> SandboxSettings:
    return SandboxSettings(
        clock=clock_starting_at(NOW), orders_per_account=ORDERS, transfers_per_account=TRANSFERS
    )


@pytest.fixture
async def sandbox(settings: SandboxSettings) -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(settings) as running, aiohttp.ClientSession() as session:
        plan = orjson.dumps({"seed": 11, "faults": FAULTS})
        async with session.post(f"{running.url}/sandbox/faults", data=plan) as reply:
            assert reply.status == 200
        yield running


@pytest.fixture
async def hub(
    settings: SandboxSettings, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Hub]:
    for one in ACCOUNTS:
        for part in ("key", "secret", "passphrase"):
            if text := getattr(one, part):
                monkeypatch.setenv(f"{one.venue}_{one.name}_{part.upper()}", text)
    accounts = {f"{one.venue}_{one.name}": f"{one.venue}_{one.name}" for one in ACCOUNTS}
    more = {"quick_retries": "4", "request_timeout_s": "10"}
    configured = Settings(
        data_dir=tmp_path / "data",
        venues={
            "BNC": {"base_url": sandbox.url, "archive_url": sandbox.url, **more},
            "OKX": {"base_url": sandbox.url, **more},
            "GIO": {"base_url": f"{sandbox.url}/api/v4", **more},
        },
        accounts={name: AccountSettings(key_env=prefix) for name, prefix in accounts.items()},
    )
    async with open_hub(configured, settings.clock) as opened:
        yield opened


async def finish(hub: Hub, queueing: Awaitable[Queued]) -> dict[str, int]:
    queued = await queueing
    ended = await hub.engine.wait(queued.execution_id, 110)
    assert ended.status is ExecutionStatus.SUCCESS, (queued.trace_id, ended.error)
    counts = dict(ended.result or {})
    assert counts["inserted"] + counts["updated"] + counts["unchanged"] == counts["processed"]
    return counts


def read(hub: Hub, kind: DataKind, **where: list[str]) -> pa.Table:
    return hub.records.read_records(TABLE_OF[kind], RecordQuery(where=where))


def listed(code: str) -> set[str]:
    """What a venue of the sandbox shows now; from OKX delisted pairs vanish."""
    roots = SymbolCatalog().by_root.values()
    return {f"{one.root}.{code}" for one in roots if code != "OKX" or one.delisted_ms is None}


async def test_klines(hub: Hub) -> None:
    minutes = Span(NOW // DAY * DAY - 3 * DAY, NOW // DAY * DAY)
    symbols = [f"ETH_USDT.{code}" for code in SUPPORT]
    counts = await finish(
        hub,
        backfill.queue_kline_backfill(
            hub,
            exchanges=None,
            symbols=symbols,
            intervals=["1m", "1h"],
            start_ms=minutes.start_ms,
            end_ms=minutes.end_ms,
        ),
    )
    for symbol in symbols:
        for interval, rows in ((Interval.M1, 4320), (Interval.H1, 72)):
            bars = hub.store.read(Series(Symbol.parse(symbol), interval))
            expected = range(minutes.start_ms, minutes.end_ms, interval.width_ms)
            assert open_times_ms(bars).to_pylist() == list(expected)
            assert len(bars) == rows
    assert counts["inserted"] == 3 * (4320 + 72)


async def test_listings_tickers_and_books(hub: Hub) -> None:
    await finish(hub, backfill.queue_symbol_backfill(hub, exchanges=list(SUPPORT)))
    for code in SUPPORT:
        symbols = read(hub, DataKind.SYMBOL)["symbol"].to_pylist()
        stored = [symbol for symbol in symbols if symbol.endswith(code)]
        assert sorted(stored) == sorted(listed(code)), code
    wanted = [f"{root}.{code}" for code in SUPPORT for root in ("BTC_USDT", "ETH_USDT", "SOL_USDT")]
    counts = await finish(hub, backfill.queue_ticker_backfill(hub, exchanges=None, symbols=wanted))
    assert counts["inserted"] == 9
    assert sorted(read(hub, DataKind.TICKER)["symbol"].to_pylist()) == sorted(wanted)
    for depth in (20, 1000):
        queueing = backfill.queue_orderbook_backfill(hub, exchanges=None, symbols=wanted, limit=depth)
        assert (await finish(hub, queueing))["inserted"] == 9
    books = read(hub, DataKind.ORDERBOOK)
    assert sorted(books["symbol"].to_pylist()) == sorted(wanted * 2)
    for book in books.to_pylist():
        assert len(book["bid_prices"]) == len(book["bid_sizes"]) == book["depth"]
        assert book["bid_prices"][0] < book["ask_prices"][0]


async def test_balances(hub: Hub) -> None:
    accounts = ["BNC_MM01", "BNC_EMPTY", "OKX_MM01", "OKX_EMPTY"]
    await finish(hub, backfill.queue_balance_backfill(hub, exchanges=None, accounts=accounts))
    for account in accounts:
        rows = read(hub, DataKind.BALANCE, account=[account])
        is_empty = account.endswith("EMPTY")
        assert set(rows["wallet"].to_pylist()) == (set() if is_empty else {"trading", "funding"})
        claims = hub.records.covered_records(TABLE_OF[DataKind.BALANCE], account, Span(0, NOW + DAY))
        assert len(claims) == 1, "an empty account is told apart from one that was not asked"


@pytest.mark.parametrize("kind", LEDGER_KINDS)
async def test_ledgers(hub: Hub, settings: SandboxSettings, kind: DataKind) -> None:
    asked = Span(NOW - 85 * DAY, NOW - DAY)
    before_ms = settings.clock()

    def queue() -> Awaitable[Queued]:
        return backfill.queue_ledger_backfill(
            hub,
            kind,
            exchanges=None,
            accounts=["OKX_MM01"],
            symbols=None,
            start_ms=asked.start_ms,
            end_ms=asked.end_ms,
        )

    counts = await finish(hub, queue())
    ledger = ledger_of("MM01", ORDERS, TRANSFERS)
    time = TABLE_OF[kind].time

    def truth_at(now_ms: int) -> dict[tuple[str, ...], dict[str, object]]:
        rows = find_rows(kind, ledger, now_ms)
        start, end = moment(asked.start_ms), moment(asked.end_ms)
        return {key: row for key, row in rows.items() if start <= row[time] < end}

    early, late = truth_at(before_ms), truth_at(settings.clock())
    certain = {key: row for key, row in early.items() if late.get(key) == row}
    stored = {key_of(kind, row): row for row in read(hub, kind).to_pylist()}
    inside = {
        key: row for key, row in stored.items() if moment(asked.start_ms) <= row[time] < moment(asked.end_ms)
    }
    assert len(certain) > 500
    assert certain.items() <= {key: row for key, row in inside.items() if key in certain}.items()
    assert set(inside) <= set(early) | set(late)
    assert counts["inserted"] == len(stored), "none twice"
    again = await finish(hub, queue())
    assert again["inserted"] == 0


async def test_one_request_in_five_went_wrong(hub: Hub, sandbox: RunningSandbox) -> None:
    await finish(hub, backfill.queue_symbol_backfill(hub, exchanges=list(SUPPORT)))
    await test_klines(hub)
    async with aiohttp.ClientSession() as session, session.get(f"{sandbox.url}/sandbox/stats") as reply:
        stats = await reply.json()
    hits = sum(fault["hit"] for fault in stats["faults"])
    assert 0.12 <= hits / sum(stats["requests"].values()) <= 0.3
