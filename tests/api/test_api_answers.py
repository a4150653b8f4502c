"""What good requests are answered with."""

import csv
import io
from datetime import UTC, datetime

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from markethub.tables.klines import KLINES

KLINES_PATH = "/api/v1/klines"
BTC: dict[str, str | int] = {"symbol": "BTC_USDT.BNC", "interval": "1h"}
BACKFILL = {"symbols": ["BTC_USDT.BNC", "ETH_USDT.OKX"], "intervals": ["1h"], "start_time": "2024-01-01"}


def ok(response: httpx2.Response) -> httpx2.Response:
    assert response.status_code == 200, response.text
    return response


def test_klines_are_json_by_default(admin: httpx2.Client) -> None:
    response = ok(
        admin.get(KLINES_PATH, params=BTC | {"start": "2024-01-01T02:00", "end": "2024-01-01T04:00:00Z"})
    )
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "symbol": "BTC_USDT.BNC",
        "interval": "1h",
        "data": [
            {
                "open_time": f"2024-01-01T0{hour}:00:00Z",
                **dict.fromkeys(KLINES.names[1:], hour + 1.5),
                "trades": None,
            }
            for hour in (2, 3)
        ],
    }


@pytest.mark.parametrize("by_header", [True, False])
@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("arrow", "application/vnd.apache.arrow.stream"),
        ("parquet", "application/vnd.apache.parquet"),
        ("csv", "text/csv"),
    ],
)
def test_other_formats_by_name_or_header(
    admin: httpx2.Client, name: str, media_type: str, by_header: bool
) -> None:
    wish = {"headers": {"Accept": media_type}} if by_header else {}
    params = BTC if by_header else BTC | {"format": name}
    response = ok(admin.get(KLINES_PATH, params=params, **wish))  # type: ignore[arg-type]
    assert response.headers["content-type"].startswith(media_type)
    assert response.headers["vary"] == "Accept"
    if name == "csv":
        rows = list(csv.DictReader(io.StringIO(response.text)))
        assert "BTC_USDT.BNC_1h.csv" in response.headers["content-disposition"]
    elif name == "arrow":
        with pa.ipc.open_stream(response.content) as reader:
            table = reader.read_all()
    else:
        table = pq.read_table(io.BytesIO(response.content))
    if name != "csv":
        assert table.schema.equals(KLINES)
        rows = table.to_pylist()
    assert len(rows) == 98


def test_the_named_format_wins_over_the_header(admin: httpx2.Client) -> None:
    response = ok(
        admin.get(KLINES_PATH, params=BTC | {"format": "csv"}, headers={"Accept": "application/json"})
    )
    assert response.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("params", "first", "last"),
    [
        ({"limit": 3}, "2024-01-05T01:00:00Z", "2024-01-05T03:00:00Z"),
        ({"limit": 3, "start": "2024-01-01"}, "2024-01-01T00:00:00Z", "2024-01-01T02:00:00Z"),
        ({"limit": 3, "end": "2024-01-01T10:00:00Z"}, "2024-01-01T07:00:00Z", "2024-01-01T09:00:00Z"),
    ],
)
def test_limit_keeps_the_first_or_the_newest(
    admin: httpx2.Client, params: dict[str, str | int], first: str, last: str
) -> None:
    rows = ok(admin.get(KLINES_PATH, params=BTC | params)).json()["data"]
    assert (len(rows), rows[0]["open_time"], rows[-1]["open_time"]) == (3, first, last)


def test_a_series_that_is_not_stored_is_empty(admin: httpx2.Client) -> None:
    assert (
        ok(admin.get(KLINES_PATH, params={"symbol": "ETH_USDT.BNC", "interval": "1m"})).json()["data"] == []
    )


def test_series_and_holes(admin: httpx2.Client) -> None:
    assert ok(admin.get("/api/v1/series")).json() == {
        "data": [
            {
                "symbol": "BTC_USDT.BNC",
                "interval": "1h",
                "rows": 98,
                "first_open_time": "2024-01-01T00:00:00Z",
                "last_open_time": "2024-01-05T03:00:00Z",
                "revision": 1,
            }
        ]
    }
    holes = ok(admin.get("/api/v1/klines/holes", params=BTC | {"end": "2024-01-05T05:00:00Z"})).json()
    assert (holes["symbol"], holes["interval"]) == ("BTC_USDT.BNC", "1h")
    assert holes["data"] == [
        {"start": "2024-01-03T02:00:00Z", "end": "2024-01-03T04:00:00Z", "bars": 2, "reason": "venue_gap"},
        {"start": "2024-01-05T04:00:00Z", "end": "2024-01-05T05:00:00Z", "bars": 1, "reason": "not_fetched"},
    ]


