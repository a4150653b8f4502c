"""Who may do what; nobody else learns or costs anything."""

import re
from collections.abc import Callable

import httpx2
import pytest

ROUTES = [
    ("POST", "/api/v1/backfill/klines", "write:backfill"),
    ("POST", "/api/v1/backfill/symbols", "write:backfill"),
    ("POST", "/api/v1/backfill/balances", "write:backfill"),
    ("POST", "/api/v1/backfill/orders", "write:backfill"),
    ("POST", "/api/v1/backfill/fills", "write:backfill"),
    ("POST", "/api/v1/backfill/transfers", "write:backfill"),
    ("POST", "/api/v1/backfill/orderbook", "write:backfill"),
    ("POST", "/api/v1/backfill/ticker", "write:backfill"),
    ("GET", "/api/v1/jobs", "read:jobs"),
    ("GET", "/api/v1/jobs/1", "read:jobs"),
    ("GET", "/api/v1/jobs/1/executions", "read:jobs"),
    ("GET", "/api/v1/jobs/1/statistics", "read:jobs"),
    ("GET", "/api/v1/jobs/executions", "read:jobs"),
    ("GET", "/api/v1/executions/1", "read:jobs"),
    ("GET", "/api/v1/executions/999999/events", "read:jobs"),
    ("GET", "/api/v1/executions/export", "read:jobs"),
    ("POST", "/api/v1/executions/1/cancel", "write:backfill"),
    ("POST", "/api/v1/executions/1/retry", "write:backfill"),
    ("GET", "/api/v1/logs", "read:logs"),
    ("GET", "/api/v1/klines", "read:data"),
    ("GET", "/api/v1/klines/holes", "read:data"),
    ("GET", "/api/v1/series", "read:data"),
    ("GET", "/api/v1/symbols", "read:data"),
    ("GET", "/api/v1/tickers", "read:data"),
    ("GET", "/api/v1/orderbooks", "read:data"),
    ("GET", "/api/v1/balances", "read:data"),
    ("GET", "/api/v1/orders", "read:data"),
    ("GET", "/api/v1/fills", "read:data"),
    ("GET", "/api/v1/transfers", "read:data"),
    ("GET", "/api/v1/rejects", "read:data"),
    ("GET", "/api/v1/subscriptions", "read:data"),
    ("PUT", "/api/v1/subscriptions/BNC", "write:backfill"),
    ("GET", "/api/v1/accounts", "read:jobs"),
    ("GET", "/api/v1/audit", "admin"),
    ("GET", "/api/v1/limits", "read:jobs"),
    ("GET", "/api/v1/tools", "read:jobs"),
]
SCOPES = ["read:data", "read:jobs", "read:logs", "write:backfill", "read:dms", "write:dms"]


def error_of(response: httpx2.Response) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["message"]
    return response.status_code, body["error"]["code"]


def template(path: str) -> str:
    named = path.replace("/jobs/1", "/jobs/{job_id}").replace("/BNC", "/{exchange}")
    return re.sub("/[0-9]+", "/{execution_id}", named)


def test_the_table_names_every_route(stranger: httpx2.Client) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in stranger.get("/openapi.json").json()["paths"].items()
        for method in operations
        if path.startswith("/api/v1")
    }
    assert documented == {(method, template(path)) for method, path, _ in ROUTES}


@pytest.mark.parametrize(("method", "path", "_scope"), ROUTES)
@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer x", "Basic YTpi", "Bearer mh_1_wrong", "Bearer mh_99999_" + "a" * 64],
)
def test_without_a_good_token_it_is_401(
    stranger: httpx2.Client, method: str, path: str, _scope: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = stranger.request(method, path, headers=headers)
    assert error_of(response) == (401, "UNAUTHORIZED")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_other_scopes_are_403_and_the_right_one_is_named(
    stranger: httpx2.Client, as_scope: Callable[[str], dict[str, str]], method: str, path: str, scope: str
) -> None:
    for other in SCOPES:
        response = stranger.request(method, path, headers=as_scope(other))
        if other == scope:
            assert response.status_code not in (401, 403)
        else:
            assert error_of(response) == (403, "FORBIDDEN")
            assert scope in response.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path", "_scope"), ROUTES)
def test_the_admin_may_do_all(admin: httpx2.Client, method: str, path: str, _scope: str) -> None:
    assert admin.request(method, path).status_code not in (401, 403)


def test_access_is_judged_before_the_request(stranger: httpx2.Client) -> None:
    assert stranger.get("/api/v1/klines?nonsense=1").status_code == 401
    assert stranger.post("/api/v1/backfill/klines", content=b"{broken").status_code == 401


def test_health_docs_and_local_metrics_need_no_token(stranger: httpx2.Client) -> None:
    for path in ("/healthz", "/docs", "/openapi.json", "/metrics"):
        assert stranger.get(path).status_code == 200, path


def test_metrics_behind_a_proxy_need_a_token(
    stranger: httpx2.Client, as_scope: Callable[[str], dict[str, str]]
) -> None:
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        assert error_of(stranger.get("/metrics", headers={header: "127.0.0.1"})) == (401, "UNAUTHORIZED")
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    assert stranger.get("/metrics", headers=forwarded | as_scope("read:jobs")).status_code == 200
    assert error_of(stranger.get("/metrics", headers=forwarded | as_scope("read:logs"))) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example.com"},
        {"Host": "127.0.0.1.example.com:11183"},
        {"Host": "[::1"},
        {"Host": ""},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
    ],
)
def test_metrics_are_not_for_web_pages(stranger: httpx2.Client, headers: dict[str, str]) -> None:
    assert error_of(stranger.get("/metrics", headers=headers)) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "headers", [{"Host": "localhost:11183"}, {"Host": "[::1]:11183"}, {"Origin": "http://localhost:3000"}]
)
def test_metrics_are_for_local_programs(stranger: httpx2.Client, headers: dict[str, str]) -> None:
    assert stranger.get("/metrics", headers=headers).status_code == 200


def test_no_site_may_call_from_a_browser(stranger: httpx2.Client) -> None:
    headers = {"Origin": "https://elsewhere.example.com", "Access-Control-Request-Method": "POST"}
    for response in (
        stranger.options("/api/v1/backfill/klines", headers=headers),
        stranger.get("/healthz", headers=headers),
    ):
        assert not any(name.startswith("access-control-") for name in response.headers)
