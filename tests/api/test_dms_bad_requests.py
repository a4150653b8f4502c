"""Errors under `/api/dms`: one shape, the page's statuses, and words that help."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from markethub.api.app import create_api
from markethub.domain.errors import ReplicationError, StoreError, VenueThrottledError
from markethub.domain.node import NodeAddress, Role
from markethub.domain.times import format_time
from markethub.ports.clock import system_clock
from markethub.replication.node import SlaveNode
from markethub.services.hub import Hub
from tests.api.dms_door import Door, open_door

NOWHERE = SlaveNode(NodeAddress("backup1", "127.0.0.1", 9), False)
SYNCS = {Role.MASTER: "/api/dms/slaves/backup1/sync", Role.SLAVE: "/api/dms/sync/request"}
TOMORROW = format_time(system_clock() + 86_400_000)


@pytest.fixture
async def door(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path, sqlite_template, slaves=[NOWHERE]) as door:
        yield door


def detail_of(response: httpx2.Response) -> tuple[int, str]:
    body = response.json()
    assert list(body) == ["detail"]
    assert isinstance(body["detail"], str)
    assert response.headers["content-type"] == "application/json"
    return response.status_code, body["detail"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/dms/sync/history?limit=0", "limit '0' should be greater than or equal to 1"),
        ("/api/dms/sync/history?limit=1001", "limit '1001' should be less than or equal to 1000"),
        ("/api/dms/sync/history?limit=ten", "limit 'ten' should be a valid integer"),
        ("/api/dms/sync/history?offset=-1", "offset '-1' should be greater than or equal to 0"),
        ("/api/dms/sync/history?offset=9007199254740993", "offset '9007199254740993' should be less"),
        ("/api/dms/sync/history?backup_name=", "backup_name '' string should have at least 1 character"),
        ("/api/dms/sync/history?backup_name=%00", "must not hold a NUL character"),
        (
            "/api/dms/sync/history?backup=x",
            "field 'backup' is unknown; allowed are backup_name, limit, offset",
        ),
        ("/api/dms/slaves/%00/status", "must not hold a NUL character"),
    ],
)
async def test_bad_questions_are_400(door: Door, path: str, words: str) -> None:
    async with door.caller() as client:
        status, detail = detail_of(await client.get(path))
    assert status == 400
    assert words in detail


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("backup_name=", "backup_name '' string should have at least 1 character"),
        ("name=backup1", "field 'name' is unknown; allowed are backup_name"),
        (f"backup_name={'x' * 201}", "string should have at most 200 characters"),
    ],
)
async def test_bad_triggers_are_400(door: Door, query: str, words: str) -> None:
    async with door.caller() as client:
        status, detail = detail_of(await client.post(f"/api/dms/sync/trigger?{query}"))
    assert status == 400
    assert words in detail


BAD_BODIES: list[tuple[Any, str]] = [
    ({"symbol": "AAPL"}, "AAPL"),
    ({"symbol": ""}, "symbol '' string should have at least 1 character"),
    ({"symbol": 7}, "symbol 7 should be a valid string"),
    ({"symbol": "US.AAPL\x00"}, "NUL"),
    ({"symbols": ["US.AAPL"]}, "field 'symbols' is unknown; allowed are symbol, start_date, end_date"),
    ({"start_date": "yesterday"}, "start_date 'yesterday' is not an ISO 8601 time"),
    ({"end_date": 1704067200}, "end_date 1704067200 is not a string"),
    ({"start_date": "2024-01-02", "end_date": "2024-01-01"}, "must be before end 2024-01-01T00:00:00Z"),
    ({"start_date": "2024-01-01", "end_date": "2024-01-01"}, "must be before end 2024-01-01T00:00:00Z"),
    ({"start_date": TOMORROW}, f"start {TOMORROW} must be before end"),
    ([], "body [] should be an object"),
    ("US.AAPL", "body 'US.AAPL' should be an object"),
]


@pytest.mark.parametrize("role", list(Role))
async def test_bad_bodies_are_400(sqlite_template: Path, tmp_path: Path, role: Role) -> None:
    async with open_door(tmp_path, sqlite_template, role, [NOWHERE]) as door, door.caller() as client:
        for body, words in BAD_BODIES:
            status, detail = detail_of(await client.post(SYNCS[role], json=body))
            assert status == 400, body
            assert words in detail, body
        for content in (b"{broken", b"\xff", b'{"symbol": "\\ud800"}'):
            response = await client.post(
                SYNCS[role], content=content, headers={"Content-Type": "application/json"}
            )
            assert detail_of(response)[0] == 400, content
        plain = await client.post(SYNCS[role], content=b"{}", headers={"Content-Type": "text/plain"})
        assert detail_of(plain)[0] == 400
        assert "'text/plain' is not application/json" in detail_of(plain)[1]
        large = await client.post(SYNCS[role], content=b" " * 1_000_001)
        assert detail_of(large) == (413, "the body may have at most 1000000 bytes")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/dms/slaves/backup9/status"),
        ("POST", "/api/dms/slaves/backup9/sync"),
        ("POST", "/api/dms/sync/trigger?backup_name=backup9"),
    ],
)
async def test_an_unknown_slave_is_404_and_the_known_are_named(door: Door, method: str, path: str) -> None:
    async with door.caller() as client:
        response = await client.request(method, path)
    assert detail_of(response) == (404, "Slave not found: backup9; there are backup1")


async def test_an_unknown_path_is_404_and_a_wrong_method_405(door: Door) -> None:
    async with door.caller() as client:
        for path in ("/api/dms", "/api/dms/", "/api/dms/nonsense", "/api/dms/status/"):
            assert detail_of(await client.get(path)) == (404, f"no such path: {path}")
        response = await client.delete("/api/dms/status")
        assert detail_of(response)[0] == 405
        assert response.headers["allow"] == "GET, HEAD, OPTIONS"
        assert (await client.options("/api/dms/status")).status_code == 204
        # Not ours: it only begins alike.
        assert list((await client.get("/api/dmsx")).json()) == ["error"]


async def test_head_answers_as_get_does(door: Door) -> None:
    async with door.caller() as client:
        assert (await client.head("/api/dms/status")).status_code == 200
        assert (await client.head("/api/dms/slaves/backup9/status")).status_code == 404


@pytest.fixture(scope="module")
def closed() -> FastAPI:
    """The application before its hub is open."""
    return create_api()


def routes_of(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items() if path.startswith("/api/dms/") else ():
            yield method, path, operation


async def test_until_the_hub_is_open_everything_is_503(closed: FastAPI) -> None:
    transport = httpx2.ASGITransport(closed)
    asked = list(routes_of(closed))
    assert len(asked) >= 17
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path, _ in asked:
            with capture_logs():
                response = await client.request(method, path.replace("{", "").replace("}", ""))
            assert detail_of(response)[0] == 503, path
            assert response.headers["retry-after"] == "1"


def test_errors_are_documented_in_the_shape_of_the_door(closed: FastAPI) -> None:
    seen = set()
    for method, path, operation in routes_of(closed):
        assert "422" not in operation["responses"], path
        for status, answer in operation["responses"].items():
            if status not in ("200", "431"):
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/DetailError"}, (method, path, status)
                seen.add(status)
        if "dms" in operation["tags"] and path != "/api/dms/promote":
            # In the settings it says whether the token is needed.
            assert [list(one) for one in operation["security"]] == [["token"], []], path
    assert seen >= {"400", "401", "403", "404", "409", "413", "429", "500", "503"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreError("the disk is full"), 500),
        (ReplicationError("backup1 tells nonsense"), 503),
        (VenueThrottledError("BNC wants us to wait", 5), 503),
    ],
)
async def test_what_breaks_inside_has_the_shape_of_the_door(
    door: Door, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def fail(_hub: Hub) -> None:
        raise error

    monkeypatch.setattr("markethub.services.dms_nodes.read_status", fail)
    with capture_logs() as logs:
        async with door.caller() as client:
            response = await client.get("/api/dms/status")
    assert detail_of(response) == (status, str(error))
    assert "request_failed" in [line["event"] for line in logs]


async def test_the_unforeseen_is_told_without_details(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_hub: Hub) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("markethub.services.dms_nodes.read_status", fail)
    with capture_logs():
        async with door.caller() as client:
            response = await client.get("/api/dms/status", headers={"X-Request-ID": "id-1"})
    status, detail = detail_of(response)
    assert status == 500
    assert "id-1" in detail
    assert "secret" not in detail
