"""Every tool, over every transport, by the official SDK's client."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from markethub import DataHub
from markethub.mcp.tool import Shape
from markethub.mcp.tools import TOOLS
from tests.api.served_hub import ServedHub
from tests.hub_process import HubProcess
from tests.mcp.conftest import OpenClient, open_http, open_stdio
from tests.mcp.told import call, document_of, refusal

SERIES = {"symbol": "BTC_USDT.BNC", "interval": "1h"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "datahub_backfill_klines": {
        "symbols": ["BTC_USDT.BNC"], "intervals": ["1h"], "start_time": "2018-01-01", "end_time": "2018-01-02"
    },
    "datahub_backfill_symbols": {"exchanges": ["BNC"]},
    "datahub_backfill_balances": {"accounts": ["OKX_MM01"]},
    "datahub_backfill_orders": {"accounts": ["OKX_MM01"]},
    "datahub_backfill_fills": {"accounts": ["OKX_MM01"]},
    "datahub_backfill_transfers": {"accounts": ["OKX_MM01"]},
    "datahub_backfill_orderbook": {"symbols": ["BTC_USDT.BNC"], "limit": 5},
    "datahub_backfill_ticker": {"symbols": ["BTC_USDT.BNC"]},
    "datahub_get_job": {"job_id": "sync_klines_1h"},
    "datahub_get_job_executions": {"job_id": "backfill_kline"},
    "datahub_get_job_statistics": {"job_id": "backfill_kline"},
    "datahub_set_subscriptions": {"exchange": "BNC", "symbols": ["BTC_USDT", "ETH_USDT.BNC"]},
    "datahub_klines": SERIES,
    "datahub_holes": SERIES,
}  # fmt: skip
"""What the tools that need arguments are called with; those that need an execution get the ended one."""


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "datahub_get_slave_status": ({"slave_name": "nobody"}, "NOT_FOUND"),
    "datahub_sync_slave": ({"slave_name": "nobody", "symbol": "BTC_USDT.BNC"}, "NOT_FOUND"),
    "datahub_get_master_status": ({}, "FORBIDDEN"),
    "datahub_request_sync": ({"symbol": "BTC_USDT.BNC"}, "FORBIDDEN"),
    "datahub_trigger_task": ({"task_name": "nothing"}, "NOT_FOUND"),
    "datahub_get_task_status": ({"task_name": "nothing"}, "NOT_FOUND"),
}
"""What a master without slaves has no answer to."""


async def test_every_tool_is_listed_and_answers(over_each_transport: OpenClient, filled: str) -> None:
    async with over_each_transport("admin") as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert listed == set(TOOLS)
        for name, tool in TOOLS.items():
            if name in ("datahub_cancel_execution", "datahub_retry_execution"):
                code, _ = await refusal(client, name, execution_id=filled)
                assert code == "CONFLICT"  # it has ended well
                continue
            if name in REFUSED:
                arguments, expected = REFUSED[name]
                code, _ = await refusal(client, name, **arguments)
                assert code == expected, name
                continue
            named = {"execution_id": filled} if name == "datahub_get_execution" else {}
            answer = await call(client, name, **ARGUMENTS.get(name, named))
            if tool.path.startswith("/api/v1/backfill"):
                assert list(answer) == ["execution_id", "trace_id", "status", "message"]
            elif name == "datahub_get_job":
                assert answer["id"] == "sync_klines_1h"
            elif name == "datahub_get_job_statistics":
                assert answer["success_count"] >= 1
            elif name == "datahub_set_subscriptions":
                assert answer["symbols"] == ["BTC_USDT.BNC", "ETH_USDT.BNC"]
            elif name == "datahub_get_execution":
                assert answer["trace_id"] == filled
            elif tool.path.startswith("/api/dms/") and tool.shape is Shape.ONE:
                assert not {"error", "detail", "summary"} & set(answer), name
            else:
                assert list(answer)[:2] == ["summary", "next_cursor"]
                assert isinstance(answer["data"], list)


async def test_what_was_asked_is_what_is_told(over_each_transport: OpenClient, filled: str) -> None:
    async with over_each_transport("admin") as client:
        bars = await call(client, "datahub_klines", **SERIES, start="2018-01-01T05:00:00Z", limit=3)
        assert [bar["open_time"][11:13] for bar in bars["data"]] == ["05", "06", "07"]
        newest = await call(client, "datahub_klines", **SERIES, end="2018-01-15", limit=2)
        assert [bar["open_time"] for bar in newest["data"]] == [
            "2018-01-14T22:00:00Z", "2018-01-14T23:00:00Z",
        ]  # fmt: skip
        logs = await call(client, "datahub_list_logs", job_id=filled, limit=1)
        assert logs["data"][0]["message"] == "Kline backfill queued | exchanges=1 | symbols=1"
        reversed_logs = await call(client, "datahub_list_logs", job_id=filled, limit=1, order_desc=True)
        assert reversed_logs["data"] != logs["data"]


async def test_a_refusal_has_our_code_and_words(over_each_transport: OpenClient) -> None:
    async with over_each_transport("admin") as client:
        assert await refusal(client, "datahub_get_job", job_id="nonsense") == (
            "NOT_FOUND", "Job not found: nonsense",
        )  # fmt: skip
        code, message = await refusal(client, "datahub_klines", symbol="BTC_USDT.BNC", interval="7m")
        assert (code, "7m" in message) == ("VALIDATION_ERROR", True)
    async with over_each_transport("read:data") as client:
        code, message = await refusal(client, "datahub_backfill_symbols", exchanges=["BNC"])
        assert (code, "write:backfill" in message) == ("FORBIDDEN", True)


async def test_over_stdio_the_hub_is_found_by_itself_even_late(served: ServedHub, tmp_path: Path) -> None:
    async with open_stdio("--data-dir", str(tmp_path)) as client:
        code, _ = await refusal(client, "datahub_series")
        assert code == "UNAVAILABLE"
        (tmp_path / "server.json").write_text(json.dumps({"url": served.url, "pid": 1}))
        (tmp_path / "admin.token").write_text(served.tokens["admin"])
        assert "data" in await call(client, "datahub_series")


@pytest.fixture
def serving(tmp_path: Path) -> HubProcess:
    settings = {"MARKETHUB_MCP__ANSWER_TOKENS": "1000", "MARKETHUB_SERVER__DRAIN_S": "0"}
    return HubProcess(tmp_path / "data", "http://127.0.0.1:1", settings)


async def test_a_server_process_has_the_door_and_the_set_size(serving: HubProcess) -> None:
    serving.start()
    try:
        with serving.client() as client:
            url, token = _address(client)
            many = [f"COIN{number}_USDT.BNC" for number in range(50)]
            for _ in range(8):
                client.backfill_ticker(many)
        size = {"MARKETHUB_MCP__ANSWER_TOKENS": "1000"}
        for opened in (open_http(url, token), open_stdio("--data-dir", str(serving.data_dir), **size)):
            async with opened as client:
                result = await client.call_tool("datahub_list_job_executions", {})
                told = document_of(result)
                assert told["next_cursor"]
                assert told["pagination"]["page_size"] == len(told["data"]) < told["pagination"]["total"]
                assert len(json.dumps(told)) < 4 * 1000 * 1.1  # json.dumps puts blanks between
    finally:
        assert serving.stop() == 0


def _address(client: DataHub) -> tuple[str, str]:
    endpoint, _ = client._connect()
    assert endpoint.token is not None
    return endpoint.url, endpoint.token


def test_the_door_counts_as_a_route_of_its_own(served: ServedHub) -> None:
    with httpx2.Client(base_url=served.url, trust_env=False, verify=False, timeout=60) as http:
        http.post("/mcp", json={})
        assert 'route="/mcp",status="401"' in http.get("/metrics").text
