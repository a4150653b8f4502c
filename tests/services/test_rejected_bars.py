"""A bar that makes no sense, from the exchange to the hole report, and its repair."""

import aiohttp
import orjson

from markethub.domain.execution import ExecutionStatus
from markethub.domain.support import DataKind
from markethub.domain.times import parse_time
from markethub.ports.records import RecordQuery
from markethub.sandbox import RunningSandbox
from markethub.services.backfill import queue_kline_backfill
from markethub.services.hub import Hub
from markethub.services.klines import find_holes
from markethub.tables.rejects import REJECTS

START_MS, END_MS = parse_time("2024-05-02"), parse_time("2024-05-04")
BAD_MS = parse_time("2024-05-02T07:00")
SYMBOL = "ETH_USDT.OKX"


async def backfill(hub: Hub) -> dict[str, int]:
    queued = await queue_kline_backfill(
        hub, exchanges=None, symbols=[SYMBOL], intervals=["1h"], start_ms=START_MS, end_ms=END_MS
    )
    ended = await hub.engine.wait(queued.execution_id, 60)
    assert ended.status is ExecutionStatus.SUCCESS, ended.error
    return dict(ended.result or {})


async def holes(hub: Hub) -> list[tuple[int, int, str]]:
    found = await find_holes(hub, symbol=SYMBOL, interval="1h", start_ms=START_MS, end_ms=END_MS)
    return [(hole.span.start_ms, hole.bars, hole.reason) for hole in found]


async def test_a_bad_bar_is_kept_out_told_and_repaired(hub: Hub, sandbox: RunningSandbox) -> None:
    fault = {"path": "/api/v5/market/history-candles", "kind": "bad_bar", "row_ms": BAD_MS}
    plan = orjson.dumps([fault])
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.url}/sandbox/faults", data=plan) as reply,
    ):
        assert reply.status == 200
    first = await backfill(hub)
    assert (first["inserted"], first["rejected"]) == (47, 1)
    assert await holes(hub) == [(BAD_MS, 1, "rejected")]
    (row,) = hub.records.read_records(REJECTS, RecordQuery()).to_pylist()
    assert (row["kind"], row["owner"], row["key"]) == (DataKind.KLINE, f"{SYMBOL} 1h", "2024-05-02T07:00:00Z")
    assert row["reason"] == "close not a number above 0 and up to 1e+12"
    assert orjson.loads(row["payload"])[4] == "NaN"
    second = await backfill(hub)
    assert (second["inserted"], second.get("rejected", 0)) == (1, 0), "only the bar that was missing"
    assert await holes(hub) == []
