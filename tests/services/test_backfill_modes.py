"""What ``mode`` and ``priority`` do to backfills, and how failures are made good."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.app import open_hub
from markethub.config import Settings, WorkerSettings
from markethub.control.ended_chunks import EndedChunk
from markethub.control.executions import Execution
from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.errors import InputError
from markethub.domain.execution import ExecutionStatus
from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge, subtract
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.jobs.choice import Choice
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.sandbox.settings import clock_starting_at
from markethub.services import backfill
from markethub.services.backfill import Extras, Queued
from markethub.services.executions import show_progress
from markethub.services.failed_work import failed_within, replay_failures
from markethub.services.hub import Hub
from markethub.tables.klines import KLINES, open_times_ms

NOW = parse_time("2026-06-17T11:20:30Z")
START = parse_time("2026-06-16")
DAY = 86_400_000

ALL = Extras(mode=BackfillMode.ALL)
FAILED = Extras(mode=BackfillMode.FAILED)


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings(clock=clock_starting_at(NOW))) as running:
        yield running


@pytest.fixture
async def hub(sandbox: RunningSandbox, tmp_path: Path) -> AsyncIterator[Hub]:
    settings = Settings(
        data_dir=tmp_path / "data",
        workers=WorkerSettings(max_attempts=1),
        venues={
            "BNC": {"base_url": sandbox.url, "archive_url": sandbox.url},
            "GIO": {"base_url": f"{sandbox.url}/api/v4", "quick_retries": "0"},
        },
    )
    async with open_hub(settings, clock_starting_at(NOW)) as opened:
        yield opened


async def break_down(sandbox: RunningSandbox, path: str, query: str) -> None:
    fault = {"path": path, "kind": "status", "status": 400, "times": 1000, "query": query}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.url}/sandbox/faults", json={"faults": [fault]}) as reply,
    ):
        assert reply.status == 200


async def repair(sandbox: RunningSandbox) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.url}/sandbox/reset") as reply,
    ):
        assert reply.status == 200


async def klines(hub: Hub, *roots: str, extras: Extras = backfill.USUAL, **fields: Any) -> Queued:  # noqa: ANN401
    usual: dict[str, Any] = {"intervals": ["1m"], "start_ms": START, "end_ms": START + DAY}
    return await backfill.queue_kline_backfill(
        hub,
        exchanges=None,
        symbols=[f"{root}.GIO" for root in roots],
        extras=extras,
        **{**usual, **fields},
    )


async def end_of(hub: Hub, queued: Queued) -> Execution:
    ended = await hub.engine.wait(queued.execution_id, 60)
    assert ended.status.is_final
    return ended


async def test_all_asks_again_and_counts_what_was_amended(hub: Hub) -> None:
    await end_of(hub, await klines(hub, "ETH_USDT"))
    series = Series(Symbol.parse("ETH_USDT.GIO"), Interval.M1)
    bars = hub.store.read(series)
    wrong = bars.set_column(
        KLINES.get_field_index("volume"), KLINES.field("volume"), [[1e9] * len(bars)]
    ).slice(100, 7)
    hub.store.upsert(series, wrong).result()
    usual = await end_of(hub, await klines(hub, "ETH_USDT"))
    assert (usual.chunks_total, "mode" in usual.parameters) == (0, False)
    queued = await klines(hub, "ETH_USDT", extras=ALL)
    assert queued.message == "Kline backfill queued | exchanges=1 | symbols=1 | mode=all"
    again = await end_of(hub, queued)
    assert again.parameters["mode"] == "all"
    assert (again.counters["updated"], again.counters["unchanged"]) == (7, 1440 - 7)
    assert hub.store.read(series).equals(bars)


async def test_all_leaves_alone_what_the_venue_tells_no_more(hub: Hub) -> None:
    start_ms = NOW - 12 * DAY  # Gate tells the last 10,000 minutes
    queued = await klines(hub, "ETH_USDT", extras=ALL, start_ms=start_ms, end_ms=NOW)
    first = await end_of(hub, queued)
    assert first.status is ExecutionStatus.FAILURE
    assert "over REST only from" in (first.error or "")
    assert first.counters["inserted"] > 9_900


async def test_failed_runs_only_what_failed(hub: Hub, sandbox: RunningSandbox) -> None:
    await break_down(sandbox, "/api/v4/spot/candlesticks", "ETH_USDT")
    first = await end_of(hub, await klines(hub, "ETH_USDT", "BTC_USDT"))
    assert (first.status, first.chunks_failed) == (ExecutionStatus.FAILURE, 1)
    await repair(sandbox)
    # More is asked for than had failed: another symbol, and a longer time.
    wider: dict[str, Any] = {"start_ms": START - DAY, "end_ms": NOW}
    queued = await klines(hub, "BTC_USDT", "ETH_USDT", "SOL_USDT", extras=FAILED, **wider)
    assert queued.message == "Kline backfill queued | exchanges=1 | symbols=3 | mode=failed | failed=1"
    second = await end_of(hub, queued)
    assert second.status is ExecutionStatus.SUCCESS, second.error
    chunks = (await show_progress(hub, str(second.id))).chunks.rows
    assert [chunk.key for chunk in chunks] == ["ETH_USDT.GIO 1m 2026-06"]
    stored = open_times_ms(hub.store.read(Series(Symbol.parse("ETH_USDT.GIO"), Interval.M1)))
    assert stored.to_pylist() == list(range(START, START + DAY, 60_000))
    third = await klines(hub, "ETH_USDT", extras=FAILED, **wider)
    assert third.message.endswith("| mode=failed | failed=0")
    ended = await end_of(hub, third)
    assert (ended.status, ended.chunks_total) == (ExecutionStatus.SUCCESS, 0)


async def test_what_failed_outside_of_the_range_stays(hub: Hub, sandbox: RunningSandbox) -> None:
    await break_down(sandbox, "/api/v4/spot/candlesticks", "ETH_USDT")
    await end_of(hub, await klines(hub, "ETH_USDT"))
    await repair(sandbox)
    other = await klines(hub, "ETH_USDT", extras=FAILED, start_ms=START + DAY, end_ms=NOW)
    assert other.message.endswith("failed=0")
    half = await klines(hub, "ETH_USDT", extras=FAILED, end_ms=START + DAY // 2)
    ended = await end_of(hub, half)
    assert ended.counters["inserted"] == 720
    rest = await klines(hub, "ETH_USDT", extras=FAILED)
    assert (await end_of(hub, rest)).counters["inserted"] == 720


async def test_failed_snapshots_are_taken_again(hub: Hub, sandbox: RunningSandbox) -> None:
    async def books(extras: Extras) -> Execution:
        symbols = ["ETH_USDT.GIO", "BTC_USDT.GIO"]
        queued = await backfill.queue_orderbook_backfill(
            hub, exchanges=None, symbols=symbols, limit=20, extras=extras
        )
        return await end_of(hub, queued)

    await break_down(sandbox, "/api/v4/spot/order_book", "ETH_USDT")
    first = await books(backfill.USUAL)
    assert (first.chunks_done, first.chunks_failed) == (1, 1)
    await repair(sandbox)
    second = await books(FAILED)
    assert second.parameters["symbols"] == ["ETH_USDT.GIO"]
    assert (second.status, second.chunks_done) == (ExecutionStatus.SUCCESS, 1)
    assert (await books(FAILED)).chunks_total == 0
    assert (await books(ALL)).chunks_total == 2


async def test_a_failed_listing_is_asked_for_again(hub: Hub, sandbox: RunningSandbox) -> None:
    await break_down(sandbox, "/api/v4/spot/currency_pairs", "")
    exchanges = ["BNC", "GIO"]
    first = await end_of(hub, await backfill.queue_symbol_backfill(hub, exchanges=exchanges))
    assert (first.chunks_done, first.chunks_failed) == (1, 1)
    await repair(sandbox)
    again = await end_of(hub, await backfill.queue_symbol_backfill(hub, exchanges=exchanges, extras=FAILED))
    assert again.parameters == {"exchanges": ["GIO"], "mode": "failed"}
    assert again.status is ExecutionStatus.SUCCESS
    tickers = await backfill.queue_ticker_backfill(
        hub, exchanges=None, symbols=["BTC_USDT.GIO"], extras=FAILED
    )
    assert tickers.message.endswith("| mode=failed | failed=0"), "another kind failed, not this one"


async def test_priority_is_kept_and_bounded(hub: Hub) -> None:
    queued = await klines(hub, "ETH_USDT", extras=Extras(priority=-100))
    assert (await end_of(hub, queued)).priority == -100
    for priority in (-101, 101):
        with pytest.raises(InputError, match=f"priority {priority} is not between -100 and 100"):
            Extras(priority=priority)


def chunk(execution_id: int, key: str, *, is_done: bool, span: Span | None = None) -> EndedChunk:
    named = {} if span is None else {"series": key, "start_ms": span.start_ms, "end_ms": span.end_ms}
    return EndedChunk(execution_id, key, is_done, named)


def test_a_ledger_is_named_by_its_owner() -> None:
    account = {"account": "OKX_MM01", "symbol": None, "start_ms": 0, "end_ms": 10}
    failed = replay_failures(
        [
            EndedChunk(1, "OKX_MM01 2026-01", False, account),
            EndedChunk(1, "OKX_MM01 BTC_USDT 2026-01", False, {**account, "symbol": "BTC_USDT"}),
            EndedChunk(1, "OKX_MM02", False, {}),
        ]
    )
    assert set(failed) == {"OKX_MM01", "OKX_MM01 BTC_USDT", "OKX_MM02"}
    assert failed_within(failed, ("OKX_MM02 BTC_USDT", "OKX_MM02"), Span(3, 5)) == [Span(3, 5)]


_SPANS = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: Span(pair[0], sum(pair)))


@given(st.lists(st.tuples(_SPANS, st.booleans()), max_size=12))
def test_of_failures_is_left_what_nothing_later_made_good(steps: list[tuple[Span, bool]]) -> None:
    chunks = [chunk(number, "A 1m", is_done=done, span=span) for number, (span, done) in enumerate(steps)]
    expected: set[int] = set()
    for span, done in steps:
        times = set(range(span.start_ms, span.end_ms))
        expected = expected - times if done else expected | times
    left = replay_failures(chunks).get("A 1m", [])
    assert {time for span in left for time in range(span.start_ms, span.end_ms)} == expected
    assert list(left) == merge(left)


@given(st.lists(_SPANS, max_size=5), _SPANS)
def test_a_choice_survives_its_parameters_and_leaves_out_the_rest(failed: list[Span], span: Span) -> None:
    choice = Choice(BackfillMode.FAILED, {"A": merge(failed)} if failed else {})
    assert Choice.from_parameters(choice.to_parameters()) == choice
    assert choice.left_out("A", span) == subtract(span, failed)
    assert choice.left_out("B", span) == [span]
    assert Choice.from_parameters({}).left_out("A", span) == []
