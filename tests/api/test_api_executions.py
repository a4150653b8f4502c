"""One execution over HTTP: its chunks, its end, its repetition."""

import time
from typing import Any

import httpx2
import pytest

TICKER = {"symbols": ["BTC_USDT.BNC"]}


def queue(admin: httpx2.Client) -> str:
    trace_id: str = admin.post("/api/v1/backfill/ticker", json=TICKER).json()["trace_id"]
    return trace_id


def show(admin: httpx2.Client, trace_id: str, **query: object) -> dict[str, Any]:
    response = admin.get(f"/api/v1/executions/{trace_id}", params={k: str(v) for k, v in query.items()})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def show_running(admin: httpx2.Client, trace_id: str) -> dict[str, Any]:
    """Look until its one chunk runs; the test's timeout ends it."""
    while not (found := show(admin, trace_id))["chunks"]["running"]:
        time.sleep(0.01)
    return found


@pytest.fixture
def quiet(admin: httpx2.Client) -> None:
    """End what other tests left running, so that a worker is free."""
    rows = admin.get("/api/v1/jobs/executions", params={"limit": 1000}).json()["data"]
    for row in rows:
        if row["completed_at"] is None:
            admin.post(f"/api/v1/executions/{row['id']}/cancel")


@pytest.mark.usefixtures("quiet")
def test_a_running_chunk_is_counted_and_shown(admin: httpx2.Client) -> None:
    trace_id = queue(admin)
    found = show_running(admin, trace_id)
    assert found["chunks"] == {"total": 1, "pending": 0, "running": 1, "done": 0, "failed": 0}
    assert found["retry_of"] is None
    chunk = {"key": "BTC_USDT.BNC 1h 2024", "status": "RUNNING", "attempts": 0, "error": None}
    assert found["chunk_list"]["data"] == [chunk]
    assert found["chunk_list"]["pagination"] == {
        "page": 1,
        "page_size": 50,
        "total": 1,
        "total_pages": 1,
        "has_next": False,
        "has_prev": False,
    }
    none = show(admin, trace_id, status="FAILED", limit=3, offset=3)["chunk_list"]
    assert (none["data"], none["pagination"]["total"], none["pagination"]["page"]) == ([], 0, 2)
    assert show(admin, trace_id, status="RUNNING")["chunk_list"]["data"] == [chunk]


def test_a_retry_has_the_same_parameters_and_names_the_first(admin: httpx2.Client) -> None:
    trace_id = queue(admin)
    early = admin.post(f"/api/v1/executions/{trace_id}/retry")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "CONFLICT")
    assert "once it has ended" in early.json()["error"]["message"]
    first = admin.post(f"/api/v1/executions/{trace_id}/cancel").json()
    queued = admin.post(f"/api/v1/executions/{trace_id}/retry").json()
    assert (queued["status"], queued["trace_id"][:16]) == ("queued", "backfill_ticker_")
    assert trace_id in queued["message"]
    again = show(admin, queued["execution_id"])
    assert (again["retry_of"], again["trace_id"]) == (first["id"], queued["trace_id"])
    assert again["parameters_snapshot"] == first["parameters_snapshot"]
    listed = admin.get("/api/v1/jobs/executions", params={"limit": 1, "order_by": "id"}).json()["data"]
    assert "retry_of" not in listed[0], "lists have the fields of the contract alone"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"status": "BROKEN"}, ["status", "BROKEN", "FAILED"]),
        ({"limit": 0}, ["limit", "0"]),
        ({"limit": 1001}, ["limit", "1000"]),
        ({"offset": -1}, ["offset"]),
        ({"chunks": 1}, ["chunks", "unknown", "status, limit, offset"]),
    ],
)
def test_a_wrong_choice_of_chunks_is_named(
    admin: httpx2.Client, query: dict[str, str | int], named: list[str]
) -> None:
    response = admin.get("/api/v1/executions/1", params=query)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    for word in named:
        assert word in response.json()["error"]["message"]
