"""What happens when something breaks inside, or is not there yet."""

from typing import Any

import httpx2
import pytest
import structlog
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from markethub.api.app import create_api
from markethub.api.metrics import RequestMetrics
from markethub.api.trace import RequestTrace
from markethub.domain.errors import RateLimitedError, StoreError, VenueThrottledError
from markethub.services.health import Health
from markethub.services.hub import Hub


@pytest.fixture
def hub() -> Hub:
    """A hub whose parts are never asked: each test replaces the service."""
    nothing: Any = None
    return Hub(
        store=nothing, records=nothing, database=nothing, engine=nothing, venues={}, accounts=nothing,
        support={}, clock=lambda: 0, node=nothing, max_read_rows=1, backfill_timeout_s=None,
    )  # fmt: skip


async def ask(app: Any, path: str = "/healthz") -> httpx2.Response:  # noqa: ANN401  (any ASGI application)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as client:
        return await client.get(path, headers={"X-Request-ID": "id-1"})


def break_health(monkeypatch: pytest.MonkeyPatch, outcome: Exception | Health) -> None:
    async def check(_hub: Hub) -> Health:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr("markethub.api.health.check_health", check)


async def test_the_unforeseen_is_told_without_details(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    break_health(monkeypatch, ZeroDivisionError("secret /path/to/file"))
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        response = await ask(create_api(hub))
    [crash] = [line for line in logs if line["event"] == "request_crashed"]
    assert (crash["request_id"], crash["error"]) == ("id-1", "secret /path/to/file")
    assert response.status_code == 500
    error = response.json()["error"]
    assert error["code"] == "INTERNAL"
    assert "id-1" in error["message"]
    assert "secret" not in response.text
    assert response.headers["x-request-id"] == "id-1"


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (StoreError("the disk is full"), (500, "INTERNAL", None)),
        (VenueThrottledError("BNC wants us to wait", 5), (503, "UNAVAILABLE", "1")),
        (RateLimitedError("slow down", 2.1), (429, "RATE_LIMITED", "3")),
    ],
)
async def test_domain_errors_keep_their_words(
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    answer: tuple[int, str, str | None],
) -> None:
    break_health(monkeypatch, error)
    status, code, retry_after = answer
    with capture_logs() as logs:
        response = await ask(create_api(hub))
    assert ("request_failed" in [line["event"] for line in logs]) == (status >= 500)
    assert response.status_code == status
    assert response.json() == {"error": {"code": code, "message": str(error)}}
    assert response.headers.get("retry-after") == retry_after


async def test_a_message_with_lone_surrogates_still_leaves(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    break_health(monkeypatch, StoreError("odd \ud800 name"))
    with capture_logs():
        response = await ask(create_api(hub))
    assert response.json()["error"]["message"] == "odd ? name"


async def test_without_a_hub_it_asks_for_patience() -> None:
    with capture_logs():
        response = await ask(create_api())
    assert (response.status_code, response.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert response.headers["retry-after"] == "1"


async def test_an_unhealthy_hub_says_what_is_wrong(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    break_health(monkeypatch, Health(False, ["store: locked"]))
    response = await ask(create_api(hub))
    assert (response.status_code, response.json()) == (503, {"ready": False, "problems": ["store: locked"]})


async def no_input() -> Message:
    raise AssertionError("nothing asks for it")


def scope_of(path: str) -> Scope:
    return {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}


async def test_a_crash_in_mid_answer_breaks_the_connection() -> None:
    sent: list[Message] = []

    async def half(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(ZeroDivisionError), capture_logs():
        await RequestTrace(half, RequestMetrics())(scope_of("/"), no_input, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_a_caller_who_left_is_counted_and_no_error() -> None:
    async def leave(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ClientDisconnect

    async def send(_message: Message) -> None:
        raise AssertionError("nobody is there")

    metrics = RequestMetrics()
    await RequestTrace(leave, metrics)(scope_of("/"), no_input, send)
    assert b'status="499"} 1.0' in metrics.render()
