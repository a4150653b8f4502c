"""Events over a line that breaks, and waiting with and without a bar."""

import sys
from typing import Any

import orjson
import pytest

from markethub.client import AsyncDataHub, DataHub
from markethub.client.events import EventReading
from markethub.domain.errors import ExecutionFailedError, InputError, NotFoundError, UnavailableError
from tests.client.caller import Caller
from tests.client.scripted_server import Reply, ScriptedServer

PATH = "/api/v1/executions/backfill_kline_abcd1234/events"
TRACE = "backfill_kline_abcd1234"


def state(done: int, status: str = "RUNNING") -> dict[str, Any]:
    return {
        "id": "7",
        "trace_id": TRACE,
        "status": status,
        "error": "cancelled" if status == "FAILURE" else None,
        "completed_at": None if status == "RUNNING" else "2026-01-01T00:00:00Z",
        "chunks": {"total": 3, "pending": 3 - done, "running": 0, "done": done, "failed": 0},
        "counters": {"processed": done},
    }


def event(name: str, data: object, number: int | None = None) -> bytes:
    line = b"" if number is None else b"id: %d\n" % number
    return line + b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))


def line(number: int) -> bytes:
    return event("log", {"id": str(number), "message": "one\u2028two\x85 \N{SNOWMAN}"}, number)


def stream(*events: bytes) -> Reply:
    return Reply(body=b"".join(events), headers={"Content-Type": "text/event-stream"})


class Listener:
    """Collects the events that either client tells."""

    def __init__(self, call: Caller) -> None:
        self._call = call

    def __call__(self, execution: object) -> list[Any]:
        client = self._call.client
        if isinstance(client, DataHub):
            return list(client.events(execution))  # type: ignore[arg-type]
        return list(self._call("_collect", client, execution))


@pytest.fixture
def listen(call: Caller, monkeypatch: pytest.MonkeyPatch) -> Listener:
    async def collect(self: AsyncDataHub, client: AsyncDataHub, execution: Any) -> list[Any]:  # noqa: ANN401
        return [one async for one in client.events(execution)]

    monkeypatch.setattr(AsyncDataHub, "_collect", collect, raising=False)
    return Listener(call)


def test_a_broken_line_is_taken_up_after_the_last_one(listen: Listener, server: ScriptedServer) -> None:
    server.replies = [
        stream(b"retry: 1000\n\n", event("progress", state(0)), line(4), line(5), b"id: 6\nevent: log\nda"),
        stream(event("progress", state(0)), b": still here\n\n", line(6)),
        stream(event("progress", state(3, "SUCCESS")), event("end", state(3, "SUCCESS"))),
    ]
    told = listen({"execution_id": 7, "trace_id": TRACE})
    assert [(one["event"], one["data"].get("id")) for one in told] == [
        ("progress", "7"),
        ("log", "4"),
        ("log", "5"),
        ("log", "6"),
        ("progress", "7"),
        ("end", "7"),
    ]
    assert told[1]["data"]["message"] == "one\u2028two\x85 \N{SNOWMAN}"
    assert [seen.path for seen in server.seen] == [PATH] * 3
    assert [seen.headers.get("last-event-id") for seen in server.seen] == [None, "5", "6"]
    assert server.seen[0].headers["accept"] == "text/event-stream"


def test_a_refusal_is_its_error(listen: Listener, server: ScriptedServer) -> None:
    server.replies = [Reply.error(404, "NOT_FOUND", "Execution not found: 7")]
    with pytest.raises(NotFoundError, match="Execution not found: 7"):
        listen(7)
    assert len(server.seen) == 1


def test_a_stream_that_always_breaks_off_is_given_up(listen: Listener, server: ScriptedServer) -> None:
    server.replies = [stream(b": still here\n\n"), stream(event("progress", state(0)))]
    with pytest.raises(UnavailableError, match="the stream of events broke off"):
        listen("7")
    # The first proved that there is a hub, the second told something new; the third told nothing.
    assert len(server.seen) == 5


def test_a_dry_run_has_no_execution(listen: Listener) -> None:
    with pytest.raises(InputError, match="a dry run queues nothing"):
        listen({"execution_id": 0, "trace_id": "", "status": "planned", "message": ""})


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_events_are_read_however_they_are_cut(size: int) -> None:
    content = b": hello\n\n" + event("progress", state(1)) + line(9) + event("news", {}) + line(10)
    content += event("end", state(3, "SUCCESS"))
    reading = EventReading(7)
    parts = (content[at : at + size] for at in range(0, len(content), size))
    told = [one["event"] for part in parts for one in reading.feed(part)]
    assert told == ["progress", "log", "log", "end"]
    assert reading.is_over
    assert reading.open()["Last-Event-ID"] == "10"


def test_what_is_not_json_is_no_hubs_answer() -> None:
    with pytest.raises(UnavailableError, match=r"event 'log' of .* is not JSON"):
        list(EventReading("x/y").feed(b"event: log\ndata: {\n\n"))
    assert EventReading("x/y").path == "/api/v1/executions/x%2Fy/events"


def test_waiting_takes_the_answer_that_queued(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json(state(1)), Reply.json(state(3, "SUCCESS"))]
    seen: list[Any] = []
    ended = call("wait", {"execution_id": 7, "trace_id": TRACE}, 30, seen.append, check=True)
    assert [one["status"] for one in seen] == ["RUNNING", "SUCCESS"]
    assert ended == seen[-1]
    assert server.seen[0].path == f"/api/v1/executions/{TRACE}"


def test_a_bad_end_is_an_error_only_if_asked_for(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json(state(1, "FAILURE"))]
    assert call("wait", 7)["status"] == "FAILURE"
    with pytest.raises(ExecutionFailedError, match=f"execution {TRACE} ended as FAILURE: cancelled"):
        call("wait", 7, check=True)


def test_a_bar_is_shown_to_people_only(
    call: Caller, server: ScriptedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies = [Reply.json(state(3, "SUCCESS"))]
    call("wait", 7)
    call("wait", 7, progress=False)
    assert capsys.readouterr() == ("", "")
    call("wait", 7, progress=True)
    assert "3/3" in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    call("wait", 7, progress=False)
    assert capsys.readouterr() == ("", "")
    call("wait", 7)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "3/3" in shown.err
    assert "3 rows" in shown.err
