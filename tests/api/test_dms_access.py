"""Which scope each route of the DMS door needs."""

import re
from collections.abc import Callable

import httpx2
import pytest

ROUTES = [
    ("GET", "/api/dms/status", "read:dms"),
    ("GET", "/api/dms/nodes", "read:dms"),
    ("GET", "/api/dms/slaves", "read:dms"),
    ("GET", "/api/dms/slaves/SLAVE/status", "read:dms"),
    ("POST", "/api/dms/slaves/SLAVE/sync", "write:dms"),
    ("GET", "/api/dms/master/status", "read:dms"),
    ("GET", "/api/dms/sync/status", "read:dms"),
    ("GET", "/api/dms/sync/history", "read:dms"),
    ("GET", "/api/dms/sync/verify", "write:dms"),
    ("POST", "/api/dms/sync/trigger", "write:dms"),
    ("POST", "/api/dms/sync/request", "write:dms"),
    ("POST", "/api/dms/promote", "admin"),
    ("POST", "/api/dms/read/batch", "read:dms"),
    ("GET", "/api/dms/read/SYMBOL", "read:dms"),
    ("GET", "/api/dms/tasks", "read:dms"),
    ("GET", "/api/dms/tasks/TASK/status", "read:dms"),
    ("POST", "/api/dms/tasks/trigger", "write:dms"),
    ("POST", "/api/dms/tasks/trigger-all", "write:dms"),
    ("GET", "/api/dms/maintenance/log", "read:dms"),
]
SCOPES = ["read:data", "read:jobs", "read:logs", "write:backfill", "read:dms", "write:dms"]
_PLACES = {"SLAVE": "{slave_name}", "TASK": "{task_name}", "SYMBOL": "{symbol}"}


def test_the_table_names_every_documented_route(stranger: httpx2.Client) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in stranger.get("/openapi.json").json()["paths"].items()
        for method in operations
        if path.startswith("/api/dms")
    }
    named = {(method, re.sub("[A-Z]+", lambda found: _PLACES[found[0]], path)) for method, path, _ in ROUTES}
    assert documented == named


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_a_token_with_another_scope_is_told_which_one_it_lacks(
    stranger: httpx2.Client, as_scope: Callable[[str], dict[str, str]], method: str, path: str, scope: str
) -> None:
    for other in SCOPES:
        if other != scope:
            response = stranger.request(method, path, headers=as_scope(other))
            assert response.status_code == 403, other
            assert f"this needs the scope {scope};" in response.json()["detail"]


@pytest.mark.parametrize(("method", "path", "_scope"), ROUTES)
def test_a_wrong_token_is_401_even_where_none_is_needed(
    stranger: httpx2.Client, method: str, path: str, _scope: str
) -> None:
    response = stranger.request(method, path, headers={"Authorization": "Bearer mh_1_wrong"})
    assert response.status_code == 401
    assert list(response.json()) == ["detail"]
