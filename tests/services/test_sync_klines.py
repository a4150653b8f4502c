"""Kline syncs from nothing, from hour to hour, after downtimes, and against venues that misbehave."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from markethub.domain.execution import ExecutionStatus
from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge, subtract
from markethub.domain.symbol import Series
from markethub.ports.store import SeriesWrite
from markethub.sandbox import SandboxSettings, running_sandbox
from markethub.services.hub import Hub
from markethub.tables.klines import open_times_ms
from tests.flat_bars import flat_bars
from tests.services.sync_stage import DAY, HOUR, MINUTE, NOW, MovableClock, Stage, run_job

BTC, ETH = Series.parse("BTC_USDT.BNC 1h"), Series.parse("ETH_USDT.BNC 1h")
JOB = "sync_klines_1h"
HOURLY = {"intervals": ["1h"]}
FROM_MS = (NOW - 30 * DAY) // HOUR * HOUR + HOUR
LAST_MS = NOW // HOUR * HOUR - HOUR
BARS = (LAST_MS - FROM_MS) // HOUR + 1
KLINES = "/api/v3/klines"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    clock = MovableClock()
    async with running_sandbox(SandboxSettings(clock=clock)) as sandbox:
        yield Stage(sandbox, clock, tmp_path, {"subscriptions": {"BNC": ["BTC_USDT", "ETH_USDT"]}})


def times(hub: Hub, series: Series) -> list[int]:
    found: list[int] = open_times_ms(hub.store.read(series)).to_pylist()
    return found


def unclaimed(hub: Hub, series: Series, span: Span) -> list[Span]:
    return subtract(span, merge(claim.span for claim in hub.store.covered(series, span)))


async def test_the_first_sync_looks_back_and_the_next_ones_ask_little(stage: Stage) -> None:
    async with stage.hub() as hub:
        ended, result, _ = await run_job(hub, JOB, HOURLY)
        assert (ended.status, ended.error) == (ExecutionStatus.SUCCESS, None)
        assert (result["inserted"], result["processed"]) == (2 * BARS, 2 * BARS)
        assert result["chunks"]["total"] == 1
        for series in (BTC, ETH):
            assert times(hub, series) == list(range(FROM_MS, LAST_MS + HOUR, HOUR))
            assert unclaimed(hub, series, Span(FROM_MS, LAST_MS + HOUR)) == []

        before = stage.requests()
        ended, result, lines = await run_job(hub, JOB, HOURLY)
        assert ended.status is ExecutionStatus.SUCCESS
        counts = {name: result[name] for name in ("processed", "inserted", "updated", "unchanged")}
        assert counts == {"processed": 6, "inserted": 0, "updated": 0, "unchanged": 6}
        asked = {path: count - before.get(path, 0) for path, count in stage.requests().items()}
        assert asked[KLINES] == 2
        assert "BNC 1h: 2 series, 0 inserted, 0 updated, 6 unchanged" in [message for _, message in lines]

    stage.clock.shift_ms += HOUR
    async with stage.hub() as hub:
        _, result, _ = await run_job(hub, JOB, HOURLY)
        assert (result["inserted"], result["unchanged"], result["rest_pages"]) == (2, 6, 2)
        assert times(hub, BTC)[-1] == LAST_MS + HOUR


async def test_an_amended_bar_is_found_and_corrected(stage: Stage) -> None:
    async with stage.hub() as hub:
        await run_job(hub, JOB, HOURLY)
        amended_ms = LAST_MS - 2 * HOUR
        await stage.break_things(
            {
                "path": KLINES,
                "query": "symbol=ETHUSDT",
                "kind": "amended_bar",
                "row_ms": amended_ms,
                "times": 0,
            }
        )
        ended, result, lines = await run_job(hub, JOB, HOURLY)
        assert ended.status is ExecutionStatus.SUCCESS
        assert (result["updated"], result["unchanged"]) == (1, 5)
        warnings = [message for level, message in lines if level == "WARNING"]
        assert warnings == ["ETH_USDT.BNC 1h: the venue has amended 1 stored bars"]
        (bar,) = hub.store.read(ETH, Span(amended_ms, amended_ms + HOUR)).to_pylist()
        assert bar["close"] == bar["high"]


async def test_bars_before_the_newest_are_not_asked_again(stage: Stage) -> None:
    async with stage.hub() as hub:
        await run_job(hub, JOB, HOURLY)
        await stage.break_things(
            {"path": KLINES, "kind": "amended_bar", "row_ms": LAST_MS - 3 * HOUR, "times": 0}
        )
        _, result, _ = await run_job(hub, JOB, HOURLY)
        assert result["updated"] == 0
        _, result, _ = await run_job(hub, JOB, {**HOURLY, "recheck_bars": 4})
        assert result["updated"] == 2
        _, result, _ = await run_job(hub, JOB, {**HOURLY, "recheck_bars": 0})
        assert (result["processed"], result["chunks"]["total"]) == (0, 0)


@pytest.mark.parametrize("interval", ["1h", "1m"])
async def test_a_week_of_downtime_is_caught_up(stage: Stage, interval: str) -> None:
    width = Interval(interval).width_ms
    parameters: dict[str, Any] = {"intervals": [interval], "lookback_days": 1, "symbols": ["BTC_USDT.BNC"]}
    series = Series(BTC.symbol, Interval(interval))
    async with stage.hub() as hub:
        await run_job(hub, JOB, parameters)
        first_ms = times(hub, series)[0]
    stage.clock.shift_ms += 7 * DAY
    async with stage.hub() as hub:
        ended, result, lines = await run_job(hub, JOB, parameters)
        assert (ended.status, ended.error) == (ExecutionStatus.SUCCESS, None)
        end_ms = stage.clock() // width * width
        assert times(hub, series) == list(range(first_ms, end_ms, width))
        assert unclaimed(hub, series, Span(first_ms, end_ms - 3 * width)) == []
        assert result["inserted"] in range(7 * DAY // width - 1, 7 * DAY // width + 2)
        is_far = interval == "1m"
        assert any("is far behind" in message for _, message in lines) is is_far
        assert result["unchanged"] == 3


async def test_one_bad_symbol_does_not_lose_the_others(stage: Stage) -> None:
    async with stage.hub() as hub:
        symbols = ["NOSUCH_USDT.BNC", "BTC_USDT.BNC", "ETH_USDT.BNC", "BTC_USDT.XYZ"]
        ended, result, _ = await run_job(hub, JOB, {**HOURLY, "symbols": symbols})
        assert ended.status is ExecutionStatus.FAILURE
        assert {failure["chunk"]: failure["error"] for failure in result["failures"]} == {
            "NOSUCH_USDT.BNC": "BNC does not list NOSUCH_USDT.BNC",
            "BTC_USDT.XYZ": "no adapter for exchange XYZ is installed",
        }
        assert result["inserted"] == 2 * BARS


async def test_a_series_that_cannot_be_read_fails_by_name(stage: Stage) -> None:
    stage.settings["workers"] = {"max_attempts": 1}
    await stage.break_things(
        {"path": KLINES, "query": "symbol=ETHUSDT", "kind": "garbage", "times": 0, "rate": 1.0}
    )
    async with stage.hub() as hub:
        ended, result, lines = await run_job(hub, JOB, HOURLY)
        assert ended.status is ExecutionStatus.FAILURE
        assert "1 of 2 series failed: ETH_USDT.BNC 1h: " in (ended.error or "")
        assert (result["inserted"], result["series_failed"]) == (BARS, 1)
        assert len(times(hub, BTC)) == BARS
        assert any(level == "ERROR" and message.startswith("ETH_USDT.BNC 1h: ") for level, message in lines)
        await stage.repair_things()
        ended, result, _ = await run_job(hub, JOB, HOURLY)
        assert (ended.status, result["inserted"]) == (ExecutionStatus.SUCCESS, BARS)


async def test_a_short_trouble_is_retried_by_itself(stage: Stage) -> None:
    await stage.break_things({"path": KLINES, "kind": "status", "status": 503, "times": 8})
    async with stage.hub() as hub:
        ended, result, _ = await run_job(hub, JOB, HOURLY)
        assert ended.status is ExecutionStatus.SUCCESS
        assert result["inserted"] == 2 * BARS
        assert result["inserted"] + result["updated"] + result["unchanged"] == result["processed"]


async def test_a_bar_that_makes_no_sense_stays_open(stage: Stage) -> None:
    bad_ms = LAST_MS - 5 * HOUR
    await stage.break_things(
        {"path": KLINES, "query": "symbol=ETHUSDT", "kind": "bad_bar", "row_ms": bad_ms, "times": 0}
    )
    async with stage.hub() as hub:
        ended, result, _ = await run_job(hub, JOB, HOURLY)
        assert ended.status is ExecutionStatus.SUCCESS
        assert (result["inserted"], result["rejected"]) == (2 * BARS - 1, 1)
        assert unclaimed(hub, ETH, Span(FROM_MS, LAST_MS + HOUR)) == [Span(bad_ms, bad_ms + HOUR)]
        ended, result, _ = await run_job(hub, "monitor_gaps")
        assert (result["gaps_found"], result["gaps_repaired"], result["rejected"]) == (1, 0, 1)
        await stage.repair_things()
        ended, result, _ = await run_job(hub, "monitor_gaps")
        assert (result["gaps_found"], result["gaps_repaired"], result["inserted"]) == (1, 1, 1)


async def test_three_exchanges_by_default_and_no_stocks(stage: Stage) -> None:
    stage.settings["subscriptions"] = {code: ["BTC_USDT", "SOL_USDT"] for code in ("BNC", "OKX", "GIO")}
    async with stage.hub() as hub:
        ended, result, _ = await run_job(hub, JOB, {})
        assert (ended.status, ended.error) == (ExecutionStatus.SUCCESS, None)
        assert (result["inserted"], result["chunks"]["total"]) == (6 * BARS, 3)
        ended, result, _ = await run_job(hub, JOB, {"exchanges": ["OKX"]})
        assert (result["processed"], result["chunks"]["total"]) == (6, 1)
        assert not [path for path in stage.requests() if path.startswith("/yahoo")]


async def test_nothing_subscribed_ends_well_and_says_so(stage: Stage) -> None:
    stage.settings["subscriptions"] = {}
    async with stage.hub() as hub:
        for job, words in (
            (JOB, "no symbol is subscribed on BNC"),
            ("sync_tickers_all", "no symbol is subscribed on BNC"),
        ):
            ended, result, lines = await run_job(hub, job)
            assert (ended.status, result["chunks"]["total"]) == (ExecutionStatus.SUCCESS, 0)
            assert any(f"Nothing to sync: {words}" in message for _, message in lines)


async def test_many_series_are_a_few_chunks(stage: Stage, tmp_path: Path) -> None:
    clock = stage.clock
    settings = SandboxSettings(clock=clock, generated_symbols=110, weight_per_minute=None)
    async with running_sandbox(settings) as sandbox:
        names = [f"SIM{number:04d}_USDT.BNC" for number in range(1, 111)]
        parameters = {"intervals": ["1m"], "symbols": names, "lookback_days": 1, "recheck_bars": 2}
        async with Stage(sandbox, clock, tmp_path).hub() as hub:
            # Half an hour each, so that a day back is no catch-up.
            bars = flat_bars([NOW // MINUTE * MINUTE - 30 * MINUTE])
            known = [SeriesWrite(Series.parse(f"{name} 1m"), bars) for name in names]
            hub.store.upsert_many(known).result()
            revisions = hub.store.revision()
            ended, result, _ = await run_job(hub, JOB, parameters)
            assert (ended.status, ended.error) == (ExecutionStatus.SUCCESS, None)
            assert result["chunks"]["total"] == 2
            assert result["rest_pages"] == 110
            assert hub.store.revision() - revisions == 110
            for name in names:
                stored = times(hub, Series.parse(f"{name} 1m"))
                assert stored[-1] >= NOW // MINUTE * MINUTE - MINUTE
                assert stored == list(range(stored[0], stored[-1] + MINUTE, MINUTE))
