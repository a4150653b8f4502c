"""The OpenAPI document names every route, status and parameter, and the page shows them without a network."""

import asyncio
import re
import threading
from typing import Any

import httpx2
import pytest

from markethub.api.app import create_api
from markethub.api.docs import render_docs
from markethub.services.access import SCOPES

ERRORS = {
    ("post", "/api/v1/backfill/klines"): {401, 403, 409, 413, 422, 500, 503},
    **{
        ("post", f"/api/v1/backfill/{kind}"): {401, 403, 409, 413, 422, 500, 503}
        for kind in ("symbols", "balances", "orders", "fills", "transfers", "orderbook", "ticker")
    },
    **{
        ("get", f"/api/v1/{table}"): {401, 403, 422, 500, 503}
        for table in (
            "symbols",
            "tickers",
            "orderbooks",
            "balances",
            "orders",
            "fills",
            "transfers",
            "rejects",
        )
    },
    ("get", "/api/v1/accounts"): {401, 403, 500, 503},
    ("get", "/api/v1/subscriptions"): {401, 403, 422, 500, 503},
    ("put", "/api/v1/subscriptions/{exchange}"): {401, 403, 409, 413, 422, 500, 503},
    ("get", "/api/v1/audit"): {401, 403, 422, 500, 503},
    ("get", "/api/v1/limits"): {401, 403, 500, 503},
    ("get", "/api/v1/tools"): {401, 403, 500, 503},
    ("get", "/api/v1/jobs"): {401, 403, 422, 500, 503},
    ("get", "/api/v1/jobs/{job_id}"): {401, 403, 404, 422, 500, 503},
    ("get", "/api/v1/jobs/{job_id}/executions"): {401, 403, 404, 422, 500, 503},
    ("get", "/api/v1/jobs/executions"): {401, 403, 422, 500, 503},
    ("get", "/api/v1/jobs/{job_id}/statistics"): {401, 403, 404, 422, 500, 503},
    ("get", "/api/v1/executions/{execution_id}/events"): {401, 403, 404, 422, 500, 503},
    ("get", "/api/v1/executions/export"): {401, 403, 404, 422, 500, 503},
    ("get", "/api/v1/executions/{execution_id}"): {401, 403, 404, 422, 500, 503},
    ("post", "/api/v1/executions/{execution_id}/cancel"): {401, 403, 404, 409, 422, 500, 503},
    ("post", "/api/v1/executions/{execution_id}/retry"): {401, 403, 404, 409, 422, 500, 503},
    ("get", "/api/v1/logs"): {401, 403, 422, 500, 503},
    ("get", "/api/v1/klines"): {401, 403, 422, 500, 503},
    ("get", "/api/v1/klines/holes"): {401, 403, 422, 500, 503},
    ("get", "/api/v1/series"): {401, 403, 500, 503},
    ("get", "/healthz"): {500, 503},
    ("get", "/metrics"): {401, 403, 500, 503},
    **{
        ("get", f"/api/dms/{path}"): {401, 403, 500, 503}
        for path in ("status", "nodes", "slaves", "master/status", "sync/status", "tasks")
    },
    ("get", "/api/dms/slaves/{slave_name}/status"): {400, 401, 403, 404, 500, 503},
    ("post", "/api/dms/slaves/{slave_name}/sync"): {400, 401, 403, 404, 413, 500, 503},
    ("get", "/api/dms/sync/history"): {400, 401, 403, 500, 503},
    ("post", "/api/dms/sync/trigger"): {400, 401, 403, 404, 500, 503},
    ("post", "/api/dms/sync/request"): {400, 401, 403, 413, 500, 503},
    ("get", "/api/dms/sync/verify"): {400, 401, 403, 404, 500, 503},
    ("post", "/api/dms/promote"): {401, 403, 409, 500, 503},
    ("post", "/api/dms/read/batch"): {400, 401, 403, 413, 500, 503},
    ("get", "/api/dms/read/{symbol}"): {400, 401, 403, 500, 503},
    ("post", "/api/dms/tasks/trigger"): {400, 401, 403, 404, 409, 500, 503},
    ("post", "/api/dms/tasks/trigger-all"): {400, 401, 403, 409, 500, 503},
    ("get", "/api/dms/tasks/{task_name}/status"): {400, 401, 403, 404, 500, 503},
    ("get", "/api/dms/maintenance/log"): {400, 401, 403, 404, 500, 503},
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_api().openapi()


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_status_of_every_route_is_documented(document: dict[str, Any]) -> None:
    documented = {
        route: {int(status) for status in operation["responses"]}
        for route, operation in operations(document).items()
    }
    # Who must show a token is counted too, and any request may be too long.
    by_itself = {route: {200, 431} | ({429} if 401 in errors else set()) for route, errors in ERRORS.items()}
    assert documented == {route: errors | by_itself[route] for route, errors in ERRORS.items()}


def test_errors_are_documented_as_the_envelope(document: dict[str, Any]) -> None:
    for route, operation in operations(document).items():
        for status, response in operation["responses"].items():
            if status != "200" and (route, status) != (("get", "/healthz"), "503"):
                # What stops a request before it has a path has no path to go by.
                is_dms = route[1].startswith("/api/dms") and status != "431"
                name = "DetailError" if is_dms else "ErrorEnvelope"
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": f"#/components/schemas/{name}"}
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


def test_data_routes_ask_for_a_bearer_token(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for (_, path), operation in operations(document).items():
        assert ("security" in operation) == path.startswith("/api/")
        if path.startswith("/api/"):
            [[scope]] = [requirement["token"] for requirement in operation["security"] if requirement]
            assert scope in SCOPES
            # the settings may let in whoever shows no token
            assert ({} in operation["security"]) == scope.endswith(":dms")
            assert f"Scope `{scope}`" in operation["description"]


def test_bodies_and_parameters_are_documented(document: dict[str, Any]) -> None:
    body = operations(document)["post", "/api/v1/backfill/klines"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    documented = {"exchanges", "symbols", "intervals", "start_time", "end_time"}
    assert set(schema["properties"]) == documented | {"mode", "priority", "dry_run"}
    assert schema["required"] == ["intervals", "start_time"]
    klines = operations(document)["get", "/api/v1/klines"]
    assert {parameter["name"] for parameter in klines["parameters"]} == {
        "symbol", "interval", "start", "end", "limit", "format",
    }  # fmt: skip
    assert set(klines["responses"]["200"]["content"]) == {
        "application/json", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet",
        "text/csv; charset=utf-8",
    }  # fmt: skip


def test_the_page_shows_all_of_it_and_needs_nothing_else(
    document: dict[str, Any], stranger: httpx2.Client
) -> None:
    response = stranger.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    page = response.text
    for (method, path), operation in operations(document).items():
        assert f"<b>{method.upper()}</b> <code>{path}</code>" in page
        for parameter in operation.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in page
    for name in document["components"]["schemas"]:
        assert f"id='{name}'" in page
    for target in re.findall(r"href='#(\w+)'", page):
        assert f"id='{target}'" in page
    assert "<script" not in page
    assert not re.search(r"(src|href)=['\"]?(https?:)?//", page)


def test_the_page_escapes_what_it_shows() -> None:
    evil = "<script>alert(1)</script>"
    page = render_docs(
        {
            "info": {"title": evil, "version": evil, "description": evil},
            "paths": {
                f"/{evil}": {
                    "get": {
                        "summary": evil,
                        "description": evil,
                        "parameters": [
                            {
                                "name": evil,
                                "in": "query",
                                "schema": {"type": evil, "enum": [evil]},
                                "description": evil,
                            }
                        ],
                        "responses": {
                            evil: {"description": evil, "content": {evil: {"schema": {"$ref": evil}}}}
                        },
                    }
                }
            },
            "components": {"schemas": {evil: {"description": evil, "properties": {evil: {"type": evil}}}}},
        }
    )
    assert "<script" not in page


async def test_the_document_is_written_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_api()
    writings = []
    write = app.openapi

    def count() -> dict[str, Any]:
        writings.append(threading.current_thread())
        return write()

    monkeypatch.setattr(app, "openapi", count)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:
        answers = await asyncio.gather(
            *(client.get(path) for path in ["/docs", "/openapi.json"] for _ in range(5))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 2
    (writer,) = writings
    assert writer is not threading.main_thread()  # nobody else waits for it