def test_a_backfill_can_be_followed_and_cancelled(admin: httpx2.Client) -> None:
    queued = ok(admin.post("/api/v1/backfill/klines", json=BACKFILL)).json()
    assert queued["message"] == "Kline backfill queued | exchanges=2 | symbols=2"
    assert queued["status"] == "queued"
    by_id = ok(admin.get(f"/api/v1/executions/{queued['execution_id']}")).json()
    by_trace = ok(admin.get(f"/api/v1/executions/{queued['trace_id']}")).json()
    assert by_id["id"] == by_trace["id"] == str(queued["execution_id"])
    assert by_id["status"] in ("PENDING", "RUNNING")
    assert by_id["parameters_snapshot"]["symbols"] == BACKFILL["symbols"]
    assert set(by_id["chunks"]) == {"total", "pending", "running", "done", "failed"}

    cancelled = ok(admin.post(f"/api/v1/executions/{queued['trace_id']}/cancel")).json()
    assert (cancelled["status"], cancelled["error"]) == ("FAILURE", "cancelled")
    assert cancelled["completed_at"].endswith("Z")
    again = admin.post(f"/api/v1/executions/{queued['trace_id']}/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "CONFLICT")


def test_the_first_log_line_is_there_with_the_answer(admin: httpx2.Client) -> None:
    before = datetime.now(UTC)
    queued = ok(admin.post("/api/v1/backfill/klines", json=BACKFILL)).json()
    page = ok(admin.get("/api/v1/logs", params={"job_id": queued["trace_id"], "limit": 1})).json()
    [line] = page["data"]
    assert line["message"] == queued["message"]
    assert (line["level"], line["trace_id"]) == ("INFO", queued["trace_id"])
    assert line["execution_id"] == str(queued["execution_id"])
    assert abs((datetime.fromisoformat(line["timestamp"]) - before).total_seconds()) < 60
    assert page["pagination"]["page_size"] == 1


def test_executions_are_paged_newest_first(admin: httpx2.Client) -> None:
    for _ in range(3):
        ok(admin.post("/api/v1/backfill/klines", json=BACKFILL))
    pages = [
        ok(
            admin.get("/api/v1/jobs/executions", params={"limit": 2, "offset": offset, "order_by": "id"})
        ).json()
        for offset in (0, 2)
    ]
    ids = [int(row["id"]) for page in pages for row in page["data"]]
    assert ids == sorted(ids, reverse=True)
    assert [page["pagination"]["page"] for page in pages] == [1, 2]
    assert [page["pagination"]["has_prev"] for page in pages] == [False, True]
    assert pages[0]["pagination"]["has_next"]
    unfiltered = ok(admin.get("/api/v1/jobs/executions", params={"search": ""})).json()
    assert unfiltered["pagination"]["total"] == pages[0]["pagination"]["total"]
    future = ok(admin.get("/api/v1/jobs/executions", params={"after": "2999-01-01T00:00:00Z"})).json()
    assert (future["data"], future["pagination"]["total"], future["pagination"]["total_pages"]) == ([], 0, 0)


def test_head_is_get_without_a_body(admin: httpx2.Client) -> None:
    for path in ("/healthz", "/api/v1/series", "/docs"):
        seen, whole = admin.head(path), admin.get(path)
        assert (seen.status_code, seen.content) == (200, b"")
        assert seen.headers["content-type"] == whole.headers["content-type"]
        assert seen.headers["content-length"] == whole.headers["content-length"]
    assert admin.head("/api/v1/nothing").status_code == 404


def test_health(stranger: httpx2.Client) -> None:
    assert ok(stranger.get("/healthz")).json() == {"ready": True, "problems": []}


def test_a_request_keeps_its_own_id_if_it_is_plain(stranger: httpx2.Client) -> None:
    assert (
        stranger.get("/healthz", headers={"X-Request-ID": "abc-1.2_X"}).headers["x-request-id"] == "abc-1.2_X"
    )
    for offered in ("", "a b", "x" * 65, 'a"b'):
        made = stranger.get("/healthz", headers={"X-Request-ID": offered}).headers["x-request-id"]
        assert made != offered
        assert len(made) == 32
    assert stranger.get("/nothing").headers["x-content-type-options"] == "nosniff"


def test_metrics_count_by_route_not_by_path(admin: httpx2.Client) -> None:
    for name in ("one", "two"):
        admin.get(f"/api/v1/executions/{name}")
    admin.get("/random/path")
    text = ok(admin.get("/metrics")).text
    assert (
        'markethub_http_requests_total{method="GET",route="/api/v1/executions/{execution_id}",status="404"}'
        in text
    )
    assert 'route="unmatched",status="404"' in text
    assert "/random" not in text
    assert 'markethub_http_request_seconds_bucket{le="0.005",method="GET"' in text
    for name in (
        "executions",
        "chunks",
        "executions_finished_total",
        "chunks_finished_total",
        "store_revision",
    ):
        assert f"\nmarkethub_{name}" in text
    assert "process_resident_memory_bytes" in text
