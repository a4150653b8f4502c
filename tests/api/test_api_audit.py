"""Every write leaves a row that says whose it was; nothing else does."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from markethub.domain.times import parse_time
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
PUT_SUBSCRIPTIONS = ("PUT", "/api/v1/subscriptions/{exchange}")
WRITES = {
    *(("POST", f"/api/v1/backfill/{kind}") for kind in BODIES),
    ("POST", "/api/v1/executions/{execution_id}/cancel"),
    ("POST", "/api/v1/executions/{execution_id}/retry"),
    PUT_SUBSCRIPTIONS,
}
WRITES_OF_DMS = {
    "/api/dms/sync/trigger": "tests/api/test_dms_gate.py",
    "/api/dms/slaves/{slave_name}/sync": "tests/api/test_dms_nodes.py",
    "/api/dms/sync/request": "tests/contract/test_contract_dms.py",
    "/api/dms/promote": "tests/cli/test_cli_promote.py",
    "/api/dms/tasks/trigger": "tests/services/test_dms_tasks.py",
    "/api/dms/tasks/trigger-all": "tests/services/test_dms_tasks.py",
}
"""Where it is tested that they are noted: beside what they do."""
QUESTIONS = {("POST", "/api/dms/read/batch")}
"""They only have a body because they are long."""


def listed(admin: httpx2.Client, **query: str) -> list[dict[str, Any]]:
    answer = admin.get("/api/v1/audit", params={"limit": "1000", **query})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def total(admin: httpx2.Client) -> int:
    number: int = admin.get("/api/v1/audit", params={"limit": 1}).json()["pagination"]["total"]
    return number


@pytest.fixture
def writer(served: ServedHub, as_scope: AsScope) -> dict[str, str]:
    return as_scope("write:backfill")


def id_of(token: str) -> str:
    return token.split("_")[1]


def test_all_routes_that_write_are_tested_here(stranger: httpx2.Client) -> None:
    paths = stranger.get("/openapi.json").json()["paths"]
    writing = {
        (method.upper(), path)
        for path, operations in paths.items()
        for method in operations
        if method != "get"
    }
    assert writing - QUESTIONS == WRITES | {("POST", path) for path in WRITES_OF_DMS}


@pytest.mark.parametrize("kind", BODIES)
def test_a_backfill_is_noted_with_its_caller(
    admin: httpx2.Client, stranger: httpx2.Client, served: ServedHub, writer: dict[str, str], kind: str
) -> None:
    queued = stranger.post(f"/api/v1/backfill/{kind}", json=BODIES[kind], headers=writer).json()
    row = listed(admin)[0]
    assert row["at"].endswith("Z")
    assert {name: row[name] for name in ("token_id", "token_name", "address", "action", "target")} == {
        "token_id": id_of(served.tokens["write:backfill"]),
        "token_name": "write:backfill",
        "address": "127.0.0.1",
        "action": "backfill.queue",
        "target": queued["trace_id"],
    }
    assert row["details"]["execution_id"] == queued["execution_id"]
    assert row["details"]["message"] == queued["message"]
    stored = admin.get(f"/api/v1/executions/{queued['execution_id']}").json()
    assert row["details"]["parameters"] == stored["parameters_snapshot"]


def test_cancel_and_retry_are_noted(
    admin: httpx2.Client, stranger: httpx2.Client, writer: dict[str, str]
) -> None:
    queued = admin.post("/api/v1/backfill/symbols", json={"exchanges": ["BNC"]}).json()
    place = f"/api/v1/executions/{queued['execution_id']}"
    assert stranger.post(f"{place}/cancel", headers=writer).status_code == 200
    again = stranger.post(f"{place}/retry", headers=writer).json()
    retried, cancelled, first = listed(admin)[:3]
    assert [(row["action"], row["target"], row["token_name"]) for row in (retried, cancelled, first)] == [
        ("execution.retry", again["trace_id"], "write:backfill"),
        ("execution.cancel", queued["trace_id"], "write:backfill"),
        ("backfill.queue", queued["trace_id"], "admin"),
    ]
    assert queued["trace_id"] in retried["details"]["message"]
    assert cancelled["details"] == {"execution_id": queued["execution_id"]}


def test_a_change_of_subscriptions_is_noted(
    admin: httpx2.Client, stranger: httpx2.Client, writer: dict[str, str]
) -> None:
    answer = stranger.put("/api/v1/subscriptions/GIO", json={"symbols": []}, headers=writer)
    assert answer.status_code == 200, answer.text
    row = listed(admin)[0]
    assert (row["action"], row["target"], row["token_name"]) == ("subscription.set", "GIO", "write:backfill")


def test_a_proxys_caller_is_noted_as_the_proxy_names_it(
    admin: httpx2.Client, stranger: httpx2.Client, writer: dict[str, str]
) -> None:
    for named, noted in (
        ("203.0.113.9", "203.0.113.9"),
        ("2001:0DB8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x" * 500, "x" * 60),
    ):
        headers = writer | {"X-Forwarded-For": named}
        stranger.post("/api/v1/backfill/symbols", json={"exchanges": ["BNC"]}, headers=headers)
        assert listed(admin)[0]["address"] == noted


def test_what_is_refused_or_only_read_is_not_noted(
    admin: httpx2.Client, stranger: httpx2.Client, as_scope: AsScope, writer: dict[str, str]
) -> None:
    before = total(admin)
    good = {"exchanges": ["BNC"]}
    refused = [
        stranger.post("/api/v1/backfill/symbols", json=good),
        stranger.post("/api/v1/backfill/symbols", json=good, headers=as_scope("read:data")),
        stranger.post("/api/v1/backfill/symbols", json={"exchanges": ["NYSE"]}, headers=writer),
        stranger.post("/api/v1/executions/987654321/cancel", headers=writer),
        stranger.post("/api/v1/executions/987654321/retry", headers=writer),
    ]
    assert [answer.status_code for answer in refused] == [401, 403, 422, 404, 404]
    assert admin.get("/api/v1/jobs").status_code == 200
    assert total(admin) == before


def test_what_is_answered_again_is_noted_once(admin: httpx2.Client) -> None:
    key, before = {"Idempotency-Key": str(uuid.uuid4())}, total(admin)
    for _ in range(3):
        assert admin.post("/api/v1/backfill/symbols", json={"exchanges": ["BNC"]}, headers=key).is_success
    assert total(admin) == before + 1


def test_a_cancel_that_comes_too_late_is_not_noted(admin: httpx2.Client) -> None:
    queued = admin.post("/api/v1/backfill/symbols", json={"exchanges": ["BNC"]}).json()
    place = f"/api/v1/executions/{queued['execution_id']}/cancel"
    assert admin.post(place).status_code == 200
    before = total(admin)
    assert admin.post(place).status_code == 409
    assert total(admin) == before


def test_rows_are_filtered_and_paged(admin: httpx2.Client, served: ServedHub) -> None:
    for _ in range(3):
        admin.post("/api/v1/backfill/symbols", json={"exchanges": ["BNC"]})
    own = listed(admin, token="admin", action="backfill")
    assert own
    assert {(row["token_name"], row["action"]) for row in own} == {("admin", "backfill.queue")}
    assert own == listed(admin, token=id_of(served.tokens["admin"]), action="backfill.queue")
    page = admin.get("/api/v1/audit", params={"token": "admin", "limit": 2, "offset": 1}).json()
    assert page["data"] == listed(admin, token="admin")[1:3]
    assert (page["pagination"]["page_size"], page["pagination"]["has_prev"]) == (2, True)
    times = [parse_time(row["at"]) for row in listed(admin, order_desc="false")]
    assert times == sorted(times)
    later = listed(admin, after=own[0]["at"])
    assert later
    assert all(row["at"] >= own[0]["at"] for row in later)
    assert not {row["id"] for row in later} & {row["id"] for row in listed(admin, before=own[0]["at"])}
    assert listed(admin, token="nobody") == listed(admin, action="nothing") == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"token": ""}, "token"),
        ({"token": "x" * 201}, "token"),
        ({"action": "a\x00b"}, "action"),
        ({"after": "yesterday"}, "after"),
        ({"user": "me"}, "token, action"),
    ],
)
def test_a_wrong_question_is_told(admin: httpx2.Client, query: dict[str, str], told: str) -> None:
    answer = admin.get("/api/v1/audit", params=query)
    assert answer.status_code == 422
    assert told in answer.json()["error"]["message"]


def test_tokens_are_noted_but_never_their_secrets(admin: httpx2.Client, served: ServedHub) -> None:
    made = listed(admin, action="token")
    assert {row["details"]["name"] for row in made if row["action"] == "token.create"} >= set(served.tokens)
    assert {row["token_name"].partition(":")[0] for row in made} == {"local"}
    everything = admin.get("/api/v1/audit", params={"limit": 1000}).text
    for token in served.tokens.values():
        assert token.split("_")[2] not in everything
