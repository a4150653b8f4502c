"""The jobs of a fresh hub, their histories, and the log lines of either."""

import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from markethub.app import JOBS
from markethub.domain.times import parse_time

BACKFILL = {"symbols": ["BTC_USDT.BNC"], "intervals": ["1h"], "start_time": "2024-01-01"}


def get(client: httpx2.Client, path: str, **params: str | int) -> Any:  # noqa: ANN401  (a JSON value)
    response = client.get(f"/api/v1/{path}", params=params)
    assert response.status_code == 200, response.text
    return response.json()


def get_by_both_names(execution: dict[str, Any], read: Callable[[str], Any]) -> tuple[Any, Any]:
    """What ``read`` answers to the job's name and to its number, when nothing changed from one to the other.

    Executions that earlier tests left waiting may still begin, and write their lines.
    """
    end_s = time.monotonic() + 60
    while True:
        by_name, by_number = read(execution["job_name"]), read(execution["job_id"])
        if read(execution["job_name"]) == by_name:
            return by_name, by_number
        assert time.monotonic() < end_s


@pytest.fixture(scope="module")
def execution(admin: httpx2.Client) -> dict[str, Any]:
    """A backfill of klines, cancelled after its work has written its only line, so that no more will come."""
    queued = admin.post("/api/v1/backfill/klines", json=BACKFILL).json()
    end_s = time.monotonic() + 60
    while not get(admin, "logs", job_id=queued["trace_id"], search=" waits")["data"]:
        assert time.monotonic() < end_s
        time.sleep(0.02)
    cancelled = admin.post(f"/api/v1/executions/{queued['trace_id']}/cancel")
    assert cancelled.status_code == 200
    row: dict[str, Any] = cancelled.json()
    return row


def test_a_fresh_hub_has_its_own_jobs(admin: httpx2.Client) -> None:
    page = get(admin, "jobs", search="backfill")
    assert [row["name"] for row in page["data"]] == sorted(spec.name for spec in JOBS)
    assert page["pagination"] == {
        "page": 1, "page_size": 50, "total": len(JOBS), "total_pages": 1,
        "has_next": False, "has_prev": False,
    }  # fmt: skip
    for row in page["data"]:
        assert row["id"] == row["name"]
        assert (row["schedule_type"], row["schedule"], row["next_run_at"]) == (None, None, None)
    second = get(admin, "jobs", search="backfill", limit=3, offset=3)
    assert [row["id"] for row in second["data"]] == [row["id"] for row in page["data"][3:6]]
    assert (second["pagination"]["page"], second["pagination"]["has_prev"]) == (2, True)


def test_a_job_by_either_of_its_names(admin: httpx2.Client, execution: dict[str, Any]) -> None:
    by_name, by_number = get_by_both_names(execution, lambda name: get(admin, f"jobs/{name}"))
    assert by_number == by_name
    assert (by_name["job_type"], by_name["job_category"], by_name["enabled"]) == ("kline", "backfill", True)
    for unknown in ("999999", "backfill_klines", "Backfill_Kline", "x%2Fy"):
        response = admin.get(f"/api/v1/jobs/{unknown}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "NOT_FOUND"
    assert admin.get("/api/v1/jobs/").status_code == 404


def test_a_jobs_history_is_its_own(admin: httpx2.Client, execution: dict[str, Any]) -> None:
    ticker = admin.post("/api/v1/backfill/ticker", json={"symbols": ["BTC_USDT.BNC"]}).json()
    history, by_number = get_by_both_names(
        execution, lambda name: get(admin, f"jobs/{name}/executions", limit=1000, order_by="id")
    )
    assert execution["id"] in [row["id"] for row in history["data"]]
    assert {row["job_name"] for row in history["data"]} == {"backfill_kline"}
    assert by_number == history
    tickers = get(admin, "jobs/backfill_ticker/executions", search="queued")["data"]
    tickers += get(admin, "jobs/backfill_ticker/executions", search="running")["data"]
    assert str(ticker["execution_id"]) in [row["id"] for row in tickers]


def test_a_jobs_history_by_status_and_time(admin: httpx2.Client, execution: dict[str, Any]) -> None:
    path, begun = "jobs/backfill_kline/executions", execution["started_at"] or execution["created_at"]
    failed = get(admin, path, search="failed", limit=1000)["data"]
    assert execution["id"] in [row["id"] for row in failed]
    assert {row["status"] for row in failed} == {"FAILURE"}
    assert get(admin, path, search="timeout")["data"] == []
    since = get(admin, path, after=begun, limit=1000)["data"]
    until = get(admin, path, before=begun, limit=1000)["data"]
    assert execution["id"] in [row["id"] for row in since]
    assert execution["id"] not in [row["id"] for row in until]


def test_logs_of_a_trace_a_job_and_a_jobs_number(admin: httpx2.Client, execution: dict[str, Any]) -> None:
    of_trace = get(admin, "logs", job_id=execution["trace_id"])
    assert of_trace["pagination"]["page_size"] == 50
    lines = of_trace["data"]
    assert {line["trace_id"] for line in lines} == {execution["trace_id"]}
    times = [parse_time(line["timestamp"]) for line in lines]
    assert times == sorted(times)
    of_job, by_number = get_by_both_names(execution, lambda name: get(admin, "logs", job_id=name, limit=1000))
    assert {line["id"] for line in lines} <= {line["id"] for line in of_job["data"]}
    assert {line["job_id"] for line in of_job["data"]} == {execution["job_id"]}
    assert by_number == of_job
    newest = get(admin, "logs", job_id=execution["trace_id"], order_desc="true", limit=1)
    assert newest["data"] == lines[-1:]
    assert newest["pagination"]["total"] == len(lines)


def test_logs_by_level_text_and_time(admin: httpx2.Client, execution: dict[str, Any]) -> None:
    of_trace = {"job_id": execution["trace_id"]}
    lines = get(admin, "logs", **of_trace)["data"]
    found = get(admin, "logs", **of_trace, level="info", search="BACKFILL QUEUED")["data"]
    assert found == lines[:1]
    assert get(admin, "logs", **of_trace, level="DEBUG", search="backfill queued")["data"] == []
    first = lines[0]["timestamp"]
    assert get(admin, "logs", **of_trace, before=first)["data"] == []
    assert get(admin, "logs", **of_trace, after=first)["data"] == lines
    assert get(admin, "logs", **of_trace, offset=1)["data"] == lines[1:]
