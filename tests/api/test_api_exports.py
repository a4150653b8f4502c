"""The history as a file, and what a job did in all, over HTTP and by the clients."""

import asyncio
import io
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pyarrow.parquet as pq
import pytest

from markethub import DataHub
from markethub.client import AsyncDataHub
from markethub.client.exports import Exported
from markethub.domain.errors import InputError, NotFoundError
from tests.api.served_hub import ServedHub

EXPORT = "/api/v1/executions/export"


@pytest.fixture
def ended(admin: httpx2.Client) -> list[str]:
    """Trace ids of three executions of two jobs that were cancelled, in the order they were queued."""
    traces = []
    for path, body in (
        ("ticker", {"symbols": ["BTC_USDT.BNC"]}),
        ("symbols", {"exchanges": ["BNC"]}),
        ("ticker", {"symbols": ["ETH_USDT.BNC"]}),
    ):
        trace_id = admin.post(f"/api/v1/backfill/{path}", json=body).json()["trace_id"]
        admin.post(f"/api/v1/executions/{trace_id}/cancel").raise_for_status()
        traces.append(trace_id)
    return traces


def fetch(admin: httpx2.Client, **query: str) -> list[dict[str, Any]]:
    response = admin.get(EXPORT, params=query)
    assert response.status_code == 200, response.text
    rows = [orjson.loads(line) for line in response.content.splitlines()]
    assert response.headers["content-type"] == "application/x-ndjson"
    assert int(response.headers["x-total-count"]) == len(rows)
    return rows


def test_the_lines_are_the_rows_of_the_list(admin: httpx2.Client, ended: list[str]) -> None:
    rows = {row["trace_id"]: row for row in fetch(admin)}
    assert [trace_id for trace_id in rows if trace_id in ended] == ended
    listed = admin.get("/api/v1/jobs/executions", params={"limit": 1000}).json()["data"]
    mine = [row for row in listed if row["trace_id"] in ended]
    assert len(mine) == 3
    for row in mine:
        assert rows[row["trace_id"]] == row
        assert list(rows[row["trace_id"]]) == list(row)  # in the contract's order of fields


def test_filters_are_those_of_the_list(admin: httpx2.Client, ended: list[str]) -> None:
    tickers = fetch(admin, job_id="backfill_ticker", search="failed")
    assert {row["job_name"] for row in tickers} == {"backfill_ticker"}
    assert {row["status"] for row in tickers} == {"FAILURE"}
    assert {ended[0], ended[2]} <= {row["trace_id"] for row in tickers}
    assert ended[1] in {row["trace_id"] for row in fetch(admin, search="backfill_sym")}
    assert fetch(admin, before="2020-01-01") == []
    assert fetch(admin, search="nothing_like_it") == []
    last = next(row for row in fetch(admin) if row["trace_id"] == ended[2])
    since = fetch(admin, after=last["started_at"] or last["created_at"])
    assert ended[2] in {row["trace_id"] for row in since}


@pytest.mark.parametrize("how", ["format", "accept"])
def test_parquet_has_the_same_rows(admin: httpx2.Client, ended: list[str], how: str) -> None:
    media_type = "application/vnd.apache.parquet"
    query, headers = (
        ({"format": "parquet"}, {"Accept": "application/x-ndjson"})
        if how == "format"
        else ({}, {"Accept": media_type})
    )
    response = admin.get(EXPORT, params={"search": "FAILURE", **query}, headers=headers)
    assert response.headers["content-type"] == media_type
    table = pq.read_table(io.BytesIO(response.content))
    row = next(row for row in table.to_pylist() if row["trace_id"] == ended[0])
    line = next(row for row in fetch(admin, search="FAILURE") if row["trace_id"] == ended[0])
    assert table.column_names == list(line)
    assert orjson.loads(row["parameters_snapshot"]) == line["parameters_snapshot"]
    assert row["completed_at"].strftime("%Y-%m-%dT%H:%M:%S") == line["completed_at"][:19]


def test_an_export_without_rows_is_a_whole_file(admin: httpx2.Client) -> None:
    nothing = {"before": "2020-01-01"}
    assert admin.get(EXPORT, params=nothing).content == b""
    empty = admin.get(EXPORT, params={**nothing, "format": "parquet"}).content
    assert pq.read_table(io.BytesIO(empty)).num_rows == 0


