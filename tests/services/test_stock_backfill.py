"""Stocks through the whole node: real days of Apple into the store, holes of sessions only, no mixing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from markethub.app import open_hub
from markethub.config import Settings
from markethub.control.executions import Execution
from markethub.domain.errors import InputError
from markethub.domain.execution import ExecutionStatus, new_trace_id
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Symbol
from markethub.domain.times import parse_time
from markethub.engine.handler import NewExecution
from markethub.jobs.kline_plan import KlineBackfill
from markethub.sandbox import RunningSandbox, SandboxSettings, clock_starting_at, running_sandbox
from markethub.services.backfill import queue_kline_backfill
from markethub.services.hub import Hub
from markethub.services.klines import find_holes, read_klines

JOB = DataKind.KLINE.backfill_job
NOW = parse_time("2013-06-17T12:00")
CLOCK = clock_starting_at(NOW)


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    settings = SandboxSettings(clock=CLOCK, yahoo_requests_per_10_s=None)
    async with running_sandbox(settings) as running:
        yield running


@asynccontextmanager
async def hub_on(sandbox: RunningSandbox, folder: Path, **options: str) -> AsyncIterator[Hub]:
    yahoo = {"base_url": sandbox.url + "/yahoo", "requests_per_10_s": "10000", "connections": "4"}
    settings = Settings(data_dir=folder / "data", venues={"US": yahoo | options})
    async with open_hub(settings, CLOCK) as hub:
        yield hub


async def backfill(
    hub: Hub, *symbols: str, span: Span, interval: Interval = Interval.D1
) -> tuple[Execution, dict[str, Any]]:
    """Through the engine's own door: `POST /backfill/klines` takes no stocks."""
    wanted = KlineBackfill(tuple(Symbol.parse(symbol) for symbol in symbols), (interval,), span)
    execution_id = await hub.engine.enqueue(
        NewExecution(JOB, wanted.to_parameters(), new_trace_id(JOB), "a backfill of stocks")
    )
    ended = await hub.engine.wait(execution_id, 60)
    return ended, dict(ended.result or {})


YEARS = Span(parse_time("2000-01-01"), parse_time("2013-03-02"))


async def test_thirteen_years_of_real_days(sandbox: RunningSandbox, tmp_path: Path) -> None:
    async with hub_on(sandbox, tmp_path) as hub:
        ended, result = await backfill(hub, "US.AAPL", "US.GOOG", "US.NOSUCH", span=YEARS)
        assert ended.status is ExecutionStatus.FAILURE
        assert [failure["chunk"] for failure in result["failures"]] == ["US.NOSUCH 1d"]
        assert result["inserted"] == 3270 + 2148
        whole: dict[str, Any] = {"symbol": "US.AAPL", "interval": "1d", "start_ms": None, "end_ms": None}
        bars = await read_klines(hub, **whole, limit=None)
        assert len(bars) == 3270
        assert bars.slice(0, 1).to_pylist()[0]["close"] == 130.31

        # Neither weekends nor holidays, nor the week after 11 September, are holes.
        assert await find_holes(hub, **whole | {"end_ms": YEARS.end_ms}) == []
        early = await find_holes(
            hub, **whole | {"start_ms": YEARS.start_ms, "end_ms": parse_time("2000-03-02")}
        )
        assert {hole.reason for hole in early} == {"before_first_bar"}
        assert sum(hole.bars for hole in early) == 40
        later = await find_holes(
            hub, **whole | {"start_ms": parse_time("2013-05-24"), "end_ms": parse_time("2013-05-29")}
        )
        # Friday, and the Tuesday after Memorial Day.
        assert [(hole.span.start_ms, hole.bars, hole.reason) for hole in later] == [
            (parse_time("2013-05-24"), 1, "not_fetched"),
            (parse_time("2013-05-28"), 1, "not_fetched"),
        ]

        asked = dict(sandbox.stats.requests)
        ended, result = await backfill(hub, "US.AAPL", "US.GOOG", span=YEARS)
        assert (ended.status, result["chunks"]["total"]) == (ExecutionStatus.SUCCESS, 0)
        assert dict(sandbox.stats.requests) == asked


async def test_raw_and_adjusted_prices_never_meet(sandbox: RunningSandbox, tmp_path: Path) -> None:
    span = Span(parse_time("2004-06-01"), parse_time("2005-06-01"))
    async with hub_on(sandbox, tmp_path) as hub:
        ended, result = await backfill(hub, "US.AAPL", span=span)
        assert ended.status is ExecutionStatus.SUCCESS
    async with hub_on(sandbox, tmp_path, adjustment="adjusted") as hub:
        ended, result = await backfill(hub, "US.AAPL", span=Span(parse_time("2004-01-01"), span.end_ms))
        assert ended.status is ExecutionStatus.FAILURE
        assert len(result["failures"]) == 2
        assert "holds bars of source 'rest yahoo raw' and cannot take adjusted ones" in (ended.error or "")
        bars = await read_klines(hub, symbol="US.AAPL", interval="1d", start_ms=None, end_ms=None, limit=None)
        assert len(bars) == 252
        closes = [
            row["close"] for row in bars.to_pylist() if row["open_time"].date().isoformat() == "2005-02-25"
        ]
        assert closes == [88.99]


async def test_minutes_have_no_holes_at_night(sandbox: RunningSandbox, tmp_path: Path) -> None:
    span = Span(parse_time("2013-06-12"), parse_time("2013-06-15"))
    async with hub_on(sandbox, tmp_path) as hub:
        ended, result = await backfill(hub, "US.AAPL", span=span, interval=Interval.M5)
        assert (ended.status, result["inserted"]) == (ExecutionStatus.SUCCESS, 3 * 78)
        holes = await find_holes(
            hub, symbol="US.AAPL", interval="5m", start_ms=span.start_ms, end_ms=parse_time("2013-06-17")
        )
        assert holes == []


async def test_requests_for_backfills_know_no_stocks(sandbox: RunningSandbox, tmp_path: Path) -> None:
    async with hub_on(sandbox, tmp_path) as hub:
        assert set(hub.support) == {"BNC", "OKX", "GIO"}
        for exchanges, symbols in ((["US"], None), (None, ["US.AAPL"])):
            with pytest.raises(InputError, match=r"unknown; known are BNC, OKX, GIO|is a stock"):
                await queue_kline_backfill(
                    hub,
                    exchanges=exchanges,
                    symbols=symbols,
                    intervals=["1d"],
                    start_ms=parse_time("2012-01-01"),
                    end_ms=None,
                )
