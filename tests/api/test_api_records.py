"""What is stored besides bars, as every caller may ask for it."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.api.record_models import describe_page
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.symbols import SYMBOLS

Params = dict[str, Any]
Get = Callable[..., dict[str, Any]]


@pytest.fixture
def get(admin: httpx2.Client) -> Get:
    def read(table: str, **params: object) -> dict[str, Any]:
        response = admin.get(f"/api/v1/{table}", params=params)  # type: ignore[arg-type]
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    return read


def column(answer: dict[str, Any], name: str) -> list[Any]:
    return [row[name] for row in answer["data"]]


def test_a_page_of_orders_has_rows_and_its_place_in_the_list(get: Get) -> None:
    page = get("orders", account="OKX_MM01")
    assert column(page, "order_id") == [f"MM01-{number}" for number in range(100)]
    assert page["data"][0] == {
        "account": "OKX_MM01",
        "order_id": "MM01-0",
        "client_order_id": None,
        "symbol": "BTC_USDT.OKX",
        "side": "buy",
        "type": "some type",
        "status": "canceled",
        "price": None,
        "size": "0.125",
        "size_currency": "some size_currency",
        "filled_size": "0",
        "average_price": None,
        "fee": None,
        "fee_asset": None,
        "rebate": None,
        "rebate_asset": None,
        "created_time": "2026-01-01T00:00:00Z",
        "updated_time": "1970-01-01T00:00:00Z",
    }
    assert page["pagination"] == {
        "page": 1,
        "page_size": 100,
        "total": 150,
        "total_pages": 2,
        "has_next": True,
        "has_prev": False,
    }
    rest = get("orders", account="OKX_MM01", offset=100)
    assert column(rest, "order_id") == [f"MM01-{number}" for number in range(100, 150)]
    assert get("orders", account="OKX_MM01", offset=2**53)["data"] == []


@pytest.mark.parametrize(
    ("table", "params", "name", "expected"),
    [
        ("orders", {"order_id": ["MM01-7", "MM02-3"]}, "order_id", ["MM02-3", "MM01-7"]),
        ("orders", {"account": "OKX_MM02", "symbol": "ETH_USDT", "limit": 2},
         "order_id", ["MM02-1", "MM02-3"]),
        ("orders", {"symbol": ["BTC_USDT.OKX"], "status": "canceled", "limit": 2, "account": "OKX_MM01"},
         "order_id", ["MM01-0", "MM01-6"]),
        ("orders", {"account": "OKX_MM01", "order_desc": True, "limit": 2},
         "order_id", ["MM01-149", "MM01-148"]),
        ("orders", {"account": "OKX_MM01", "start": "2026-01-01T00:00:02Z", "end": "2026-01-01T00:00:04Z"},
         "order_id", ["MM01-2", "MM01-3"]),
        ("orders", {"exchange": "BNC"}, "order_id", []),
        ("fills", {"order_id": "MM01-2"}, "fill_id", ["2"]),
        ("fills", {"exchange": "OKX"}, "time",
         ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.001Z", "2026-01-01T00:00:00.002Z"]),
        ("transfers", {"kind": "withdrawal"}, "asset", ["USDT"]),
        ("transfers", {"asset": ["BTC", "ETH"]}, "kind", ["deposit"]),
        ("rejects", {"owner": "BTC_USDT.BNC 1m"}, "reason", ["low above high"]),
        ("rejects", {"kind": "fill"}, "reason", []),
        ("tickers", {"symbol": "ETH_USDT.BNC"}, "last", [100, 101, 102]),
        ("tickers", {"latest": True}, "symbol", ["BTC_USDT.BNC", "BTC_USDT.OKX", "ETH_USDT.BNC"]),
        ("tickers", {"latest": True, "exchange": "BNC"}, "last", [102, 102]),
        ("tickers", {"latest": True, "end": "2026-01-02", "symbol": "BTC_USDT.OKX"}, "last", [100]),
        ("orderbooks", {}, "bid_sizes", [[0.1, 1e-7]]),
        ("orderbooks", {"exchange": "OKX"}, "symbol", []),
        ("balances", {"asset": "USDT"}, "total", ["7", "99999999999999999999.000000000000000001"]),
    ],
)  # fmt: skip
def test_filters(get: Get, table: str, params: Params, name: str, expected: list[Any]) -> None:
    assert column(get(table, **params), name) == expected


def test_listings_are_those_in_force_unless_the_history_is_asked_for(get: Get) -> None:
    now = get("symbols")
    assert column(now, "symbol") == ["ETH_USDT.BNC", "BTC_USDT.OKX", "BTC_USDT.BNC"]
    assert column(now, "tick_size") == ["0.01", "0.1", "0.01"]
    assert now["pagination"]["total"] == 3
    history = get("symbols", current=False, exchange="BNC", symbol=["BTC_USDT.BNC", "OLD_USDT.BNC"])
    assert [(row["symbol"], row["seen_from"], row["seen_until"]) for row in history["data"]] == [
        ("BTC_USDT.BNC", "2026-01-01T00:00:00Z", "2026-01-06T00:00:00Z"),
        ("OLD_USDT.BNC", "2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z"),
        ("BTC_USDT.BNC", "2026-01-06T00:00:00Z", None),
    ]


def test_listings_as_they_stood_at_a_moment(get: Get) -> None:
    then = get("symbols", exchange="BNC", end="2026-01-05T00:00:00Z")
    assert [(row["symbol"], row["tick_size"]) for row in then["data"]] == [
        ("BTC_USDT.BNC", "0.1"),
        ("OLD_USDT.BNC", "0.5"),
        ("ETH_USDT.BNC", "0.01"),
    ]
    # At the very moment of the new version, what was before is over.
    assert column(get("symbols", symbol="BTC_USDT.BNC", end="2026-01-06T00:00:00.001Z"), "tick_size") == [
        "0.01"
    ]
    assert column(get("symbols", symbol="OLD_USDT.BNC", end="2026-01-08"), "tick_size") == ["0.5"]
    assert column(get("symbols", symbol="OLD_USDT.BNC", end="2026-01-08T00:00:00.001Z"), "tick_size") == []


def test_a_filter_does_not_bring_back_an_older_version(get: Get) -> None:
    """ETH_USDT.BNC is halted now: that it traded before must not make it a trading one."""
    assert column(get("symbols", status="trading", base="ETH"), "symbol") == []
    assert column(get("symbols", status="halted", base="ETH"), "symbol") == ["ETH_USDT.BNC"]


def test_windows_on_listings(get: Get) -> None:
    page = get("symbols", offset=1, limit=1)
    assert column(page, "symbol") == ["BTC_USDT.OKX"]
    assert (page["pagination"]["total"], page["pagination"]["has_next"]) == (3, True)
    assert get("symbols", offset=2**53)["data"] == []


def test_the_newest_balances_are_one_snapshot_not_the_newest_of_each_asset(get: Get) -> None:
    """BTC is not in the second snapshot: it was sold, and must not show up as still there."""
    page = get("balances", latest=True, account="BNC_MM01")
    assert [(row["asset"], row["total"]) for row in page["data"]] == [
        ("USDT", "99999999999999999999.000000000000000001")
    ]
    before = get("balances", latest=True, account="BNC_MM01", end="2026-01-02")
    assert column(before, "asset") == ["BTC", "USDT"]
    assert column(get("balances", latest=True, asset="BTC"), "account") == []


def test_an_account_that_is_empty_now_has_no_newest_balances(get: Get) -> None:
    assert get("balances", latest=True, account="OKX_EMPTY")["data"] == []
    before = get("balances", latest=True, account="OKX_EMPTY", end="2026-01-03")
    assert [(row["asset"], row["total"]) for row in before["data"]] == [("BTC", "1")]


@pytest.mark.parametrize("table", RECORD_TABLES)
def test_every_table_in_every_format(admin: httpx2.Client, table: str) -> None:
    schema = RECORD_TABLES[table].schema
    path, every = f"/api/v1/{table}", {"current": "false"} if table == "symbols" else {}
    as_json = admin.get(path, params=every | {"limit": "1000"})
    rows = as_json.json()["data"]
    assert rows
    arrow = admin.get(path, params=every, headers={"Accept": "application/vnd.apache.arrow.stream"})
    with pa.ipc.open_stream(arrow.content) as reader:
        read = reader.read_all()
    assert read.schema.equals(schema)
    assert len(read) == len(rows) == int(arrow.headers["x-total-count"])
    parquet = admin.get(path, params=every | {"format": "parquet"})
    assert pq.read_table(io.BytesIO(parquet.content)).equals(read)
    as_csv = admin.get(path, params=every | {"format": "csv"})
    assert f"{table}.csv" in as_csv.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert [list(line) for line in lines] == [schema.names] * len(rows)
    for line, row in zip(lines, rows, strict=True):
        for name, text in line.items():
            value = row[name]
            if isinstance(value, str) or value is None:
                assert text == (value or "")
            else:
                assert json.loads(text) == value


@pytest.mark.parametrize("table", RECORD_TABLES)
def test_answers_are_what_the_document_says(get: Get, table: str) -> None:
    page = get(table, limit=1000)
    row = describe_page(RECORD_TABLES[table], "Row").model_fields["data"].annotation
    for one in page["data"]:
        for field in RECORD_TABLES[table].schema:
            if pa.types.is_timestamp(field.type):
                assert one[field.name] is None or one[field.name].endswith("Z")
                one[field.name] = None if one[field.name] is None else 0  # times are numbers to the model
        row.__args__[0].model_validate(one, strict=True, extra="forbid")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("orders?asset=BTC", ["asset", "symbol"]),
        ("orders?latest=true", ["latest", "unknown"]),
        ("orders?symbol=BTCUSDT", ["BTCUSDT", "BTC_USDT"]),
        ("orders?symbol=BTC_USDT.BN", ["BTC_USDT.BN"]),
        ("orders?account=MM01", ["MM01", "OKX_MM01"]),
        ("orders?exchange=NYSE", ["NYSE", "BNC"]),
        ("orders?limit=0", ["limit"]),
        ("orders?limit=1001", ["limit", "1001", "1000"]),
        ("orders?offset=-1", ["offset"]),
        ("orders?start=2026-02-01&end=2026-01-01", ["start", "2026-02-01"]),
        ("orders?format=xml", ["format", "xml"]),
        ("tickers?symbol=BTC_USDT", ["BTC_USDT", "BTC_USDT.BNC"]),
        ("tickers?account=OKX_MM01", ["account", "symbol"]),
        ("symbols?start=2026-01-01", ["start", "every version"]),
        ("symbols?latest=true", ["latest", "current"]),
        ("rejects?exchange=BNC", ["exchange", "owner"]),
        ("balances?account=%00", ["NUL"]),
        ("orders?" + "&".join(["order_id=1"] * 1001), ["order_id", "1000"]),
    ],
)
def test_bad_questions_are_named(admin: httpx2.Client, path: str, named: list[str]) -> None:
    response = admin.get(f"/api/v1/{path}")
    assert (response.status_code, response.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    for word in named:
        assert word in response.json()["error"]["message"]


def test_other_formats_have_every_row_unless_told_otherwise(admin: httpx2.Client) -> None:
    assert admin.get("/api/v1/orders?format=csv").text.count("\n") == 301
    assert admin.get("/api/v1/orders?format=csv&limit=5").text.count("\n") == 6


@settings(max_examples=60, deadline=None)
@given(
    table=st.sampled_from(sorted(RECORD_TABLES)),
    query=st.dictionaries(
        st.sampled_from(
            ["symbol", "account", "exchange", "asset", "start", "end", "limit", "offset", "latest", "current",
             "status", "kind", "order_desc", "format", "x"]
        ),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
        | st.sampled_from(["BTC_USDT.BNC", "OKX_MM01", "2026-01-02", "true", "5", "OKX", "Ａ_Ｂ"]),
        max_size=4,
    ),
)  # fmt: skip
def test_any_question_is_answered_or_refused_in_the_envelope(
    admin: httpx2.Client, table: str, query: dict[str, str]
) -> None:
    response = admin.get(f"/api/v1/{table}", params=query)
    if response.status_code != 200:
        assert (response.status_code, set(response.json()["error"])) == (422, {"code", "message"})


def test_accounts_are_listed_without_their_keys(admin: httpx2.Client) -> None:
    listed = admin.get("/api/v1/accounts").json()["data"]
    assert listed[0] == {
        "account": "BNC_MM01",
        "exchange": "BNC",
        "state": "unchecked",
        "detail": "",
        "rights": None,
        "checked_at": None,
    }
    assert [one["account"] for one in listed] == ["BNC_MM01", "OKX_EMPTY", "OKX_MM01"]


def test_symbols_have_the_columns_of_their_table(get: Get) -> None:
    assert list(get("symbols")["data"][0]) == SYMBOLS.schema.names