@pytest.mark.parametrize(
    ("query", "status", "named"),
    [
        ({"format": "csv"}, 422, ["format", "jsonl", "parquet"]),
        ({"job_id": "no_such_job"}, 404, ["no_such_job"]),
        ({"before": "yesterday"}, 422, ["before", "yesterday"]),
        ({"limit": "5"}, 422, ["limit"]),
        ({"search": "a\x00b"}, 422, ["search"]),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    admin: httpx2.Client, query: dict[str, str], status: int, named: list[str]
) -> None:
    response = admin.get(EXPORT, params=query)
    assert response.status_code == status
    assert all(word in response.json()["error"]["message"] for word in named)


def test_an_accept_header_that_rules_all_out(admin: httpx2.Client) -> None:
    response = admin.get(EXPORT, headers={"Accept": "text/html"})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert "application/x-ndjson" in response.json()["error"]["message"]


def test_both_clients_write_files(served: ServedHub, ended: list[str], tmp_path: Path) -> None:
    seen: list[Exported] = []
    lines, parquet = tmp_path / "a.jsonl", tmp_path / "a.parquet"
    with DataHub(served.url, served.tokens["read:jobs"]) as hub:
        done = hub.export_executions(lines, search="failed", progress=seen.append)
        into = io.BytesIO()
        assert hub.export_executions(into, search="failed") == done
        with pytest.raises(NotFoundError, match="no_such_job"):
            hub.export_executions(lines, job_id="no_such_job")
    assert (done.rows, done.size_bytes) == (done.total_rows, lines.stat().st_size)
    assert (seen[0].rows, seen[-1]) == (0, done)
    assert into.getvalue() == lines.read_bytes()

    async def write() -> Exported:
        async with AsyncDataHub(served.url, served.tokens["read:jobs"]) as hub:
            return await hub.export_executions(parquet, format="parquet", search="failed")

    written = asyncio.run(write())
    assert (written.rows, written.total_rows) == (None, pq.read_table(parquet).num_rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "a.parquet"]
    assert set(ended) <= {row["trace_id"] for row in pq.read_table(parquet).to_pylist()}


def test_an_export_of_many_pages_has_every_row_once(
    admin: httpx2.Client, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [row["id"] for row in fetch(admin, search="failed")]
    monkeypatch.setattr("markethub.services.export._PAGE_ROWS", 2)
    assert [row["id"] for row in fetch(admin, search="failed")] == whole
    assert whole == sorted(whole, key=int)
    assert len(whole) >= 3


def test_statistics_grow_with_what_ends(served: ServedHub, admin: httpx2.Client) -> None:
    with DataHub(served.url, served.tokens["read:jobs"]) as hub:
        before = hub.get_job_statistics("backfill_ticker")
        trace_id = admin.post("/api/v1/backfill/ticker", json={"symbols": ["BTC_USDT.BNC"]}).json()[
            "trace_id"
        ]
        assert hub.get_job_statistics("backfill_ticker") == before
        admin.post(f"/api/v1/executions/{trace_id}/cancel").raise_for_status()
        after = hub.get_job_statistics("backfill_ticker", since="2020-01-01")
        assert hub.get_job_statistics("backfill_ticker", until="2020-01-01")["total_runs"] == 0

    async def ask() -> int:
        async with AsyncDataHub(served.url, served.tokens["read:jobs"]) as hub:
            return (await hub.get_job_statistics("backfill_ticker"))["total_runs"]

    assert asyncio.run(ask()) == after["total_runs"] == before["total_runs"] + 1
    assert after["failed_count"] == before["failed_count"] + 1
    assert (after["job_id"], after["since"], after["until"]) == (
        "backfill_ticker",
        "2020-01-01T00:00:00Z",
        None,
    )
    assert (after["success_count"], after["timeout_count"]) == (0, 0)


def test_bounds_are_whole_days(admin: httpx2.Client) -> None:
    query = {"since": "2026-01-02T08:00:00Z", "until": "2026-01-03T00:00:01Z"}
    found = admin.get("/api/v1/jobs/backfill_ticker/statistics", params=query).json()
    assert (found["since"], found["until"]) == ("2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z")
    assert found["avg_duration_ms"] is None


def test_statistics_refuse_what_cannot_be(served: ServedHub) -> None:
    with DataHub(served.url, served.tokens["read:jobs"]) as hub:
        with pytest.raises(NotFoundError, match="no_such_job"):
            hub.get_job_statistics("no_such_job")
        with pytest.raises(InputError, match=r"since .* must be before until"):
            hub.get_job_statistics("backfill_ticker", since="2026-01-02", until="2026-01-02")


def test_what_breaks_off_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("kept\n")
    with DataHub("http://127.0.0.1:1", "mh_1_x") as hub, pytest.raises(Exception, match="no answer"):
        hub.export_executions(path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("history.jsonl", "kept\n")]
