"""Pages of other sites: none may read an answer, unless its origin is in the settings."""

from collections.abc import Iterator

import httpx2
import pytest

from markethub.api.access import AccessRules
from tests.api.bare_served import bare_served
from tests.api.served_hub import ServedHub

DESK = "https://desk.example.com"
LOCAL = "http://localhost:3000"
FOREIGN = [
    "https://evil.example.com",
    "https://desk.example.com.evil.net",
    "http://desk.example.com",
    "https://desk.example.com:8443",
    "https://DESK.example.com",
    "https://desk.example.com/",
    "null",
    "*",
]
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    rules = AccessRules(requests_per_minute=0, cors_origins=frozenset({DESK, LOCAL}))
    with bare_served(tmp_path_factory.mktemp("cors"), rules) as served:
        yield served


@pytest.fixture
def page(opened: ServedHub) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=opened.url, verify=False, trust_env=False, timeout=60) as client:
        yield client


def shared(answer: httpx2.Response) -> dict[str, str]:
    prefix = "access-control-"
    return {
        name.removeprefix(prefix): value for name, value in answer.headers.items() if name.startswith(prefix)
    }


@pytest.mark.parametrize("origin", [DESK, LOCAL])
def test_a_named_site_may_ask_first_and_then_call(
    page: httpx2.Client, opened: ServedHub, origin: str
) -> None:
    asked = page.options("/api/v1/backfill/klines", headers={"Origin": origin, **PREFLIGHT})
    assert asked.status_code == 204
    told = shared(asked)
    assert told["allow-origin"] == origin
    assert "POST" in told["allow-methods"]
    assert {"authorization", "content-type", "idempotency-key"} <= set(
        told["allow-headers"].lower().split(", ")
    )
    assert "allow-credentials" not in told
    token = {"Origin": origin, "Authorization": f"Bearer {opened.tokens['read:jobs']}"}
    answer = page.get("/api/v1/jobs", headers=token)
    assert answer.status_code == 200
    assert shared(answer)["allow-origin"] == origin
    assert "x-request-id" in shared(answer)["expose-headers"].lower()


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/jobs", 401), ("/nowhere", 404), ("/api/v1/backfill/klines", 405)]
)
def test_a_named_site_may_read_errors_too(page: httpx2.Client, path: str, status: int) -> None:
    answer = page.get(path, headers={"Origin": DESK})
    assert answer.status_code == status
    assert shared(answer)["allow-origin"] == DESK


@pytest.mark.parametrize("origin", FOREIGN)
def test_any_other_site_is_told_nothing(page: httpx2.Client, opened: ServedHub, origin: str) -> None:
    token = {"Authorization": f"Bearer {opened.tokens['read:jobs']}"}
    answers = [
        page.options("/api/v1/backfill/klines", headers={"Origin": origin, **PREFLIGHT}),
        page.get("/api/v1/jobs", headers={"Origin": origin} | token),
        page.get("/healthz", headers={"Origin": origin}),
    ]
    assert [shared(answer) for answer in answers] == [{}] * 3


def test_what_keeps_answers_is_told_that_they_differ(page: httpx2.Client) -> None:
    for headers in ({}, {"Origin": DESK}, {"Origin": "https://evil.example.com"}):
        assert "Origin" in page.get("/healthz", headers=headers).headers["vary"]


def test_a_question_about_a_path_that_is_not_there_is_not_granted(page: httpx2.Client) -> None:
    assert page.options("/nowhere", headers={"Origin": DESK, **PREFLIGHT}).status_code == 404


@pytest.mark.parametrize(("origin", "status"), [(DESK, 200), ("https://evil.example.com", 403)])
def test_tools_may_be_called_by_named_sites_only(
    page: httpx2.Client, opened: ServedHub, origin: str, status: int
) -> None:
    headers = {
        "Origin": origin,
        "Authorization": f"Bearer {opened.tokens['read:jobs']}",
        "Accept": "application/json, text/event-stream",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert page.post("/mcp", json=body, headers=headers).status_code == status


def test_a_named_site_gets_no_metrics_without_a_token(page: httpx2.Client) -> None:
    assert page.get("/metrics", headers={"Origin": DESK}).status_code == 401
