"""The stream of an execution's events over a real socket."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import orjson
import pytest

from markethub.api import execution_events
from markethub.domain.errors import UnauthorizedError
from tests.api.served_hub import ServedHub


def queue(admin: httpx2.Client) -> str:
    answer = admin.post("/api/v1/backfill/ticker", json={"symbols": ["BTC_USDT.BNC"]}).json()
    return str(answer["execution_id"])


def read_events(response: httpx2.Response) -> Iterator[dict[str, Any]]:
    """Each event with its name, its id and its data; comments as ``{"event": ":"}``."""
    event: dict[str, Any] = {}
    for line in response.iter_lines():
        if line.startswith(":"):
            yield {"event": ":"}
        elif line:
            name, _, value = line.partition(": ")
            event[name] = orjson.loads(value) if name == "data" else value
        elif "event" in event:
            yield event
            event = {}


def events_of(client: httpx2.Client, execution_id: str, **headers: str) -> list[dict[str, Any]]:
    path = f"/api/v1/executions/{execution_id}/events"
    with client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200
        return list(read_events(response))


def test_a_running_execution_is_followed_to_its_end(admin: httpx2.Client) -> None:
    number = queue(admin)
    told = []
    with admin.stream("GET", f"/api/v1/executions/{number}/events") as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        for event in read_events(response):
            told.append(event)
            if event["event"] == "log" and "waits" in event["data"]["message"]:
                admin.post(f"/api/v1/executions/{number}/cancel")
    listed = admin.get("/api/v1/jobs/executions", params={"limit": 1000}).json()["data"]
    (row,) = (one for one in listed if one["id"] == number)
    assert told[0]["event"] == "progress"
    assert told[-1]["event"] == "end"
    data = told[-1]["data"]
    assert {name: data[name] for name in row} == row
    assert data["error"] == "cancelled"
    assert set(data) == {*row, "chunks", "counters"}
    logs = admin.get("/api/v1/logs", params={"job_id": row["trace_id"]}).json()["data"]
    lines = [event["data"] for event in told if event["event"] == "log"]
    assert lines == sorted(logs, key=lambda line: int(line["id"]))
    assert [event["id"] for event in told if event["event"] == "log"] == [line["id"] for line in lines]


def test_an_ended_one_tells_what_follows_the_last_event(admin: httpx2.Client) -> None:
    number = queue(admin)
    with admin.stream("GET", f"/api/v1/executions/{number}/events") as response:
        # what its worker logs is there now: a line that comes after the end would follow the last event
        assert any("waits" in str(event.get("data")) for event in read_events(response))
    admin.post(f"/api/v1/executions/{number}/cancel")
    told = events_of(admin, number)
    ids = [event["id"] for event in told if event["event"] == "log"]
    assert [event["event"] for event in told] == ["progress", *["log"] * len(ids), "end"]
    assert len(ids) >= 2
    rest = events_of(admin, number, **{"Last-Event-ID": ids[0]})
    assert [event["id"] for event in rest if event["event"] == "log"] == ids[1:]
    trace_id = told[0]["data"]["trace_id"]
    assert events_of(admin, trace_id) == told


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "9" * 19, "1" * 30, "0" * 30, "²", ""])
def test_a_wrong_last_event_id_is_refused(admin: httpx2.Client, text: str) -> None:
    headers = [(b"Last-Event-ID", text.encode())]
    response = admin.get("/api/v1/executions/1/events", headers=headers)
    assert response.status_code == 422
    assert "is not the id of a log event" in response.json()["error"]["message"]


def test_what_is_not_there_is_told_before_the_stream(admin: httpx2.Client) -> None:
    response = admin.get("/api/v1/executions/999999/events")
    assert response.status_code == 404
    assert response.json()["error"]["message"] == "Execution not found: 999999"


def test_the_log_is_for_those_who_may_read_it(
    admin: httpx2.Client, stranger: httpx2.Client, as_scope: Callable[[str], dict[str, str]]
) -> None:
    number = queue(admin)
    admin.post(f"/api/v1/executions/{number}/cancel")
    told = events_of(stranger, number, **as_scope("read:jobs"))
    assert [event["event"] for event in told] == ["progress", "end"]
    path = f"/api/v1/executions/{number}/events"
    assert stranger.get(path, headers=as_scope("read:logs")).status_code == 403
    assert stranger.get(path).status_code == 401


def test_head_does_not_wait_for_the_end(admin: httpx2.Client) -> None:
    number = queue(admin)
    response = admin.head(f"/api/v1/executions/{number}/events")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    admin.post(f"/api/v1/executions/{number}/cancel")


def test_a_token_that_is_revoked_ends_its_stream(
    served: ServedHub, admin: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    async def refuse(_hub: object, authorization: str | None) -> object:
        refused.append(str(authorization))
        raise UnauthorizedError("the token is unknown, expired or revoked")

    monkeypatch.setattr(execution_events, "ASK_AGAIN_S", 0.0)
    number = queue(admin)
    headers = {"Authorization": f"Bearer {served.tokens['admin']}"}
    with httpx2.Client(
        base_url=served.url, headers=headers, verify=False, trust_env=False, timeout=60
    ) as client:
        monkeypatch.setattr(execution_events, "authenticate", refuse)
        told = events_of(client, number)
    assert all(event["event"] != "end" for event in told)
    assert refused == [headers["Authorization"]]
