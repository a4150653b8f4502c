"""How much one token, and one address without any, may ask."""

import asyncio
import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from markethub import DataHub
from markethub.api import access
from markethub.api.access import AccessRules
from markethub.api.rate_limits import RequestBuckets
from markethub.control.database import open_database
from markethub.domain.errors import RateLimitedError
from markethub.services.access import create_token
from tests.api.bare_served import bare_served
from tests.api.served_hub import ServedHub

JOBS = "/api/v1/jobs"
RULES = AccessRules(requests_per_minute=1, burst_requests=5, failed_logins_per_minute=4)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServedHub, Path]]:
    """A hub whose buckets get no fuller, however long a test takes: their clock stands still."""
    folder = tmp_path_factory.mktemp("limited")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access, "RequestBuckets", functools.partial(RequestBuckets, clock=lambda: 0.0))
        with bare_served(folder, RULES) as served:
            yield served, folder


@pytest.fixture
def client(limited: tuple[ServedHub, Path]) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=limited[0].url, verify=False, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def token(limited: tuple[ServedHub, Path]) -> str:
    """A token that nobody has used."""
    return make_token(limited[1])


def make_token(folder: Path, **given: int) -> str:
    async def make() -> str:
        database = await open_database(f"sqlite:///{folder / 'control.sqlite'}")
        try:
            text, _ = await create_token(
                database, database.clock(), name="desk", scopes=["read:jobs"], **given
            )
        finally:
            await database.close()
        return text

    return asyncio.run(make())


def bearer(token: str, address: str | None = None) -> dict[str, str]:
    named = {} if address is None else {"X-Forwarded-For": address}
    return {"Authorization": f"Bearer {token}", **named}


def test_a_token_has_its_burst_and_then_waits(client: httpx2.Client, token: str) -> None:
    answers = [client.get(JOBS, headers=bearer(token)) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    refused = answers[-1]
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    message = refused.json()["error"]["message"]
    assert f"token {token.split('_')[1]} (desk) may send 1 requests a minute, 5 of them at once" in message
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    # Truly later: the header never says less than the message.
    told_s = float(message.split("next one in ")[1].split(" s")[0])
    assert int(refused.headers["retry-after"]) >= told_s - 0.5


def test_what_is_refused_for_its_content_counts_too(client: httpx2.Client, token: str) -> None:
    paths = ["/api/v1/logs", f"{JOBS}?limit=0", f"{JOBS}/nothing", "/api/v1/klines", JOBS, JOBS]
    statuses = [client.get(path, headers=bearer(token)).status_code for path in paths]
    assert statuses == [403, 422, 404, 403, 200, 429]


def test_a_route_with_a_request_key_costs_one(client: httpx2.Client, limited: tuple[ServedHub, Path]) -> None:
    writer = limited[0].tokens["write:backfill"]
    headers = bearer(writer) | {"Idempotency-Key": "k"}
    statuses = [
        client.post("/api/v1/backfill/klines", json={}, headers=headers).status_code for _ in range(6)
    ]
    assert statuses == [422] * 5 + [429]


def test_tokens_do_not_share(client: httpx2.Client, limited: tuple[ServedHub, Path], token: str) -> None:
    for _ in range(6):
        last = client.get(JOBS, headers=bearer(token))
    assert last.status_code == 429
    assert client.get(JOBS, headers=bearer(make_token(limited[1]))).status_code == 200
    # From another address it is the same token.
    assert client.get(JOBS, headers=bearer(token, "203.0.113.9")).status_code == 429


def test_a_token_may_have_a_number_of_its_own(client: httpx2.Client, limited: tuple[ServedHub, Path]) -> None:
    own = make_token(limited[1], requests_per_minute=8)
    statuses = [client.get(JOBS, headers=bearer(own)).status_code for _ in range(9)]
    assert statuses == [200] * 8 + [429]


def test_many_at_once_get_no_more_than_the_burst(limited: tuple[ServedHub, Path], token: str) -> None:
    def ask(_: int) -> int:
        url = f"{limited[0].url}{JOBS}"
        return httpx2.get(url, headers=bearer(token), trust_env=False, timeout=60).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(ask, range(30)))
    assert (statuses.count(200), statuses.count(429)) == (5, 25)


def test_who_has_no_token_is_told_so_a_few_times(client: httpx2.Client) -> None:
    address = "198.51.100.1"
    answers = [client.get(JOBS, headers=bearer("mh_1_wrong", address)) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 2
    error = answers[-1].json()["error"]
    assert error["code"] == "RATE_LIMITED"
    assert address in error["message"]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_wrong_tokens_lock_no_good_one_out(client: httpx2.Client, token: str) -> None:
    address = "198.51.100.2"
    for _ in range(10):
        client.get(JOBS, headers=bearer("mh_1_wrong", address))
    assert client.get(JOBS, headers=bearer("mh_1_wrong", address)).status_code == 429
    assert client.get(JOBS, headers=bearer(token, address)).status_code == 200


def test_addresses_do_not_share_but_a_network_of_one_owner_does(client: httpx2.Client) -> None:
    def spend(address: str) -> list[int]:
        return [client.get(JOBS, headers={"X-Forwarded-For": address}).status_code for _ in range(4)]

    assert spend("198.51.100.3") == spend("198.51.100.4") == [401] * 4
    assert spend("2001:db8:1:1::1") == [401] * 4
    assert spend("2001:db8:1:1:ffff::2") == [429] * 4
    assert spend("2001:db8:1:2::1") == [401] * 4


def test_what_needs_no_token_is_not_counted(client: httpx2.Client) -> None:
    for _ in range(20):
        # Nobody works on this hub, so that it is not healthy.
        assert [client.get(path).status_code for path in ("/healthz", "/metrics")] == [503, 200]


def test_tools_are_counted_like_any_request(client: httpx2.Client, token: str) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    headers = bearer(token) | {"Accept": "application/json, text/event-stream"}
    statuses = [client.post("/mcp", json=body, headers=headers).status_code for _ in range(6)]
    assert statuses[-1] == 429
    assert 429 not in statuses[:5]


def test_the_client_waits_as_told_or_says_that_it_is_too_long(
    limited: tuple[ServedHub, Path], token: str
) -> None:
    with DataHub(limited[0].url, token) as hub:
        for _ in range(5):
            hub.list_jobs()
        with pytest.raises(RateLimitedError, match="desk") as refused:
            hub.list_jobs()
    assert refused.value.retry_after_s > 30


def test_without_a_limit_nobody_is_counted(tmp_path: Path) -> None:
    rules = AccessRules(requests_per_minute=0, burst_requests=1)
    with bare_served(tmp_path, rules) as served, httpx2.Client(base_url=served.url, timeout=60) as client:
        headers = bearer(served.tokens["read:jobs"])
        assert {client.get(JOBS, headers=headers).status_code for _ in range(20)} == {200}
