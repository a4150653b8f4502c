"""What the clients send, and how they take answers and failures; every test runs on both."""

import asyncio
import gzip
import json
import socket
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from urllib.parse import urlsplit

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from markethub.client import AsyncDataHub, DataHub
from markethub.client.tables import ARROW
from markethub.domain.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    MarketHubError,
    MissingExtraError,
    NotFoundError,
    RateLimitedError,
    UnauthorizedError,
    UnavailableError,
)
from markethub.tables.klines import KLINES
from tests.client.caller import TOKEN, Caller, query_of
from tests.client.scripted_server import Reply, ScriptedServer


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the pauses between attempts instead of sitting through them."""
    waited: list[float] = []

    async def wait(delay_s: float) -> None:
        waited.append(delay_s)

    # The clients' own names only: the modules themselves belong to every other thread too.
    monkeypatch.setattr("markethub.client.datahub.time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(
        "markethub.client.async_datahub.asyncio", SimpleNamespace(sleep=wait, to_thread=asyncio.to_thread)
    )
    monkeypatch.setattr("markethub.client.following.time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr("markethub.client.following.asyncio", SimpleNamespace(sleep=wait))
    return waited


def execution(status: str) -> Mapping[str, object]:
    return {"id": "7", "trace_id": "backfill_kline_a1b2c3d4", "status": status}


def test_a_backfill_sends_what_was_given_and_nothing_else(call: Caller, server: ScriptedServer) -> None:
    queued = {"execution_id": 7, "trace_id": "backfill_kline_a1b2c3d4", "status": "queued", "message": "m"}
    server.replies = [Reply.json(queued)]
    answer = call(
        "backfill_klines",
        symbols=("SOL_USDT.BNC",),
        intervals=["1h", "1d"],
        start_time=datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8))),
    )
    assert answer == queued
    [seen] = server.seen
    assert (seen.method, seen.path) == ("POST", "/api/v1/backfill/klines")
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["user-agent"].startswith("markethub/")
    assert json.loads(seen.body) == {
        "symbols": ["SOL_USDT.BNC"],
        "intervals": ["1h", "1d"],
        "start_time": "2026-01-01T00:00:00Z",
    }


def test_lists_send_their_filters(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json({"data": [], "pagination": {}})]
    call("list_job_executions", search="failed", limit=10, order_desc=True, after="2026-01-01T00:00:00Z")
    call(
        "list_logs", job_id="a&b=c", level="ERROR", before=datetime(2026, 1, 1, tzinfo=UTC), order_desc=False
    )
    executions, logs = server.seen
    assert urlsplit(executions.path).path == "/api/v1/jobs/executions"
    assert query_of(executions) == {
        "search": "failed",
        "limit": "10",
        "order_desc": "true",
        "after": "2026-01-01T00:00:00Z",
    }
    assert urlsplit(logs.path).path == "/api/v1/logs"
    assert query_of(logs) == {
        "job_id": "a&b=c",
        "level": "ERROR",
        "before": "2026-01-01T00:00:00Z",
        "order_desc": "false",
    }


def test_jobs_and_their_histories(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json({"data": [], "pagination": {}})]
    call("list_jobs", "kline", limit=20, offset=40, order_by="last_run_at", order_desc=False)
    call("get_job", "sync_klines_1h")
    call("get_job", 1)
    after = datetime(2026, 1, 1, tzinfo=UTC)
    call("get_job_executions", job_id="a/b", search="failed", limit=10, order_desc=True, after=after)
    assert [urlsplit(seen.path).path for seen in server.seen] == [
        "/api/v1/jobs", "/api/v1/jobs/sync_klines_1h", "/api/v1/jobs/1", "/api/v1/jobs/a%2Fb/executions",
    ]  # fmt: skip
    assert {seen.method for seen in server.seen} == {"GET"}
    assert query_of(server.seen[0]) == {
        "search": "kline", "limit": "20", "offset": "40", "order_by": "last_run_at", "order_desc": "false",
    }  # fmt: skip
    assert query_of(server.seen[3]) == {
        "search": "failed", "limit": "10", "order_desc": "true", "after": "2026-01-01T00:00:00Z",
    }  # fmt: skip


def test_paths_are_quoted(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json({})]
    call("get_execution", "../x?y#z")
    call("cancel_execution", 12)
    call("retry_execution", "a/b")
    call("get_execution", 12, chunk_status="FAILED", limit=5, offset=10)
    assert [(seen.method, seen.path) for seen in server.seen] == [
        ("GET", "/api/v1/executions/..%2Fx%3Fy%23z"),
        ("POST", "/api/v1/executions/12/cancel"),
        ("POST", "/api/v1/executions/a%2Fb/retry"),
        ("GET", "/api/v1/executions/12?status=FAILED&limit=5&offset=10"),
    ]


def test_series_and_holes(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json({"data": []})]
    assert call("series") == {"data": []}
    call("holes", "BTC_USDT.BNC", "1h", start="2026-01-01", end="2026-02-01")
    assert query_of(server.seen[1]) == {
        "symbol": "BTC_USDT.BNC",
        "interval": "1h",
        "start": "2026-01-01",
        "end": "2026-02-01",
    }


def bars(count: int) -> pa.Table:
    row = dict.fromkeys(KLINES.names[1:], 1.5) | {"open_time": 1_767_225_600_000, "trades": None}
    columns = [pa.array([row[name]] * count, KLINES.field(name).type) for name in KLINES.names]
    return pa.table(columns, schema=KLINES)


def arrow_stream(table: pa.Table, batch_rows: int = 1_000) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return bytes(sink.getvalue())


def test_klines_come_as_arrow_polars_or_pandas(call: Caller, server: ScriptedServer) -> None:
    table = bars(1)
    server.replies = [Reply(body=arrow_stream(table))]
    assert call("klines", "BTC_USDT.BNC", "1h", limit=1).equals(table)
    assert server.seen[0].headers["accept"] == "application/vnd.apache.arrow.stream"
    assert query_of(server.seen[0])["format"] == "arrow"
    as_polars = call("klines", "BTC_USDT.BNC", "1h", as_="polars")
    assert isinstance(as_polars, pl.DataFrame)
    assert as_polars["open_time"].to_list() == [datetime(2026, 1, 1, tzinfo=UTC)]
    as_pandas = call("klines", "BTC_USDT.BNC", "1h", as_="pandas")
    assert isinstance(as_pandas, pd.DataFrame)
    assert as_pandas["open_time"].tolist() == [pd.Timestamp("2026-01-01", tz="UTC")]
    with pytest.raises(InputError, match="arrow, pandas, polars"):
        call("klines", "BTC_USDT.BNC", "1h", as_="list")


def test_without_pandas_the_error_names_the_extra(
    call: Caller, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, KLINES):
        pass
    server.replies = [Reply(body=sink.getvalue().to_pybytes())]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"markethub\[pandas\]"):
        call("klines", "BTC_USDT.BNC", "1h", as_="pandas")


@pytest.mark.parametrize("name", ["symbols", "exchanges", "intervals"])
def test_a_string_is_not_taken_for_a_list(call: Caller, server: ScriptedServer, name: str) -> None:
    given: dict[str, object] = {"intervals": ["1h"], "start_time": "2026-01-01", name: "1h"}
    with pytest.raises(InputError, match=f"{name} takes a list"):
        call("backfill_klines", **given)
    assert server.seen == []


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (422, "VALIDATION_ERROR", InputError),
        (401, "UNAUTHORIZED", UnauthorizedError),
        (403, "FORBIDDEN", ForbiddenError),
        (404, "NOT_FOUND", NotFoundError),
        (409, "CONFLICT", ConflictError),
        (413, "PAYLOAD_TOO_LARGE", InputError),
        (405, "METHOD_NOT_ALLOWED", InputError),
        (500, "INTERNAL", MarketHubError),
        (502, "SOMETHING_NEW", MarketHubError),
    ],
)
def test_the_envelope_becomes_the_domain_error(
    call: Caller, server: ScriptedServer, status: int, code: str, kind: type[MarketHubError]
) -> None:
    server.replies = [Reply.error(status, code, "limit 0 is wrong")]
    with pytest.raises(MarketHubError) as caught:
        call("series")
    assert type(caught.value) is kind
    assert str(caught.value) == "limit 0 is wrong"
    assert len(server.seen) == 1


def test_a_reading_call_is_repeated_while_the_hub_is_away(
    call: Caller, server: ScriptedServer, waits: list[float]
) -> None:
    away = Reply.error(503, "UNAVAILABLE", "starting")
    server.replies = [away, away, Reply.json({"data": []})]
    assert call("series") == {"data": []}
    assert len(server.seen) == 3
    assert len(waits) == 2
    assert 0 < waits[0] < waits[1]


def test_it_gives_up_after_four_attempts(call: Caller, server: ScriptedServer, waits: list[float]) -> None:
    server.replies = [Reply.error(503, "UNAVAILABLE", "starting")]
    with pytest.raises(UnavailableError, match="starting"):
        call("series")
    assert len(server.seen) == 4
    assert len(waits) == 3


@pytest.mark.usefixtures("waits")
def test_a_writing_call_is_sent_once(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.error(503, "UNAVAILABLE", "draining")]
    with pytest.raises(UnavailableError, match="draining"):
        call("cancel_execution", "7")
    with pytest.raises(UnavailableError, match="draining"):
        call("backfill_klines", intervals=["1h"], start_time="2026-01-01")
    assert len(server.seen) == 2


def test_too_many_requests_waits_as_long_as_asked(
    call: Caller, server: ScriptedServer, waits: list[float]
) -> None:
    headers = {"Retry-After": "7"}
    server.replies = [Reply.error(429, "RATE_LIMITED", "slow down", **headers), Reply.json({"data": []})]
    call("series")
    assert waits == [7.0]


def test_a_long_ban_is_reported_rather_than_sat_through(
    call: Caller, server: ScriptedServer, waits: list[float]
) -> None:
    server.replies = [Reply.error(429, "RATE_LIMITED", "slow down", **{"Retry-After": "3600"})]
    with pytest.raises(RateLimitedError) as caught:
        call("series")
    assert caught.value.retry_after_s == 3600
    assert waits == []


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"}),
        Reply(status=404, body=b"not here", headers={"Content-Type": "text/plain"}),
        Reply(status=302, body=b"", headers={"Location": "http://example.com/login"}),
        Reply(status=200, body=b"<html>welcome</html>", headers={"Content-Type": "text/html"}),
        Reply(status=200, body=b"[1]"),
        Reply(status=500, body=b'{"error": "plain"}'),
    ],
)
def test_something_else_at_the_address_is_said_so(call: Caller, server: ScriptedServer, reply: Reply) -> None:
    server.replies = [reply]
    with pytest.raises(UnavailableError, match="does not answer like a MarketHub server") as caught:
        call("series")
    assert server.url in str(caught.value)


@pytest.mark.usefixtures("waits")
def test_a_table_that_is_no_arrow_stream_is_refused(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply(body=b"open_time,open\n")]
    with pytest.raises(UnavailableError, match="does not answer like"):
        call("klines", "BTC_USDT.BNC", "1h")


def test_a_long_table_is_read_as_it_comes(call: Caller, server: ScriptedServer) -> None:
    table = bars(5_000)
    body = arrow_stream(table)
    packed = {"Content-Encoding": "gzip", "Content-Type": ARROW}
    server.replies = [Reply(body=body), Reply(body=gzip.compress(body), headers=packed)]
    for _ in range(2):
        assert call("klines", "BTC_USDT.BNC", "1h").equals(table)
    # both over one connection: nothing of the first answer was left in it
    assert len({seen.connection for seen in server.seen}) == 1


@pytest.mark.parametrize("left", [0, 8, 9, 5_000])
def test_a_table_that_broke_off_is_never_taken_for_a_whole_one(
    call: Caller, server: ScriptedServer, waits: list[float], left: int
) -> None:
    table = bars(2_000)
    body = arrow_stream(table)
    # without its last 8 bytes, which are its end mark, the stream ends between two batches
    cut = Reply(body=body[: len(body) - left], declared_length=len(body) + 1)
    server.replies = [cut, Reply(body=body)]
    assert call("klines", "BTC_USDT.BNC", "1h").equals(table)
    assert len(waits) == 1


def test_a_broken_connection_is_tried_again(call: Caller, server: ScriptedServer, waits: list[float]) -> None:
    server.replies = [Reply(body=b'{"data"', declared_length=5000), Reply.json({"data": []})]
    assert call("series") == {"data": []}
    assert len(waits) == 1


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_nobody_listening_names_the_address(kind: str, waits: list[float]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        caller = Caller(kind, url, timeout_s=5)
        with pytest.raises(UnavailableError, match=url):
            caller("series")
        caller.close()
    assert len(waits) == 3


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
@pytest.mark.usefixtures("waits")
def test_a_silent_server_ends_in_a_timeout(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        caller = Caller(kind, url, timeout_s=0.05)
        with pytest.raises(UnavailableError, match="Timeout"):
            caller("cancel_execution", 1)
        caller.close()


def test_wait_looks_until_the_end_and_tells_progress(
    call: Caller, server: ScriptedServer, waits: list[float]
) -> None:
    server.replies = [
        Reply.json(execution(status)) for status in ("PENDING", "RUNNING", "RUNNING", "FAILURE")
    ]
    seen: list[str] = []
    ended = call("wait", "backfill_kline_a1b2c3d4", progress=lambda state: seen.append(state["status"]))
    assert ended["status"] == "FAILURE"
    assert seen == ["PENDING", "RUNNING", "RUNNING", "FAILURE"]
    assert waits == sorted(waits)
    assert len(waits) == 3


def test_wait_gives_up_at_its_timeout(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json(execution("RUNNING"))]
    with pytest.raises(UnavailableError, match="still RUNNING"):
        call("wait", "backfill_kline_a1b2c3d4", timeout=0.01)


def test_a_closed_client_opens_again(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json({"data": []})]
    call("series")
    call("close")
    call("series")
    assert len(server.seen) == 2


def test_limits_are_asked_for(call: Caller, server: ScriptedServer) -> None:
    answer = {"data": [{"exchange": "BNC", "budget": "request weight", "used": 1}]}
    server.replies = [Reply.json(answer)]
    assert call("limits") == answer
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("GET", "/api/v1/limits")


def test_threads_share_one_client(server: ScriptedServer) -> None:
    server.replies = [Reply.json({"data": []})]
    answers: list[object] = []
    with DataHub(server.url, TOKEN) as hub:
        threads = [threading.Thread(target=lambda: answers.append(hub.series())) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [{"data": []}] * 16


async def test_the_async_client_works_side_by_side(server: ScriptedServer) -> None:
    server.replies = [Reply.json({"data": []})]
    async with AsyncDataHub(server.url, TOKEN) as hub:
        assert await asyncio.gather(*(hub.series() for _ in range(8))) == [{"data": []}] * 8
