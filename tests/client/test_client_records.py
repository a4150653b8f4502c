"""Backfills of every kind, and the readers of records, on both clients."""

import inspect
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from markethub.client import AsyncDataHub, DataHub
from markethub.client.backfills import AsyncBackfills, Backfills
from markethub.domain.errors import InputError
from markethub.tables.balances import BALANCES
from markethub.tables.catalog import RECORD_TABLES
from tests.client.caller import Caller
from tests.client.scripted_server import Reply, ScriptedServer

QUEUED = {"execution_id": 7, "trace_id": "backfill_order_a1b2c3d4", "status": "queued", "message": "m"}


@pytest.mark.parametrize(
    ("method", "arguments", "sent"),
    [
        ("backfill_symbols", {"exchanges": ("BNC",)}, ("symbols", {"exchanges": ["BNC"]})),
        ("backfill_balances", {"accounts": ["OKX_MM01"]}, ("balances", {"accounts": ["OKX_MM01"]})),
        ("backfill_orders", {"accounts": ["OKX_MM01"], "symbols": ["BTC_USDT"], "start_time": "2026-01-01"},
         ("orders", {"accounts": ["OKX_MM01"], "symbols": ["BTC_USDT"], "start_time": "2026-01-01"})),
        ("backfill_fills", {"exchanges": ["OKX"], "end_time": datetime(2026, 1, 1, tzinfo=UTC)},
         ("fills", {"exchanges": ["OKX"], "end_time": "2026-01-01T00:00:00Z"})),
        ("backfill_transfers", {"accounts": ["OKX_MM01"]}, ("transfers", {"accounts": ["OKX_MM01"]})),
        ("backfill_orderbook", {"symbols": ["BTC_USDT.BNC"], "limit": 5},
         ("orderbook", {"symbols": ["BTC_USDT.BNC"], "limit": 5})),
        ("backfill_ticker", {}, ("ticker", {})),
    ],
)  # fmt: skip
def test_a_backfill_sends_what_was_given_and_nothing_else(
    call: Caller,
    server: ScriptedServer,
    method: str,
    arguments: dict[str, Any],
    sent: tuple[str, dict[str, Any]],
) -> None:
    server.replies = [Reply.json(QUEUED)]
    assert call(method, **arguments) == QUEUED
    [seen] = server.seen
    assert (seen.method, seen.path, json.loads(seen.body)) == (
        "POST",
        f"/api/v1/backfill/{sent[0]}",
        sent[1],
    )


def test_a_string_is_not_taken_for_a_list(call: Caller, server: ScriptedServer) -> None:
    for method, name in (("backfill_symbols", "exchanges"), ("backfill_orders", "accounts")):
        with pytest.raises(InputError, match=f"{name} takes a list"):
            call(method, **{name: "OKX"})
    assert server.seen == []


def test_both_clients_have_the_same_calls() -> None:
    for blocking, asyncio_twin in ((Backfills, AsyncBackfills), (DataHub, AsyncDataHub)):
        for name, method in inspect.getmembers(blocking, inspect.isfunction):
            if not name.startswith("_"):
                # what they answer may differ: an iterator has a twin of another type
                parameters = inspect.signature(getattr(asyncio_twin, name)).parameters
                assert inspect.signature(method).parameters == parameters, name
    for table in RECORD_TABLES:
        assert callable(getattr(DataHub("http://127.0.0.1:1"), table))


def balances() -> pa.Table:
    amount = Decimal("99999999999999999999.000000000000000001")
    row = {"account": "OKX_MM01", "wallet": "trading", "asset": "BTC", "time": 0, "updated_time": None}
    return pa.Table.from_pylist([row | dict.fromkeys(("free", "locked", "total"), amount)], BALANCES.schema)


def test_records_come_as_arrow_or_frames_with_exact_amounts(call: Caller, server: ScriptedServer) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, BALANCES.schema) as writer:
        writer.write_table(balances())
    server.replies = [Reply(body=sink.getvalue().to_pybytes())]
    assert call("balances").equals(balances())
    as_polars = call("balances", as_="polars")
    assert isinstance(as_polars, pl.DataFrame)
    as_pandas = call("balances", as_="pandas")
    assert isinstance(as_pandas, pd.DataFrame)
    for value in (as_polars["total"][0], as_pandas["total"][0]):
        assert value == Decimal("99999999999999999999.000000000000000001")
    assert parse_qs(urlsplit(server.seen[0].path).query) == {"format": ["arrow"]}
    assert server.seen[0].headers["accept"] == "application/vnd.apache.arrow.stream"


def test_filters_are_sent_as_they_are_meant(call: Caller, server: ScriptedServer) -> None:
    page = {"data": [{"order_id": "1"}], "pagination": {"total": 1}}
    server.replies = [Reply.json(page)]
    found = call(
        "orders",
        account="OKX_MM01",
        symbol=["BTC_USDT", "ETH_USDT"],
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end="2026-02-01",
        exchange=None,
        order_desc=True,
        limit=5,
        as_="dict",
    )
    assert found == page
    address = urlsplit(server.seen[0].path)
    assert address.path == "/api/v1/orders"
    assert parse_qs(address.query) == {
        "account": ["OKX_MM01"],
        "symbol": ["BTC_USDT", "ETH_USDT"],
        "start": ["2026-01-01T00:00:00Z"],
        "end": ["2026-02-01"],
        "order_desc": ["true"],
        "limit": ["5"],
        "format": ["json"],
    }
    with pytest.raises(InputError, match="cannot be float"):
        call("orders", limit=1.5)


@pytest.mark.parametrize("table", RECORD_TABLES)
def test_every_table_has_its_reader(call: Caller, server: ScriptedServer, table: str) -> None:
    server.replies = [Reply.json({"data": [], "pagination": {}})]
    call(table, as_="dict")
    assert urlsplit(server.seen[0].path).path == f"/api/v1/{table}"


def test_accounts(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json({"data": []})]
    assert call("accounts") == {"data": []}
    assert server.seen[0].path == "/api/v1/accounts"
