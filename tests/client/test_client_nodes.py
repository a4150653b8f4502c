"""The calls about nodes, tasks and replicas, on both clients."""

import io
import json
from typing import Any

import pyarrow as pa
import pytest

from markethub.domain.errors import ForbiddenError, InputError, NotFoundError, UnavailableError
from tests.client.caller import Caller, query_of
from tests.client.scripted_server import Reply, ScriptedServer

_RANGE = ("US.AAPL", "2024-01-01", "2024-02-01")
_RANGE_BODY = {"symbol": "US.AAPL", "start_date": "2024-01-01", "end_date": "2024-02-01"}


@pytest.mark.parametrize(
    ("method", "given", "sent"),
    [
        ("get_node_status", (), ("GET /api/dms/status", {}, None)),
        ("promote_node", (), ("POST /api/dms/promote", {}, None)),
        ("list_nodes", (), ("GET /api/dms/nodes", {}, None)),
        ("get_slave_status", ("b/1",), ("GET /api/dms/slaves/b%2F1/status", {}, None)),
        ("get_master_status", (), ("GET /api/dms/master/status", {}, None)),
        ("get_sync_status", (), ("GET /api/dms/sync/status", {}, None)),
        ("list_sync_history", (), ("GET /api/dms/sync/history", {}, None)),
        ("list_sync_history", ("b1",), ("GET /api/dms/sync/history", {"backup_name": "b1"}, None)),
        ("trigger_sync", (), ("POST /api/dms/sync/trigger", {}, None)),
        ("trigger_sync", ("b1",), ("POST /api/dms/sync/trigger", {"backup_name": "b1"}, None)),
        ("sync_slave", ("b1",), ("POST /api/dms/slaves/b1/sync", {}, {})),
        ("sync_slave", ("b1", *_RANGE), ("POST /api/dms/slaves/b1/sync", {}, _RANGE_BODY)),
        ("request_sync", (), ("POST /api/dms/sync/request", {}, {})),
        ("request_sync", _RANGE, ("POST /api/dms/sync/request", {}, _RANGE_BODY)),
        ("verify_sync", (), ("GET /api/dms/sync/verify", {"timeout_s": "300.0"}, None)),
        ("verify_sync", ("b1",), ("GET /api/dms/sync/verify", {"node": "b1", "timeout_s": "300.0"}, None)),
        ("get_task_status", ("a b",), ("GET /api/dms/tasks/a%20b/status", {}, None)),
        ("trigger_task", ("sync",), ("POST /api/dms/tasks/trigger", {"task_name": "sync"}, None)),
        ("trigger_all_tasks", (), ("POST /api/dms/tasks/trigger-all", {}, None)),
        (
            "trigger_all_tasks",
            ("full_sync",),
            ("POST /api/dms/tasks/trigger-all", {"task_type": "full_sync"}, None),
        ),
        ("get_maintenance_log", ("sync",), ("GET /api/dms/maintenance/log", {"task_name": "sync"}, None)),
    ],
)
def test_a_call_sends_what_was_given(
    call: Caller,
    server: ScriptedServer,
    method: str,
    given: tuple[str, ...],
    sent: tuple[str, dict[str, str], dict[str, Any] | None],
) -> None:
    server.replies = [Reply.json({"answer": 1})]
    assert call(method, *given) == {"answer": 1}
    [seen] = server.seen
    body = json.loads(seen.body) if seen.body else None
    assert (f"{seen.method} {seen.path.partition('?')[0]}", query_of(seen), body) == sent


def test_pages_take_their_bounds(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json({})]
    call("list_sync_history", limit=5, offset=10)
    call("get_maintenance_log", task_type="incremental", status="failed", limit=5, offset=10)
    assert query_of(server.seen[0]) == {"limit": "5", "offset": "10"}
    assert query_of(server.seen[1]) == {
        "task_type": "incremental", "status": "failed", "limit": "5", "offset": "10",
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path"), [("list_slaves", "slaves"), ("list_tasks", "tasks")])
def test_a_bare_list_is_a_list(call: Caller, server: ScriptedServer, method: str, path: str) -> None:
    server.replies = [Reply(200, b'[{"name": "one"}]')]
    assert call(method) == [{"name": "one"}]
    assert server.seen[0].path == f"/api/dms/{path}"
    assert call("request", "GET", f"/api/dms/{path}") == {"data": [{"name": "one"}]}
    server.replies = [Reply.json({"no": "list"})]
    with pytest.raises(UnavailableError, match="does not answer like a MarketHub server"):
        call(method)


@pytest.mark.parametrize(
    ("status", "error"), [(400, InputError), (403, ForbiddenError), (404, NotFoundError)]
)
def test_a_detail_is_the_error_of_its_status(
    call: Caller, server: ScriptedServer, status: int, error: type[Exception]
) -> None:
    server.replies = [Reply(status, b'{"detail": "because of it"}')]
    with pytest.raises(error, match="because of it"):
        call("list_slaves")


@pytest.mark.parametrize("method", ["verify_sync", "request_sync", "trigger_sync", "trigger_all_tasks"])
def test_what_takes_long_or_changes_something_is_sent_once(
    call: Caller, server: ScriptedServer, method: str
) -> None:
    server.replies = [Reply(503, b'{"detail": "the verification goes on"}')]
    with pytest.raises(UnavailableError, match="goes on"):
        call(method)
    assert len(server.seen) == 1


def test_bars_of_many_symbols_come_as_a_table(call: Caller, server: ScriptedServer) -> None:
    names = pa.array(["US.AAPL"]).dictionary_encode()
    table = pa.table({"symbol": names, "Close": pa.array([1.5])})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    server.replies = [Reply(503, b'{"detail": "starting"}'), Reply(200, sink.getvalue())]
    assert call("read_bars", ["US.AAPL"], "1h", "2024-01-01", "2024-02-01").equals(table)
    seen = server.seen[-1]  # a read is repeated while the hub is away
    assert (seen.method, seen.path) == ("POST", "/api/dms/read/batch")
    assert json.loads(seen.body) == {
        "symbols": ["US.AAPL"], "interval": "1h", "start_date": "2024-01-01", "end_date": "2024-02-01",
    }  # fmt: skip
    assert call("read_bars", ["US.AAPL"], as_="polars")["Close"].to_list() == [1.5]
    with pytest.raises(InputError, match="symbols takes a list"):
        call("read_bars", "US.AAPL")
