"""Who may call what, and what a wrong call is told."""

import json
from typing import Any

import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from markethub.mcp.tools import TOOLS
from markethub.services.access import SCOPES
from tests.api.served_hub import ServedHub
from tests.mcp.conftest import OpenClient
from tests.mcp.told import call, document_of, refusal

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}
_PLACES = ("job_id", "execution_id", "exchange", "slave_name", "task_name")
_OF_SLAVES = {"datahub_get_master_status", "datahub_request_sync"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def post(served: ServedHub, headers: dict[str, str]) -> httpx2.Response:
    with httpx2.Client(trust_env=False, verify=False, timeout=60) as http:
        return http.post(f"{served.url}/mcp", json=INITIALIZE, headers=ACCEPT | headers)


def bearer(served: ServedHub, scope: str = "read:data") -> dict[str, str]:
    return {"Authorization": f"Bearer {served.tokens[scope]}"}


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Bearer mh_1_wrong"])
def test_strangers_do_not_even_get_the_list(served: ServedHub, header: str | None) -> None:
    answer = post(served, {} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "UNAUTHORIZED"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_any_token_opens_the_door(served: ServedHub) -> None:
    for scope in SCOPES:
        answer = post(served, bearer(served, scope))
        assert answer.status_code == 200
        assert answer.json()["result"]["serverInfo"]["name"] == "markethub"


def test_pages_of_other_sites_are_refused(served: ServedHub) -> None:
    for origin in ("https://example.com", "null", "http://[", ""):
        answer = post(served, bearer(served) | {"Origin": origin})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN"), origin
    assert post(served, bearer(served) | {"Origin": served.url}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_are_no_sessions(served: ServedHub, method: str) -> None:
    with httpx2.Client(trust_env=False, verify=False, timeout=60) as http:
        answer = http.request(method, f"{served.url}/mcp", headers=bearer(served))
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "mcp-session-id" not in post(served, bearer(served)).headers


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if scope != "admin"])
async def test_each_tool_needs_the_scope_it_names(over_http: OpenClient, scope: str) -> None:
    async with over_http(scope) as client:
        for name, tool in TOOLS.items():
            arguments = {place: "1" for place in _PLACES if f"{{{place}}}" in tool.path}
            result = await client.call_tool(name, arguments)
            error = document_of(result)["error"] if result.is_error else {}
            if scope == tool.scope:
                # a master refuses what only a slave does
                assert error.get("code") != "FORBIDDEN" or name in _OF_SLAVES, name
                assert "this needs the scope" not in error.get("message", ""), name
            else:
                assert error["code"] == "FORBIDDEN", name
                assert tool.scope in error["message"]


async def test_an_unknown_tool_is_an_error_of_the_protocol(over_http: OpenClient) -> None:
    async with over_http("read:data") as client:
        with pytest.raises(MCPError, match="tool 'datahub_sell_all' is unknown") as caught:
            await client.call_tool("datahub_sell_all", {})
    assert caught.value.code == -32602


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("datahub_klines", {"symbol": "BTC_USDT.BNC"}, "interval is missing"),
        ("datahub_klines", {"format": "csv"}, "field 'format' is unknown; allowed are symbol, interval,"),
        ("datahub_fills", {"format": "csv"}, "field 'format' is unknown"),
        ("datahub_series", {"symbol": "BTC_USDT.BNC"}, "allowed are cursor"),
        ("datahub_limits", {"limit": 1}, "field 'limit' is unknown"),
        ("datahub_get_job", {}, "job_id is missing"),
        ("datahub_get_job", {"job_id": ".."}, "job_id '..' is not a name or an id"),
        ("datahub_get_job", {"job_id": ["a"]}, "job_id ['a'] is not a name or an id"),
        ("datahub_get_execution", {"execution_id": True}, "execution_id True is not a name or an id"),
        ("datahub_fills", {"account": {"a": 1}}, "account {'a': 1} is neither a plain value nor a list"),
        ("datahub_fills", {"account": [["a"]]}, "account [['a']] is neither a plain value nor a list"),
        ("datahub_fills", {"limit": "many"}, "limit 'many' is not a whole number"),
        ("datahub_fills", {"limit": 0}, "limit '0' should be greater than or equal to 1"),
        ("datahub_klines", {"symbol": "BTC_USDT.BNC", "interval": "1h", "limit": -1}, "limit '-1' should be"),
        ("datahub_list_logs", {"limit": 1001}, "limit '1001' should be less than or equal to 1000"),
        ("datahub_list_jobs", {"order_by": "colour"}, "colour"),
        ("datahub_backfill_klines", {"intervals": "1h", "start_time": "2026-01-01"}, "intervals '1h'"),
        ("datahub_backfill_klines", {"intervals": ["1h"], "start_time": 1}, "start_time 1 is not a string"),
        ("datahub_backfill_klines", {"symbol": ["BTC_USDT.BNC"]}, "field 'symbol' is unknown; allowed are"),
        ("datahub_set_subscriptions", {"symbols": []}, "exchange is missing"),
        ("datahub_set_subscriptions", {"exchange": "BNC"}, "give exactly one of symbols and rule"),
        ("datahub_set_subscriptions", {"exchange": "BNC", "rule": {"quote": "USDT"}}, "top is missing"),
        ("datahub_set_subscriptions", {"exchange": "bnc", "symbols": []}, "exchange 'bnc' is unknown"),
        ("datahub_get_slave_status", {}, "slave_name is missing"),
        ("datahub_sync_slave", {"symbol": "US.AAPL"}, "slave_name is missing"),
        ("datahub_list_sync_history", {"limit": 1001}, "limit '1001' should be less than or equal to 1000"),
        ("datahub_trigger_task", {"name": "x"}, "field 'name' is unknown; allowed are task_name"),
        ("datahub_trigger_task", {}, "task_name"),
        ("datahub_verify_sync", {"timeout_s": 0}, "timeout_s"),
        ("datahub_series", {"cursor": "nonsense"}, "cursor 'nonsense' is not the next_cursor"),
        ("datahub_series", {"cursor": "ä"}, "cursor 'ä' is not the next_cursor"),
        ("datahub_series", {"cursor": 7}, "cursor 7 is not the next_cursor"),
        ("datahub_series", {"cursor": "WyJhIiwib2Zmc2V0IiwzXQ"}, "cursor belongs to another call"),
    ],
)  # fmt: skip
async def test_a_wrong_call_is_told_what_is_wrong(
    over_http: OpenClient, tool: str, arguments: dict[str, Any], words: str
) -> None:
    async with over_http("admin") as client:
        code, message = await refusal(client, tool, **arguments)
    assert code == "VALIDATION_ERROR"
    assert words in message


async def test_null_is_the_same_as_nothing(over_http: OpenClient, filled: str) -> None:
    async with over_http("admin") as client:
        plain = await call(client, "datahub_list_logs", job_id=filled)
        nulls = await call(client, "datahub_list_logs", job_id=filled, level=None, limit=None, cursor=None)
    assert nulls == plain


def test_no_text_breaks_the_door(served: ServedHub) -> None:
    """A lone surrogate is JSON, but no Unicode."""
    request = INITIALIZE | {
        "method": "tools/call",
        "params": {"name": "datahub_fills", "arguments": {"order_id": "X"}},
    }
    content = json.dumps(request).replace('"X"', '"\\ud800"')
    with httpx2.Client(trust_env=False, verify=False, timeout=60) as http:
        headers = ACCEPT | bearer(served) | {"Content-Type": "application/json"}
        answer = http.post(f"{served.url}/mcp", content=content, headers=headers)
    assert answer.status_code in (200, 400)
    assert "error" in answer.text
    assert "Traceback" not in answer.text
