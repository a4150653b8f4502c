"""Requests for everything but klines: what is accepted, what each mistake is told."""

import json
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

KINDS = ["symbols", "balances", "orders", "fills", "transfers", "orderbook", "ticker"]


def post(admin: httpx2.Client, kind: str, body: object) -> httpx2.Response:
    return admin.post(f"/api/v1/backfill/{kind}", json=body)


@pytest.mark.parametrize(
    ("kind", "body", "message", "parameters"),
    [
        ("symbols", {"exchanges": ["BNC", "OKX", "BNC"]}, "Symbol backfill queued | exchanges=2",
         {"exchanges": ["BNC", "OKX"]}),
        ("balances", {"accounts": ["BNC_MM01", "OKX_MM01", "BNC_MM01"]},
         "Balance backfill queued | exchanges=2 | accounts=2",
         {"exchanges": ["BNC", "OKX"], "accounts": ["BNC_MM01", "OKX_MM01"]}),
        ("orders", {"accounts": ["OKX_MM01"], "start_time": "2026-01-01", "end_time": "2026-01-15"},
         "Order backfill queued | exchanges=1 | accounts=1 | symbols=all",
         {"exchanges": ["OKX"], "accounts": ["OKX_MM01"], "symbols": [],
          "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-15T00:00:00Z"}),
        ("fills", {"exchanges": ["OKX"], "symbols": ["BTC_USDT", "ETH_USDT"], "end_time": "2026-01-15"},
         "Fill backfill queued | exchanges=1 | accounts=2 | symbols=2",
         {"exchanges": ["OKX"], "accounts": ["OKX_EMPTY", "OKX_MM01"], "symbols": ["BTC_USDT", "ETH_USDT"],
          "start_time": None, "end_time": "2026-01-15T00:00:00Z"}),
        ("transfers", {"exchanges": ["OKX"], "accounts": ["OKX_MM01"], "end_time": "2026-01-15"},
         "Transfer backfill queued | exchanges=1 | accounts=1",
         {"exchanges": ["OKX"], "accounts": ["OKX_MM01"], "symbols": [], "start_time": None,
          "end_time": "2026-01-15T00:00:00Z"}),
        ("orderbook", {"symbols": ["BTC_USDT.BNC"]},
         "Orderbook backfill queued | exchanges=1 | symbols=1 | limit=20",
         {"exchanges": ["BNC"], "symbols": ["BTC_USDT.BNC"], "limit": 20}),
        ("ticker", {"symbols": ["BTC_USDT.BNC", "ETH_USDT.BNC"], "exchanges": ["BNC", "OKX"]},
         "Ticker backfill queued | exchanges=1 | symbols=2",
         {"exchanges": ["BNC"], "symbols": ["BTC_USDT.BNC", "ETH_USDT.BNC"]}),
    ],
)  # fmt: skip
def test_a_request_is_committed_with_its_meaning(
    admin: httpx2.Client, kind: str, body: object, message: str, parameters: dict[str, Any]
) -> None:
    queued = post(admin, kind, body).json()
    assert queued["message"] == message
    row = admin.get(f"/api/v1/executions/{queued['execution_id']}").json()
    assert row["parameters_snapshot"] == parameters
    assert row["job_name"] == queued["trace_id"].rpartition("_")[0]


def test_a_future_end_is_now(admin: httpx2.Client) -> None:
    queued = post(admin, "orders", {"accounts": ["OKX_MM01"], "end_time": "2999-01-01"}).json()
    row = admin.get(f"/api/v1/executions/{queued['execution_id']}").json()
    assert row["parameters_snapshot"]["end_time"] < row["created_at"][:4] + "-12-32"


ORDERS: dict[str, Any] = {"accounts": ["OKX_MM01"]}


