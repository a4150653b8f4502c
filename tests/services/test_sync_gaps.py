"""The gap monitor against a store with holes of several kinds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from markethub.domain.execution import ExecutionStatus
from markethub.domain.span import Span, merge, subtract
from markethub.domain.symbol import Series
from markethub.domain.times import parse_time
from markethub.sandbox import SandboxSettings, running_sandbox
from markethub.services.backfill import queue_kline_backfill
from markethub.services.hub import Hub
from tests.flat_bars import flat_bars
from tests.services.sync_stage import DAY, HOUR, MINUTE, NOW, MovableClock, Stage, run_job

ETH = Series.parse("ETH_USDT.BNC 1h")
GATE = Series.parse("ETH_USDT.GIO 1m")
TODAY = NOW // DAY * DAY
JOB = "monitor_gaps"
NO_GAP = ("INFO", "No gap in what is subscribed")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    clock = MovableClock()
    async with running_sandbox(SandboxSettings(clock=clock)) as sandbox:
        stage = Stage(sandbox, clock, tmp_path, {"subscriptions": {"BNC": ["ETH_USDT"]}})
        async with stage.hub() as opened:
            yield opened


async def backfill(hub: Hub, series: Series, span: Span) -> None:
    queued = await queue_kline_backfill(
        hub,
        exchanges=None,
        symbols=[str(series.symbol)],
        intervals=[series.interval],
        start_ms=span.start_ms,
        end_ms=span.end_ms,
    )
    ended = await hub.engine.wait(queued.execution_id, 60)
    assert ended.status is ExecutionStatus.SUCCESS, ended.error


def unclaimed(hub: Hub, series: Series, span: Span) -> list[Span]:
    return subtract(span, merge(claim.span for claim in hub.store.covered(series, span)))


async def test_a_hole_is_told_and_then_repaired(hub: Hub) -> None:
    hole = Span(TODAY - 8 * DAY, TODAY - 5 * DAY)
    await backfill(hub, ETH, Span(TODAY - 10 * DAY, hole.start_ms))
    await backfill(hub, ETH, Span(hole.end_ms, TODAY))
    await run_job(hub, "sync_klines_1h", {"intervals": ["1h"]})

    ended, result, lines = await run_job(hub, JOB, {"repair": False})
    assert ended.status is ExecutionStatus.SUCCESS
    assert (result["gaps_found"], result["bars_missing"], result["chunks"]["total"]) == (1, 72, 0)
    assert ("WARNING", f"gap in ETH_USDT.BNC 1h: {hole}, 72 of 72 bars are missing") in lines

    ended, result, _ = await run_job(hub, JOB)
    assert ended.status is ExecutionStatus.SUCCESS
    assert (result["gaps_found"], result["gaps_repaired"], result["inserted"]) == (1, 1, 72)
    assert result["processed"] == result["inserted"] + result["updated"] + result["unchanged"]

    ended, result, lines = await run_job(hub, JOB)
    assert (result["gaps_found"], result["bars_missing"], result["chunks"]["total"]) == (0, 0, 0)
    assert NO_GAP in lines


async def test_bars_that_nobody_vouches_for_are_a_gap_too(hub: Hub) -> None:
    await backfill(hub, ETH, Span(TODAY - 3 * DAY, NOW))
    early = Span(TODAY - 6 * DAY, TODAY - 5 * DAY)
    hub.store.upsert(ETH, flat_bars(range(early.start_ms, early.end_ms, HOUR))).result()
    _, result, lines = await run_job(hub, JOB, {"intervals": ["1h"]})
    gap = Span(early.start_ms, TODAY - 3 * DAY)
    assert ("WARNING", f"gap in ETH_USDT.BNC 1h: {gap}, 48 of 72 bars are missing") in lines
    assert (result["gaps_found"], result["gaps_repaired"]) == (1, 1)
    assert (result["inserted"], result["updated"]) == (48, 24)
    assert unclaimed(hub, ETH, Span(gap.start_ms, TODAY)) == []


async def test_the_newest_bars_are_the_syncs_work(hub: Hub) -> None:
    await backfill(hub, ETH, Span(TODAY, NOW // HOUR * HOUR - 3 * HOUR))
    _, result, lines = await run_job(hub, JOB)
    assert result["gaps_found"] == 0
    assert NO_GAP in lines
    await backfill(hub, Series.parse("BTC_USDT.BNC 1h"), Span(TODAY, NOW // HOUR * HOUR - 4 * HOUR))
    _, result, _ = await run_job(hub, JOB, {"symbols": ["BTC_USDT.BNC", "ETH_USDT.BNC"]})
    assert (result["gaps_found"], result["bars_missing"], result["gaps_repaired"]) == (1, 1, 1)


async def test_the_venues_own_holes_are_no_gaps(hub: Hub) -> None:
    """The real bars of 2018 lack some hours, and the archive and REST agree on it."""
    btc = Series.parse("BTC_USDT.BNC 1h")
    year = Span(parse_time("2018-01-01"), parse_time("2018-03-01"))
    await backfill(hub, btc, year)
    assert hub.store.holes(btc, year)
    _, result, lines = await run_job(hub, JOB, {"symbols": ["BTC_USDT.BNC"], "repair": False})
    told = [message for level, message in lines if level == "WARNING"]
    assert all(f"[{year.end_ms}" not in message for message in told)
    # Only what lies behind the backfill is missing: the rest of 2018, and each year since.
    assert result["gaps_found"] == 2026 - 2018 + 1
    assert f"gap in {btc}: [2018-03-01T00:00:00Z, 2019-01-01T00:00:00Z)" in told[0]


async def test_what_the_venue_tells_no_more_is_said_and_does_no_harm(hub: Hub) -> None:
    """Gate.io tells its last 10,000 bars over REST, and its bulk files are switched off here."""
    ancient = NOW // MINUTE * MINUTE - 9 * DAY
    await backfill(hub, GATE, Span(TODAY - 2 * HOUR, TODAY))
    hub.store.upsert(GATE, flat_bars([ancient])).result()
    ended, result, lines = await run_job(hub, JOB, {"symbols": ["ETH_USDT.GIO"], "intervals": ["1m"]})
    assert (ended.status, ended.error) == (ExecutionStatus.SUCCESS, None)
    assert (result["gaps_found"], result["gaps_out_of_reach"]) == (2, 1)
    assert result["gaps_repaired"] == 2, "as far as the venue reaches"
    assert any("out of the venue's reach" in message for _, message in lines)
    _, result, _ = await run_job(hub, JOB, {"symbols": ["ETH_USDT.GIO"], "intervals": ["1m"]})
    assert (result["gaps_found"], result["gaps_out_of_reach"], result["chunks"]["total"]) == (1, 1, 0)
