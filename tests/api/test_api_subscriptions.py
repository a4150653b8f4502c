"""The subscribed symbols over HTTP: lists, changes by name, and what is refused."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import polars as pl
import pytest

PATH = "/api/v1/subscriptions"


@pytest.fixture(autouse=True)
def nothing_subscribed(admin: httpx2.Client) -> Iterator[None]:
    yield
    for exchange in ("BNC", "OKX", "GIO"):
        assert admin.put(f"{PATH}/{exchange}", json={"symbols": []}).status_code == 200


def put(client: httpx2.Client, exchange: str, *symbols: str) -> Any:  # noqa: ANN401  (a JSON value)
    response = client.put(f"{PATH}/{exchange}", json={"symbols": symbols})
    assert response.status_code == 200, response.text
    return response.json()


def get(client: httpx2.Client, **params: str | int) -> Any:  # noqa: ANN401
    response = client.get(PATH, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def refused(response: httpx2.Response, status: int = 422, code: str = "VALIDATION_ERROR") -> str:
    assert (response.status_code, response.json()["error"]["code"]) == (status, code), response.text
    message: str = response.json()["error"]["message"]
    return message


def test_a_change_answers_with_the_exchanges_new_state(admin: httpx2.Client) -> None:
    put(admin, "GIO", "ETH_USDT")
    update = put(admin, "GIO", "SOL_USDT.GIO", "BTC_USDT", "SOL_USDT")
    updated_at = update.pop("updated_at")
    assert updated_at.endswith("Z")
    assert update == {
        "exchange": "GIO", "kind": "explicit", "rule": None, "source": "api", "count": 2, "resolved_at": None,
        "symbols": ["BTC_USDT.GIO", "SOL_USDT.GIO"],
        "added": ["BTC_USDT.GIO", "SOL_USDT.GIO"],
        "removed": ["ETH_USDT.GIO"],
    }  # fmt: skip
    [state] = [one for one in get(admin)["exchanges"] if one["exchange"] == "GIO"]
    assert state == {
        "exchange": "GIO", "kind": "explicit", "rule": None, "source": "api", "count": 2,
        "updated_at": updated_at, "resolved_at": None,
    }  # fmt: skip


def test_lists_by_exchange_search_order_and_page(admin: httpx2.Client) -> None:
    put(admin, "GIO", "BTC_USDT", "ETH_USDT", "DOGE_USDC")
    put(admin, "OKX", "BTC_USDT")
    page = get(admin)
    assert list(page) == ["data", "pagination", "exchanges"]
    assert [row["symbol"] for row in page["data"]] == [
        "BTC_USDT.GIO", "BTC_USDT.OKX", "DOGE_USDC.GIO", "ETH_USDT.GIO",
    ]  # fmt: skip
    assert list(page["data"][0]) == ["exchange", "symbol", "created_at"]
    assert page["pagination"] == {
        "page": 1, "page_size": 50, "total": 4, "total_pages": 1, "has_next": False, "has_prev": False,
    }  # fmt: skip
    assert [row["symbol"] for row in get(admin, exchange="OKX")["data"]] == ["BTC_USDT.OKX"]
    assert [one["exchange"] for one in get(admin, exchange="OKX")["exchanges"]] == ["OKX"]
    assert [row["symbol"] for row in get(admin, search="usdc")["data"]] == ["DOGE_USDC.GIO"]
    second = get(admin, limit=1, offset=1, order_by="symbol", order_desc="true")
    assert [row["symbol"] for row in second["data"]] == ["DOGE_USDC.GIO"]
    assert (second["pagination"]["page"], second["pagination"]["total"]) == (2, 4)
    assert len(second["exchanges"]) >= 2


def test_what_stays_keeps_its_age(admin: httpx2.Client) -> None:
    put(admin, "BNC", "BTC_USDT")
    [first] = get(admin)["data"]
    put(admin, "BNC", "BTC_USDT", "ETH_USDT")
    assert get(admin, search="BTC")["data"] == [first]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"exchange": "XYZ"}, "exchange 'XYZ' is unknown; known are BNC, OKX, GIO"),
        ({"exchange": ""}, "exchange ''"),
        ({"order_by": "colour"}, "order_by 'colour' is not one of symbol, exchange, created_at"),
        ({"limit": 0}, "limit '0'"),
        ({"limit": 1001}, "limit '1001'"),
        ({"offset": -1}, "offset '-1'"),
        ({"search": "a\x00"}, "NUL"),
        ({"symbol": "BTC_USDT"}, "field 'symbol' is unknown; allowed are exchange, search"),
    ],
)
def test_a_list_that_cannot_be(admin: httpx2.Client, params: dict[str, str | int], words: str) -> None:
    assert words in refused(admin.get(PATH, params=params))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "give exactly one of symbols and rule"),
        ({"symbols": None, "rule": None}, "give exactly one"),
        ({"symbols": ["BTC_USDT"], "rule": {"quote": "USDT", "top": 5}}, "give exactly one"),
        ({"symbols": "BTC_USDT"}, "symbols 'BTC_USDT'"),
        ({"symbols": [7]}, "symbols.0 7"),
        ({"symbols": [""]}, "symbols.0 ''"),
        ({"symbols": ["BTC"]}, "symbol 'BTC' is not BASE_QUOTE"),
        ({"symbols": ["BTC_USDT.OKX"]}, "symbol BTC_USDT.OKX is not of exchange BNC"),
        ({"symbols": ["A_B"] * 10_001}, "symbols"),
        ({"symbol": ["BTC_USDT"]}, "field 'symbol' is unknown; allowed are symbols, rule"),
        ({"rule": []}, "rule [] is not an object with the fields quote, top, by, keep, include, exclude"),
        ({"rule": {"quote": "USDT"}}, "top is missing"),
        ({"rule": {"quote": "USDT", "top": 0}}, "top 0 is not between 1 and 10000"),
        ({"rule": {"quote": "USDT", "top": 5, "by": "size"}}, "by 'size' is not one of volume"),
        ({"rule": {"quote": "USDT", "top": 5, "size": 1}}, "field 'size' is unknown; allowed are quote, top"),
        ({"rule": {"quote": "USDT", "top": 5}}, "exchange BNC has no adapter that lists instruments"),
        ([], "body"),
    ],
)
def test_a_change_that_cannot_be(admin: httpx2.Client, body: object, words: str) -> None:
    assert words in refused(admin.put(f"{PATH}/BNC", json=body))
    assert get(admin)["data"] == []


def test_an_unknown_exchange_is_refused_whatever_it_is_called(admin: httpx2.Client) -> None:
    for exchange in ("XYZ", "bnc", "US", "%00", "%2e%2e", "a" * 200):
        refused(admin.put(f"{PATH}/{exchange}", json={"symbols": []}))
    refused(admin.put(f"{PATH}/BNC/x", json={"symbols": []}), 404, "NOT_FOUND")
    refused(admin.put(PATH, json={"symbols": []}), 405, "METHOD_NOT_ALLOWED")
    refused(admin.post(f"{PATH}/BNC", json={"symbols": []}), 405, "METHOD_NOT_ALLOWED")


def test_no_symbol_is_a_text_that_breaks_the_database(admin: httpx2.Client) -> None:
    for text in ('"A\\u0000_B"', '"\\ud800_B"'):
        content = f'{{"symbols": [{text}]}}'.encode()
        refused(admin.put(f"{PATH}/BNC", content=content, headers={"Content-Type": "application/json"}))
    update = put(admin, "GIO", "币安人生_USDT")
    assert update["symbols"] == ["币安人生_USDT.GIO"]
    assert [row["symbol"] for row in get(admin, search="安人")["data"]] == update["symbols"]


def test_names_that_a_stored_listing_does_not_have_are_told(admin: httpx2.Client) -> None:
    message = refused(admin.put(f"{PATH}/BNC", json={"symbols": ["BTC_USDT", "OLD_USDT", "SOL_USDT"]}))
    assert message.startswith("BNC does not list OLD_USDT.BNC, SOL_USDT.BNC, says its stored listing; if")
    put(admin, "BNC", "ETH_USDT")  # halted, but listed


def test_scopes(stranger: httpx2.Client, as_scope: Callable[[str], dict[str, str]]) -> None:
    assert stranger.get(PATH, headers=as_scope("read:data")).status_code == 200
    refused(stranger.get(PATH, headers=as_scope("write:backfill")), 403, "FORBIDDEN")
    refused(stranger.get(PATH), 401, "UNAUTHORIZED")
    # Before the body is looked at.
    for headers, status, code in (
        (as_scope("read:data"), 403, "FORBIDDEN"),
        ({}, 401, "UNAUTHORIZED"),
    ):
        refused(stranger.put(f"{PATH}/BNC", content=b"{", headers=headers), status, code)
    writer = as_scope("write:backfill")
    assert stranger.put(f"{PATH}/BNC", json={"symbols": ["BTC_USDT"]}, headers=writer).status_code == 200


def test_a_backfill_without_symbols_takes_what_was_set(admin: httpx2.Client) -> None:
    message = refused(admin.post("/api/v1/backfill/ticker", json={}))
    assert "no symbol is subscribed on BNC, OKX, GIO" in message
    assert "PUT /api/v1/subscriptions/{exchange}" in message
    put(admin, "BNC", "BTC_USDT", "ETH_USDT")
    put(admin, "OKX", "BTC_USDT")
    queued = admin.post("/api/v1/backfill/ticker", json={}).json()
    assert queued["message"] == "Ticker backfill queued | exchanges=2 | symbols=3"
    assert admin.post(f"/api/v1/executions/{queued['execution_id']}/cancel").status_code == 200


@pytest.mark.parametrize("name", ["arrow", "parquet", "csv"])
def test_the_list_comes_as_a_table_too(admin: httpx2.Client, name: str) -> None:
    symbols = ["BTC_USDT", "ETH_USDT", "SOL_USDT"]
    assert admin.put("/api/v1/subscriptions/GIO", json={"symbols": symbols}).status_code == 200
    query = {"exchange": "GIO", "limit": "2", "format": name}
    response = admin.get("/api/v1/subscriptions", params=query)
    assert (response.status_code, response.headers["x-total-count"]) == (200, "3")
    readers = {"arrow": pl.read_ipc_stream, "parquet": pl.read_parquet, "csv": pl.read_csv}
    table = readers[name](response.content)
    assert table.columns == ["exchange", "symbol", "created_at"]
    assert table["symbol"].to_list() == ["BTC_USDT.GIO", "ETH_USDT.GIO"]
    accepted = admin.get("/api/v1/subscriptions", headers={"Accept": "text/csv"})
    assert accepted.headers["content-type"].startswith("text/csv")