@pytest.mark.parametrize(
    ("kind", "body", "named"),
    [
        ("symbols", {}, ["exchanges is missing"]),
        ("symbols", {"exchanges": []}, ["exchanges must name", "BNC, OKX, GIO"]),
        ("symbols", {"exchanges": ["NYSE"]}, ["NYSE", "BNC"]),
        ("symbols", {"exchanges": ["BNC"], "symbols": ["X"]}, ["symbols", "unknown", "exchanges"]),
        ("balances", {}, ["accounts is missing"]),
        ("balances", {"exchanges": ["OKX"]}, ["accounts is missing"]),
        ("balances", {"accounts": []}, ["accounts is empty"]),
        ("balances", {"accounts": ["MM01"]}, ["MM01", "OKX_MM01"]),
        ("balances", {"accounts": ["GIO_MM01"]}, ["GIO does not support balance", "BNC, OKX"]),
        ("balances", {"accounts": ["OKX_MM09"]},
         ["OKX_MM09 is not configured", "BNC_MM01, OKX_EMPTY, OKX_MM01"]),
        ("balances", {"accounts": ["OKX_MM01"], "exchanges": ["BNC"]},
         ["OKX_MM01", "not among exchanges BNC"]),
        ("orders", {}, ["name accounts or exchanges", "OKX"]),
        ("orders", {"symbols": ["BTC_USDT"]}, ["name accounts or exchanges"]),
        ("orders", {"accounts": ["BNC_MM01"]}, ["BNC does not support order", "OKX"]),
        ("orders", {"exchanges": ["BNC"]}, ["BNC does not support order", "OKX"]),
        ("orders", {"exchanges": []}, ["exchanges is empty"]),
        ("orders", ORDERS | {"symbols": []}, ["symbols is empty"]),
        ("orders", ORDERS | {"symbols": ["BTC_USDT.OKX"]}, ["BTC_USDT.OKX", "BASE_QUOTE"]),
        ("fills", ORDERS | {"symbols": ["BTC-USDT"]}, ["BTC-USDT", "BASE_QUOTE"]),
        ("fills", ORDERS | {"start_time": "2026-02-01", "end_time": "2026-01-01"},
         ["start_time", "2026-01-01"]),
        ("fills", ORDERS | {"start_time": "1999-01-01"}, ["start_time", "1999", "earliest"]),
        ("fills", ORDERS | {"start_time": "2999-01-01"}, ["start_time", "now"]),
        ("fills", ORDERS | {"end_time": "1999-01-01"}, ["end_time", "1999"]),
        ("fills", ORDERS | {"start_time": 5}, ["start_time", "ISO 8601"]),
        ("transfers", ORDERS | {"symbols": ["BTC_USDT"]}, ["symbols", "unknown"]),
        ("transfers", {"exchanges": ["GIO"]}, ["GIO does not support transfer", "OKX"]),
        ("orderbook", {"symbols": ["BTC_USDT.BNC"], "limit": 0}, ["limit", "0"]),
        ("orderbook", {"symbols": ["BTC_USDT.BNC"], "limit": 1001}, ["limit", "1001", "1000"]),
        ("orderbook", {"symbols": ["BTC_USDT.BNC"], "limit": "20"}, ["limit", "integer"]),
        ("orderbook", {"symbols": ["BTC_USDT"]}, ["BTC_USDT", "BTC_USDT.BNC"]),
        ("orderbook", {"limit": 20}, ["no symbol is subscribed"]),
        ("ticker", {}, ["no symbol is subscribed"]),
        ("ticker", {"symbols": ["US.AAPL"]}, ["US.AAPL"]),
        ("ticker", {"symbols": []}, ["symbols is empty"]),
        ("ticker", {"symbols": ["BTC_USDT.BNC"], "exchanges": ["OKX"]}, ["BTC_USDT.BNC", "OKX"]),
    ],
)  # fmt: skip
def test_a_bad_request_names_what_is_wrong(
    admin: httpx2.Client, kind: str, body: object, named: list[str]
) -> None:
    response = post(admin, kind, body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    for word in named:
        assert word in response.json()["error"]["message"]


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_VALUE = st.none() | st.booleans() | st.integers() | st.floats() | _TEXT | st.lists(_TEXT, max_size=2)
_BODY = st.fixed_dictionaries(
    {},
    optional={
        "exchanges": _VALUE | st.lists(st.sampled_from(["BNC", "OKX", "GIO", ""]), max_size=3),
        "accounts": _VALUE | st.lists(st.sampled_from(["OKX_MM01", "BNC_MM01", "OKX_X", "x"]), max_size=3),
        "symbols": _VALUE | st.lists(st.sampled_from(["BTC_USDT.BNC", "BTC_USDT", "US.AAPL"]), max_size=2),
        "limit": _VALUE | st.integers(-1, 1001),
        "start_time": _VALUE | st.datetimes().map(lambda moment: moment.isoformat()),
        "end_time": _VALUE | st.datetimes().map(lambda moment: moment.isoformat()),
    },
)


@settings(max_examples=120, deadline=None)
@given(kind=st.sampled_from(KINDS), body=_BODY)
def test_any_body_is_accepted_or_refused_in_the_envelope(
    admin: httpx2.Client, kind: str, body: object
) -> None:
    content = json.dumps(body)
    response = admin.post(
        f"/api/v1/backfill/{kind}", content=content, headers={"Content-Type": "application/json"}
    )
    if response.status_code == 200:
        assert response.json()["status"] == "queued"
    else:
        assert (response.status_code, set(response.json()["error"])) == (422, {"code", "message"})
