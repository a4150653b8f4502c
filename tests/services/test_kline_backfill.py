"""Backfills from request to stored bars, against the sandbox."""

from collections.abc import Sequence
from typing import Any

import pytest

from markethub.control.executions import Execution
from markethub.domain.errors import ConflictError, InputError
from markethub.domain.execution import ExecutionStatus
from markethub.domain.times import parse_time
from markethub.sandbox import RunningSandbox
from markethub.services.backfill import Queued, queue_kline_backfill
from markethub.services.executions import cancel_execution
from markethub.services.hub import Hub
from markethub.services.klines import find_holes, list_series, read_klines
from markethub.services.logs import list_logs

START_MS = parse_time("2018-01-01")
END_MS = parse_time("2018-07-01")


async def queue(
    hub: Hub,
    *symbols: str,
    intervals: Sequence[str] = ("1h",),
    start_ms: int = START_MS,
    end_ms: int = END_MS,
) -> Queued:
    return await queue_kline_backfill(
        hub, exchanges=None, symbols=symbols, intervals=intervals, start_ms=start_ms, end_ms=end_ms
    )


async def finish(hub: Hub, queued: Queued) -> tuple[Execution, dict[str, Any]]:
    ended = await hub.engine.wait(queued.execution_id, 60)
    assert ended.status.is_final
    return ended, dict(ended.result or {})


async def test_real_bars_come_with_their_real_holes(hub: Hub) -> None:
    ended, result = await finish(hub, await queue(hub, "BTC_USDT.BNC"))
    assert ended.status is ExecutionStatus.SUCCESS
    # 181 days of 24 bars less the outages of January, February and June 2018
    expected = 181 * 24 - 1 - 33 - 10 - 1
    assert result["inserted"] == expected
    assert result["inserted"] + result["updated"] + result["unchanged"] == result["processed"]
    holes = await find_holes(hub, symbol="BTC_USDT.BNC", interval="1h", start_ms=START_MS, end_ms=END_MS)
    assert [(hole.span.start_ms, hole.bars, hole.reason) for hole in holes] == [
        (parse_time("2018-01-04T04:00Z"), 1, "venue_gap"),
        (parse_time("2018-02-08T01:00Z"), 33, "venue_gap"),
        (parse_time("2018-06-26T02:00Z"), 10, "venue_gap"),
        (parse_time("2018-06-27T13:00Z"), 1, "venue_gap"),
    ]
    bars = await read_klines(
        hub, symbol="BTC_USDT.BNC", interval="1h", start_ms=START_MS, end_ms=END_MS, limit=None
    )
    assert len(bars) == expected
    assert bars.slice(0, 1).to_pylist()[0]["open"] == 13715.65


async def test_the_second_run_inserts_nothing_and_asks_nobody(hub: Hub, sandbox: RunningSandbox) -> None:
    await finish(hub, await queue(hub, "BTC_USDT.BNC"))
    asked = sandbox.stats.snapshot()["requests"]
    ended, result = await finish(hub, await queue(hub, "BTC_USDT.BNC"))
    assert ended.status is ExecutionStatus.SUCCESS
    assert (result["inserted"], result["updated"], result["chunks"]["total"]) == (0, 0, 0)
    assert sandbox.stats.snapshot()["requests"] == asked


async def test_a_second_run_plans_nothing_where_the_end_is_off_the_grid(hub: Hub) -> None:
    request: dict[str, Any] = {"intervals": ["1d", "4h"], "end_ms": parse_time("2018-03-01T11:30:00Z")}
    await finish(hub, await queue(hub, "BTC_USDT.BNC", **request))
    _, result = await finish(hub, await queue(hub, "BTC_USDT.BNC", **request))
    assert result["chunks"]["total"] == 0


async def test_a_symbol_that_is_not_listed_fails_alone(hub: Hub) -> None:
    ended, result = await finish(hub, await queue(hub, "NOSUCH_USDT.BNC", "BTC_USDT.BNC"))
    assert ended.status is ExecutionStatus.FAILURE
    assert "NOSUCH_USDT.BNC" in (ended.error or "")
    assert "BTC_USDT.BNC" not in (ended.error or "")
    assert [failure["chunk"] for failure in result["failures"]] == ["NOSUCH_USDT.BNC 1h"]
    assert [str(summary.series.symbol) for summary in await list_series(hub)] == ["BTC_USDT.BNC"]


async def test_three_exchanges_in_one_request(hub: Hub) -> None:
    end_ms = hub.clock() - 86_400_000
    symbols = ("BTC_USDT.BNC", "BTC_USDT.OKX", "BTC_USDT.GIO")
    queued = await queue(hub, *symbols, start_ms=end_ms - 30 * 86_400_000, end_ms=end_ms)
    assert queued.message == "Kline backfill queued | exchanges=3 | symbols=3"
    ended, result = await finish(hub, queued)
    assert (ended.status, ended.error) == (ExecutionStatus.SUCCESS, None)
    assert result["inserted"] == 3 * 30 * 24
    assert [str(one.series.symbol) for one in await list_series(hub)] == sorted(symbols, key=lambda s: s[-3:])


