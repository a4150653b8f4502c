"""What the tools say of themselves."""

import inspect
from typing import Any

import httpx2
import orjson

from markethub import DataHub
from markethub.mcp.schemas import describe_parameters
from markethub.mcp.tools import TOOLS
from tests.api.served_hub import ServedHub
from tests.mcp.conftest import OpenClient

WITHOUT_A_TOOL = {
    "GET /healthz",
    "GET /metrics",
    "GET /api/v1/tools",
    "GET /api/v1/audit",
    "GET /api/v1/executions/{execution_id}/events",
    "GET /api/v1/executions/export",
    "POST /api/dms/promote",
    "POST /api/dms/read/batch",
    "GET /api/dms/read/{symbol}",
}
"""Routes for programs that watch a hub, the one that describes the tools, and who changed what: that is for
the people who run the hub, under a scope that no model should have. A stream of events, or a file of the
whole history, is no answer that a tool can give; datahub_get_execution, datahub_list_logs and
datahub_list_job_executions tell the same. Which node is the master is for people to decide. Bars of many
symbols in one piece are for backtests; datahub_klines reads the same bars, page by page."""


def keys_of(value: object) -> set[str]:
    match value:
        case dict():
            return set(value).union(*(keys_of(inner) for inner in value.values()))
        case list():
            return set().union(*(keys_of(inner) for inner in value))
    return set()


def fetch(served: ServedHub, path: str) -> Any:  # noqa: ANN401  (JSON)
    headers = {"Authorization": f"Bearer {served.tokens['admin']}"}
    url = f"{served.url}{path}"
    return httpx2.get(url, headers=headers, trust_env=False, verify=False, timeout=60).json()


def test_a_tool_has_the_name_of_the_clients_method() -> None:
    with DataHub("http://127.0.0.1:1") as client:
        for name in TOOLS:
            assert callable(getattr(client, name.removeprefix("datahub_"))), name


def test_a_tool_takes_what_the_clients_method_takes() -> None:
    own = {"cursor", "limit", "offset", "status"}  # the client says chunk_status
    for name, tool in TOOLS.items():
        method = getattr(DataHub, name.removeprefix("datahub_"), None)
        if method is None:
            continue  # a reader of records, which takes any filter
        taken = set(inspect.signature(method).parameters)
        assert set(describe_parameters(tool)["properties"]) - own <= taken, name


def test_every_route_has_its_tool(served: ServedHub) -> None:
    routes = {
        f"{method.upper()} {path}"
        for path, operations in fetch(served, "/openapi.json")["paths"].items()
        for method in operations
    }
    assert routes - {f"{tool.method} {tool.path}" for tool in TOOLS.values()} == WITHOUT_A_TOOL


def test_schemas_are_flat_and_short() -> None:
    for name, tool in TOOLS.items():
        schema = describe_parameters(tool)
        assert not keys_of(schema) & {"$ref", "$defs", "title"}, name
        assert b"null" not in orjson.dumps(schema), name
        assert schema["additionalProperties"] is False
        assert "format" not in schema["properties"]
        assert ("cursor" in schema["properties"]) == (tool.shape != "one"), name


async def test_function_calling_and_mcp_describe_the_same(served: ServedHub, over_http: OpenClient) -> None:
    functions = {one["function"]["name"]: one for one in fetch(served, "/api/v1/tools")["data"]}
    async with over_http("read:data") as client:
        listed = (await client.list_tools()).tools
    assert set(functions) == {tool.name for tool in listed}
    for tool in listed:
        one = functions[tool.name]
        assert one["type"] == "function"
        assert (one["function"]["description"], one["function"]["parameters"]) == (
            tool.description,
            tool.input_schema,
        )
        assert f"Scope `{TOOLS[tool.name].scope}`." in (tool.description or "")
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint == (not TOOLS[tool.name].scope.startswith("write:"))
        assert tool.annotations.destructive_hint == (
            tool.name in ("datahub_cancel_execution", "datahub_set_subscriptions")
        )
