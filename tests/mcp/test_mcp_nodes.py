"""The tools about nodes and tasks, which the DMS door answers in its own shape."""

import pytest

from markethub.mcp.calls import Question, Reply, call_tool, read_reply
from markethub.mcp.tools import TOOLS
from tests.mcp.conftest import OpenClient
from tests.mcp.told import call, refusal


async def test_what_a_lone_master_tells(over_http: OpenClient) -> None:
    async with over_http("read:dms") as client:
        assert (await call(client, "datahub_get_node_status"))["role"] == "master"
        (node,) = (await call(client, "datahub_list_nodes"))["nodes"]
        assert (node["status"], node["error"]) == ("running", None)
        assert (await call(client, "datahub_list_slaves"))["data"] == []
        tasks = await call(client, "datahub_list_tasks")
        assert "sync_klines_1h" in {task["name"] for task in tasks["data"]}
        assert tasks["summary"].startswith("rows 1 to ")
        status = await call(client, "datahub_get_task_status", task_name="sync_klines_1h")
        assert status["name"] == "sync_klines_1h"


async def test_errors_have_the_codes_of_all_tools(over_http: OpenClient) -> None:
    async with over_http("read:dms") as client:
        code, message = await refusal(client, "datahub_get_slave_status", slave_name="nobody")
        assert (code, "nobody" in message) == ("NOT_FOUND", True)
        assert await refusal(client, "datahub_get_master_status") == (
            "FORBIDDEN",
            "only a slave does this; this node is a master",
        )
        code, _ = await refusal(client, "datahub_trigger_sync")
        assert code == "FORBIDDEN"


@pytest.mark.parametrize(
    ("tool", "arguments", "asked"),
    [
        (
            "trigger_task",
            {"task_name": "a b"},
            Question("POST", "/api/dms/tasks/trigger", {"task_name": "a b"}),
        ),
        ("trigger_sync", {}, Question("POST", "/api/dms/sync/trigger")),
        (
            "sync_slave",
            {"slave_name": "b/1", "symbol": "US.AAPL"},
            Question("POST", "/api/dms/slaves/b%2F1/sync", body={"symbol": "US.AAPL"}),
        ),
        ("sync_slave", {"slave_name": "b1"}, Question("POST", "/api/dms/slaves/b1/sync")),
        ("request_sync", {}, Question("POST", "/api/dms/sync/request", body={}, is_slow=True)),
        (
            "verify_sync",
            {"timeout_s": 1.5},
            Question("GET", "/api/dms/sync/verify", {"timeout_s": "1.5"}, is_slow=True),
        ),
    ],
)
async def test_a_call_becomes_one_request(tool: str, arguments: dict[str, object], asked: Question) -> None:
    seen: list[Question] = []

    async def ask(question: Question) -> Reply:
        seen.append(question)
        return Reply(200, {"success": True})

    reply = await call_tool(TOOLS[f"datahub_{tool}"], arguments, ask, 1000)
    assert (reply.document, seen) == ({"success": True}, [asked])


def test_answers_of_the_dms_door_are_read_as_all_others() -> None:
    assert read_reply(200, [{"name": "b1"}]) == Reply(200, {"data": [{"name": "b1"}]})
    assert read_reply(200, {"detail": "no error"}) == Reply(200, {"detail": "no error"})
    for status, code in (
        (400, "VALIDATION_ERROR"),
        (409, "CONFLICT"),
        (503, "UNAVAILABLE"),
        (500, "INTERNAL"),
    ):
        told = read_reply(status, {"detail": "why"})
        assert told == Reply(status, {"error": {"code": code, "message": "why"}})
