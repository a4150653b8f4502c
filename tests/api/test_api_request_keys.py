"""``Idempotency-Key``: what is sent twice is queued once, and answered as at first."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.api.served_hub import ServedHub

AsScope = Callable[[str], dict[str, str]]
SYMBOLS = ["BTC_USDT.BNC"]
ACCOUNTS = {"accounts": ["OKX_MM01"]}
BODIES: dict[str, dict[str, Any]] = {
    "klines": {"symbols": SYMBOLS, "intervals": ["1h"], "start_time": "2026-01-01"},
    "symbols": {"exchanges": ["BNC"]},
    "balances": ACCOUNTS,
    "orders": ACCOUNTS,
    "fills": ACCOUNTS,
    "transfers": ACCOUNTS,
    "orderbook": {"symbols": SYMBOLS},
    "ticker": {"symbols": SYMBOLS},
}


def new_key() -> str:
    return str(uuid.uuid4())


def post(admin: httpx2.Client, kind: str, body: object, *keys: str) -> httpx2.Response:
    headers = [("Idempotency-Key", key) for key in keys]
    return admin.post(f"/api/v1/backfill/{kind}", json=body, headers=headers)


def count(admin: httpx2.Client) -> int:
    total: int = admin.get("/api/v1/jobs/executions", params={"limit": 1}).json()["pagination"]["total"]
    return total


@pytest.mark.parametrize("kind", BODIES)
def test_the_same_request_is_answered_again_and_queued_once(admin: httpx2.Client, kind: str) -> None:
    key, before = new_key(), count(admin)
    first = post(admin, kind, BODIES[kind], key)
    # Nulls say what leaving out says, and the order of fields says nothing.
    spelled_out = {"exchanges": None} | BODIES[kind]
    again = post(admin, kind, dict(reversed(spelled_out.items())), key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert count(admin) == before + 1
    other = post(admin, kind, BODIES[kind], new_key()).json()
    assert other["execution_id"] != first.json()["execution_id"]


def test_without_a_key_each_request_is_its_own(admin: httpx2.Client) -> None:
    first, second = (post(admin, "ticker", BODIES["ticker"]).json() for _ in range(2))
    assert first["execution_id"] != second["execution_id"]


@pytest.mark.parametrize(
    ("kind", "body"), [("ticker", {"symbols": ["ETH_USDT.BNC"]}), ("orderbook", BODIES["ticker"])]
)
def test_a_key_stands_for_one_body_at_one_path(admin: httpx2.Client, kind: str, body: dict[str, Any]) -> None:
    key = new_key()
    first = post(admin, "ticker", BODIES["ticker"], key).json()
    before = count(admin)
    refused = post(admin, kind, body, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    for word in (key, "another request", f"execution {first['execution_id']}", "48 hours", "new key"):
        assert word in refused.json()["error"]["message"]
    assert count(admin) == before


def test_requests_that_arrive_together_are_one(admin: httpx2.Client) -> None:
    key, before = new_key(), count(admin)
    with ThreadPoolExecutor(8) as executor:
        answers = list(executor.map(lambda _: post(admin, "klines", BODIES["klines"], key).json(), range(16)))
    assert all(answer == answers[0] for answer in answers)
    assert count(admin) == before + 1


def test_keys_are_each_tokens_own(admin: httpx2.Client, as_scope: AsScope, served: ServedHub) -> None:
    key = new_key()
    mine = post(admin, "ticker", BODIES["ticker"], key).json()
    headers = {**as_scope("write:backfill"), "Idempotency-Key": key}
    theirs = httpx2.post(
        f"{served.url}/api/v1/backfill/ticker",
        json={"symbols": ["ETH_USDT.BNC"]},
        headers=headers,
        timeout=60,
    )
    assert theirs.status_code == 200
    assert theirs.json()["execution_id"] != mine["execution_id"]


def test_a_refused_request_uses_no_key_up(admin: httpx2.Client) -> None:
    key = new_key()
    assert post(admin, "ticker", {"symbols": ["US.AAPL"]}, key).status_code == 422
    assert post(admin, "ticker", BODIES["ticker"], key).status_code == 200


@pytest.mark.parametrize("key", ["", "two words", "k" * 256, "ключ", "tab\there"])
def test_a_malformed_key_is_refused(admin: httpx2.Client, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode()}
    refused = admin.post("/api/v1/backfill/ticker", json=BODIES["ticker"], headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert "Idempotency-Key" in refused.json()["error"]["message"]
    assert "1 to 255 visible ASCII" in refused.json()["error"]["message"]


@pytest.mark.parametrize("key", ["!", "k" * 255, '"quoted"', "~/@{}"])
def test_any_visible_key_will_do(admin: httpx2.Client, key: str) -> None:
    first, again = (post(admin, "ticker", BODIES["ticker"], key).json() for _ in range(2))
    assert first == again


def test_two_keys_are_one_too_many(admin: httpx2.Client) -> None:
    refused = post(admin, "ticker", BODIES["ticker"], new_key(), new_key())
    assert refused.status_code == 422
    assert "given twice" in refused.json()["error"]["message"]


def test_the_token_is_judged_first(stranger: httpx2.Client) -> None:
    assert post(stranger, "ticker", BODIES["ticker"], "two words").status_code == 401


def test_the_header_is_documented(stranger: httpx2.Client) -> None:
    paths = stranger.get("/openapi.json").json()["paths"]
    backfills = {
        path.rpartition("/")[2]: paths[path] for path in paths if path.startswith("/api/v1/backfill/")
    }
    assert set(backfills) == set(BODIES)
    for methods in backfills.values():
        operation = methods["post"]
        assert [one["name"] for one in operation["parameters"]] == ["Idempotency-Key"]
        assert not operation["parameters"][0]["required"]
        assert "409" in operation["responses"]
