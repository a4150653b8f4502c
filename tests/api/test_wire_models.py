"""Requests are read strictly, answers are written as the contract has them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import InputError
from markethub.domain.times import parse_time
from markethub.wire.backfill import KlineBackfillRequest
from markethub.wire.executions import Execution, ExecutionQuery
from markethub.wire.pagination import Pagination


@given(total=st.integers(0, 500), limit=st.integers(1, 60), offset=st.integers(0, 600))
def test_pagination_agrees_with_a_list_cut_in_windows(total: int, limit: int, offset: int) -> None:
    shown = Pagination.of(total=total, limit=limit, offset=offset)
    rows = list(range(total))
    assert shown.page == offset // limit + 1
    assert shown.page_size == limit
    assert shown.total_pages == len([rows[start : start + limit] for start in range(0, total, limit)])
    assert shown.has_next == bool(rows[offset + limit :])
    assert shown.has_prev == (offset > 0)


def test_the_contract_example_of_pagination() -> None:
    shown = Pagination.of(total=1500, limit=50, offset=0)
    assert shown.model_dump() == {
        "page": 1,
        "page_size": 50,
        "total": 1500,
        "total_pages": 30,
        "has_next": True,
        "has_prev": False,
    }


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00Z", "2026-01-01", "2026-01-01T08:00:00+08:00"])
def test_request_times_mean_utc(text: str) -> None:
    read = KlineBackfillRequest.model_validate_json(json.dumps({"intervals": ["1h"], "start_time": text}))
    assert read.start_time == parse_time("2026-01-01T00:00:00Z")
    assert read.end_time is None


@pytest.mark.parametrize(
    "value", [1_767_225_600, 1.5, True, None, ["2026-01-01"], "yesterday", "", "2026-13-01"]
)
def test_other_times_are_refused_by_name(value: object) -> None:
    with pytest.raises(InputError, match="start_time"):
        KlineBackfillRequest.model_validate({"intervals": ["1h"], "start_time": value})


def test_unknown_fields_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'ordre_by' is unknown; allowed are search, limit, .*order_by"):
        ExecutionQuery.model_validate({"ordre_by": "id"})


def test_an_execution_is_written_as_the_contract_has_it() -> None:
    written = Execution(
        id="12345",
        job_id="1",
        job_name="sync_klines_1h",
        status="SUCCESS",
        started_at=parse_time("2026-01-15T08:00:00Z"),
        completed_at=parse_time("2026-01-15T08:02:30.250Z"),
        duration_ms=150_250,
        result={"processed": 500},
        error=None,
        trace_id="abc123def456",
        worker_id=None,
        parameters_snapshot={"intervals": ["1h"]},
        created_at=parse_time("2026-01-15T08:00:00Z"),
    ).model_dump(mode="json")
    assert list(written) == [
        "id", "job_id", "job_name", "status", "started_at", "completed_at", "duration_ms", "result", "error",
        "trace_id", "worker_id", "parameters_snapshot", "created_at",
    ]  # fmt: skip
    assert written["started_at"] == "2026-01-15T08:00:00Z"
    assert written["completed_at"] == "2026-01-15T08:02:30.250Z"
    assert written["worker_id"] is None
