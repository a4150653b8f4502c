"""Requests at the edge of what a request may be: refused in one piece, and soon."""

import httpx2
import pytest

ROUTE = "/api/v1/backfill/klines"
MCP = {"Accept": "application/json, text/event-stream"}
DEPTH = 100_000


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def objects(depth: int) -> bytes:
    return b'{"symbols":' * depth + b"1" + b"}" * depth


BODIES = {
    "lists": nested(DEPTH),
    "lists without an end": b"[" * 900_000,
    "objects": objects(20_000),
    "lists in a field": b'{"symbols": ' + nested(DEPTH) + b"}",
    "a number of many digits": b'{"symbols": ' + b"9" * 500_000 + b"}",
    "an endless number": b'{"symbols": 1e999999}',
    "a key of many letters": b'{"' + b"k" * 500_000 + b'": 1}',
    "the same key often": b"{" + b",".join([b'"symbols": []'] * 50_000) + b"}",
    "many keys": b"{" + b",".join(b'"%d": 1' % number for number in range(50_000)) + b"}",
    "a text of escapes": b'{"symbols": ["' + b"\\u0000" * 100_000 + b'"]}',
    "lone surrogates": b'{"symbols": ["' + b"\\ud800" * 100 + b'"]}',
    "no UTF-8": b'{"symbols": ["\xff\xfe"]}',
}


@pytest.mark.parametrize("kind", BODIES)
def test_odd_bodies_are_refused(admin: httpx2.Client, kind: str) -> None:
    answer = admin.post(ROUTE, content=BODIES[kind], headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert len(answer.content) < 2_000


@pytest.mark.parametrize("kind", BODIES)
def test_odd_bodies_are_refused_by_the_tools_too(admin: httpx2.Client, kind: str) -> None:
    headers = MCP | {"Content-Type": "application/json"}
    answer = admin.post("/mcp", content=BODIES[kind], headers=headers)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("kind", ["lists in a field", "a number of many digits", "lone surrogates"])
def test_odd_arguments_of_a_tool_are_refused(admin: httpx2.Client, kind: str) -> None:
    call = (
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": '
        b'{"name": "datahub_backfill_klines", "arguments": %s}}' % BODIES[kind]
    )
    headers = MCP | {"Content-Type": "application/json", "MCP-Protocol-Version": "2025-06-18"}
    answer = admin.post("/mcp", content=call, headers=headers)
    assert answer.status_code < 500
    assert answer.status_code >= 400 or answer.json()["result"]["isError"]


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"a{number}=1" for number in range(3_000)),
        "&".join(["symbol=BTC_USDT.BNC"] * 1_000),
        "&" * 20_000,
        "=" * 20_000,
        "%" * 20_000,
        "symbol=" + "%F0%9F%92%A9" * 2_000,
        "symbol=%00&interval=%ff%fe",
        "symbol=%ED%A0%80&interval=1h",
        "symbol=" + "A" * 25_000,
    ],
)
def test_odd_queries_are_refused(admin: httpx2.Client, query: str) -> None:
    for path in ("/api/v1/klines", "/api/v1/jobs", "/api/v1/audit", "/api/v1/logs"):
        answer = admin.get(f"{path}?{query}")
        assert answer.status_code in (200, 422), path
        assert len(answer.content) < 100_000


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/jobs/" + "a" * 25_000,
        "/api/v1/jobs/%00",
        "/api/v1/jobs/%ff%fe",
        "/api/v1/jobs/%ED%A0%80",
        "/api/v1/jobs/..%2f..%2fetc%2fpasswd",
        "/api/v1/executions/" + "9" * 5_000,
        "/api/v1/executions/%F0%9F%92%A9",
        "/a" + "/" * 20_000,
        "/" + "a/" * 10_000,
    ],
)
def test_odd_paths_are_not_found(admin: httpx2.Client, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code in (404, 422)
    assert answer.json()["error"]["code"] in ("NOT_FOUND", "VALIDATION_ERROR")
    assert len(answer.content) < 2_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer " + "a" * 30_000),
        ("Authorization", "Bearer mh_" + "9" * 5_000 + "_x"),
        ("Authorization", "Bearer mh_1_" + "é" * 100),
        ("Idempotency-Key", "k" * 30_000),
        ("Content-Type", "application/json" + "; a=b" * 5_000),
        ("Accept", ", ".join(["text/csv;q=0.1"] * 1_500)),
        ("X-Request-ID", "x" * 30_000),
        ("X-Forwarded-For", ", ".join(["10.0.0.1"] * 2_500)),
        ("Cookie", "a=b" + "; a=b" * 5_000),
        ("Range", "bytes=" + ",".join("0-1" for _ in range(5_000))),
    ],
)
def test_odd_headers_are_judged_or_ignored(admin: httpx2.Client, name: str, value: str) -> None:
    headers = {name.encode(): value.encode("latin-1")}
    for method, path in (("GET", "/api/v1/jobs"), ("POST", ROUTE), ("GET", "/api/v1/symbols")):
        answer = admin.request(method, path, headers=headers)
        assert answer.status_code in (200, 401, 422), (method, path)