async def test_subscribed_symbols_are_what_no_symbols_means(hub: Hub) -> None:
    queued = await queue_kline_backfill(
        hub, exchanges=["BNC"], symbols=None, intervals=["1d"], start_ms=START_MS, end_ms=END_MS
    )
    assert queued.message == "Kline backfill queued | exchanges=1 | symbols=2"
    ended, _ = await finish(hub, queued)
    assert ended.status is ExecutionStatus.SUCCESS
    assert ended.parameters["symbols"] == ["BTC_USDT.BNC", "ETH_USDT.BNC"]


async def test_no_subscription_at_all_is_an_error_that_says_so(hub: Hub) -> None:
    with pytest.raises(InputError, match="no symbol is subscribed on GIO"):
        await queue_kline_backfill(
            hub, exchanges=["GIO"], symbols=None, intervals=["1d"], start_ms=START_MS, end_ms=END_MS
        )


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"symbols": ["BTCUSDT"]}, "symbol 'BTCUSDT' is not BASE_QUOTE"),
        ({"symbols": []}, "symbols is empty"),
        ({"exchanges": []}, "exchanges is empty"),
        ({"symbols": ["US.AAPL"]}, "US.AAPL is a stock"),
        ({"symbols": ["BTC_USDT.FTX"]}, "exchange 'FTX' is unknown; known are BNC, OKX, GIO"),
        ({"exchanges": ["FTX"]}, "exchange 'FTX' is unknown"),
        ({"exchanges": ["OKX"], "symbols": ["BTC_USDT.BNC"]}, "BTC_USDT.BNC is on BNC, which is not among"),
        ({"intervals": ["2h"]}, "interval '2h' is not one of 1m, 5m"),
        ({"intervals": []}, "intervals must name at least one"),
        ({"start_ms": parse_time("2009-01-01")}, "start_time 2009-01-01T00:00:00Z is too early"),
        ({"start_ms": END_MS, "end_ms": START_MS}, "must be before end_time 2018-01-01T00:00:00Z"),
        ({"start_ms": parse_time("2999-01-01"), "end_ms": None}, "must be before now"),
    ],
)
async def test_what_is_refused(hub: Hub, request_: dict[str, Any], message: str) -> None:
    sound: dict[str, Any] = {
        "exchanges": None,
        "symbols": ["BTC_USDT.BNC"],
        "intervals": ["1h"],
        "start_ms": START_MS,
        "end_ms": END_MS,
    }
    if "exchanges" in request_ and "symbols" not in request_:
        sound["symbols"] = None
    with pytest.raises(InputError) as caught:
        await queue_kline_backfill(hub, **(sound | request_))
    assert message in str(caught.value)


async def test_a_future_end_is_clamped_and_open_bars_stay_out(hub: Hub) -> None:
    now_ms = hub.clock()
    queued = await queue(
        hub, "BTC_USDT.BNC", intervals=["1m"], start_ms=now_ms - 7_200_000, end_ms=parse_time("2999-01-01")
    )
    ended, _ = await finish(hub, queued)
    assert ended.status is ExecutionStatus.SUCCESS
    assert parse_time(ended.parameters["end_time"]) <= hub.clock()
    bars = await read_klines(hub, symbol="BTC_USDT.BNC", interval="1m", start_ms=None, end_ms=None, limit=1)
    last_ms = bars.column("open_time").cast("int64")[0].as_py()
    assert now_ms - 120_000 <= last_ms <= hub.clock() - 60_000


async def test_a_cancelled_execution_ends_and_cannot_be_cancelled_twice(hub: Hub) -> None:
    queued = await queue(hub, "ETH_USDT.BNC", intervals=["1m"], end_ms=parse_time("2022-01-01"))
    row = await cancel_execution(hub, queued.trace_id)
    assert (row.status, row.error) == (ExecutionStatus.FAILURE, "cancelled")
    with pytest.raises(ConflictError):
        await cancel_execution(hub, str(queued.execution_id))


async def test_logs_are_found_by_trace_id(hub: Hub) -> None:
    queued = await queue(hub, "BTC_USDT.BNC")
    await finish(hub, queued)
    page = await list_logs(hub, job_id=queued.trace_id)
    messages = [row.message for row in page.rows]
    assert messages[0] == "Kline backfill queued | exchanges=1 | symbols=1"
    assert "SUCCESS" in messages[-1]
    assert {row.trace_id for row in page.rows} == {queued.trace_id}


async def test_limits_of_a_read(hub: Hub) -> None:
    await finish(hub, await queue(hub, "BTC_USDT.BNC"))
    whole: dict[str, Any] = {"symbol": "BTC_USDT.BNC", "interval": "1h"}
    first = await read_klines(hub, **whole, start_ms=START_MS, end_ms=None, limit=2)
    newest = await read_klines(hub, **whole, start_ms=None, end_ms=END_MS, limit=2)
    assert first.column("open_time").cast("int64").to_pylist() == [START_MS, START_MS + 3_600_000]
    assert newest.column("open_time").cast("int64").to_pylist() == [END_MS - 7_200_000, END_MS - 3_600_000]
    for limit in (0, hub.max_read_rows + 1):
        with pytest.raises(InputError, match="is not between 1 and"):
            await read_klines(hub, **whole, start_ms=None, end_ms=None, limit=limit)
