"""The documents' own examples, run as they are written against a live hub."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from markethub import DataHub
from tests.api.served_hub import ServedHub
from tests.contract.documented import EXAMPLES, example, run_curl, run_snippet

TRACE_ID = re.compile(r"backfill_kline_[a-z0-9]{8}")
BACKFILL = {"symbols": ["BTC_USDT.BNC"], "intervals": ["1h"], "start_time": "2026-01-01T00:00:00Z"}


def shape(value: object) -> object:
    """Keys and JSON types; what an object holds under free keys is not part of the contract."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value).__name__


@pytest.mark.parametrize(
    ("kind", "label", "message"),
    [
        ("klines", "symbols", "Kline backfill queued | exchanges=2 | symbols=3"),
        ("klines", "exchanges", "Kline backfill queued | exchanges=2 | symbols=3"),
        ("klines", "everything", "Kline backfill queued | exchanges=2 | symbols=3"),
        ("symbols", "exchanges", "Symbol backfill queued | exchanges=3"),
        ("balances", "accounts", "Balance backfill queued | exchanges=2 | accounts=2"),
        ("balances", "both", "Balance backfill queued | exchanges=2 | accounts=2"),
        ("orders", "account", "Order backfill queued | exchanges=1 | accounts=1 | symbols=all"),
        ("orders", "range", "Order backfill queued | exchanges=1 | accounts=1 | symbols=2"),
        ("fills", "account", "Fill backfill queued | exchanges=1 | accounts=1 | symbols=all"),
        ("fills", "range", "Fill backfill queued | exchanges=1 | accounts=1 | symbols=2"),
        ("transfers", "account", "Transfer backfill queued | exchanges=1 | accounts=1"),
        ("transfers", "range", "Transfer backfill queued | exchanges=1 | accounts=1"),
        ("orderbook", "symbols", "Orderbook backfill queued | exchanges=2 | symbols=2 | limit=20"),
        ("orderbook", "exchanges", "Orderbook backfill queued | exchanges=2 | symbols=3 | limit=50"),
        ("orderbook", "everything", "Orderbook backfill queued | exchanges=2 | symbols=3 | limit=20"),
        ("ticker", "symbols", "Ticker backfill queued | exchanges=2 | symbols=3"),
        ("ticker", "exchanges", "Ticker backfill queued | exchanges=2 | symbols=3"),
        ("ticker", "everything", "Ticker backfill queued | exchanges=2 | symbols=3"),
    ],
)
def test_a_documented_backfill_is_answered_as_documented(
    served: ServedHub, kind: str, label: str, message: str
) -> None:
    response = run_curl(f"backfill_{kind}_{label}.sh", served)
    assert response.status_code == 200, response.text
    answer = response.json()
    for documented in ("general_response.json", f"backfill_{kind}_response.json"):
        expected = example(documented)
        assert shape(answer) == shape(expected)
        assert list(answer) == list(expected)
        assert answer["status"] == expected["status"]
    job_name = expected["trace_id"].rpartition("_")[0]
    assert re.fullmatch(rf"{job_name}_[a-z0-9]{{8}}", answer["trace_id"])
    assert answer["message"] == message


def test_every_documented_message_is_one_that_we_send() -> None:
    """Word for word, for the request of the section that has the counts of its example."""
    table = test_a_documented_backfill_is_answered_as_documented.pytestmark[0].args[1]  # type: ignore[attr-defined]
    for kind in {kind for kind, _, _ in table}:
        documented = example(f"backfill_{kind}_response.json")["message"]
        assert documented in {message for one, _, message in table if one == kind}


LEDGERS = ("orders", "fills", "transfers")
BACKFILL_TOOLS = sorted(path.name for path in EXAMPLES.glob("backfill_*_tool.json"))


@pytest.mark.parametrize(
    ("table", "tool"),
    [("symbols", "symbols"), ("tickers", "ticker"), ("orderbooks", "orderbook"), ("balances", "balances"),
     ("orders", "orders"), ("fills", "fills"), ("transfers", "transfers")],
)  # fmt: skip
def test_a_documented_tool_call_fills_its_table(client: DataHub, table: str, tool: str) -> None:
    documented = example(f"backfill_{tool}_tool.json")
    queued = getattr(client, documented["tool"].removeprefix("datahub_"))(**documented["parameters"])
    ended = client.wait(queued["trace_id"], timeout=100)
    if tool in LEDGERS:
        # One day the documents' ranges lie before what an exchange still tells.
        assert ended["status"] == "SUCCESS" or "cannot be had any more" in (ended["error"] or "")
        queued = getattr(client, f"backfill_{tool}")(["OKX_MM01"])
        ended = client.wait(queued["trace_id"], timeout=100)
    assert ended["status"] == "SUCCESS", ended["error"]
    assert getattr(client, table)(as_="dict", limit=1)["pagination"]["total"] > 0


def test_the_documented_tool_calls_are_calls_of_the_client(client: DataHub) -> None:
    for name in (*BACKFILL_TOOLS, "executions_tool.json"):
        documented = example(name)
        method = getattr(client, documented["tool"].removeprefix("datahub_"))
        answer = method(**documented["parameters"])
        assert set(answer) in ({"execution_id", "trace_id", "status", "message"}, {"data", "pagination"})


@pytest.fixture(scope="session")
def succeeded(client: DataHub) -> str:
    queued = client.backfill_klines(
        ["BTC_USDT.BNC"],
        intervals=["1h"],
        start_time="2026-01-01T00:00:00Z",
        end_time="2026-01-15T00:00:00Z",
    )
    ended = client.wait(queued["trace_id"], timeout=60)
    assert ended["status"] == "SUCCESS", ended["error"]
    return ended["id"]


@pytest.fixture(scope="session")
def failed(client: DataHub) -> str:
    queued = client.backfill_klines(
        ["NOSUCH_USDT.BNC"],
        intervals=["1h"],
        start_time="2026-01-01T00:00:00Z",
        end_time="2026-01-15T00:00:00Z",
    )
    ended = client.wait(queued["trace_id"], timeout=60)
    assert ended["status"] == "FAILURE"
    return ended["id"]


@pytest.mark.parametrize("name", ["executions_latest.sh", "executions_failed.sh", "executions_range.sh"])
@pytest.mark.usefixtures("succeeded", "failed")
def test_documented_lists_have_the_documented_shape(served: ServedHub, name: str) -> None:
    response = run_curl(name, served)
    assert response.status_code == 200
    answer, expected = response.json(), example("executions_response.json")
    assert list(answer) == list(expected)
    assert shape(answer["pagination"]) == shape(expected["pagination"])
    assert list(answer["pagination"]) == list(expected["pagination"])
    assert answer["pagination"]["page_size"] == 50
    for row in answer["data"]:
        assert list(row) == list(expected["data"][0])
    if name == "executions_failed.sh":
        assert {row["status"] for row in answer["data"]} == {"FAILURE"}
    if name == "executions_range.sh":
        assert answer["data"] == []  # this hub did not exist in that fortnight


def test_executions_carry_the_documented_types(served: ServedHub, succeeded: str, failed: str) -> None:
    rows = {row["id"]: row for row in run_curl("executions_latest.sh", served).json()["data"]}
    free = ("result", "parameters_snapshot")
    for row_id, documented in zip(
        (succeeded, failed), example("executions_response.json")["data"], strict=True
    ):
        row = rows[row_id]
        assert row["status"] == documented["status"]
        for key, value in documented.items():
            if key != "worker_id" or row["status"] == "SUCCESS":
                assert type(row[key]) is type(value), key
            if key.endswith("_at"):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", row[key])
        assert all(isinstance(row[key], dict) for key in free)
    result = rows[succeeded]["result"]
    assert set(example("executions_response.json")["data"][0]["result"]) <= set(result)
    assert result["processed"] == result["inserted"] + result["updated"] + result["unchanged"]
    assert "NOSUCH_USDT.BNC" in rows[failed]["error"]


def test_the_snippet_that_follows_a_backfill(served: ServedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    told, *lines = run_snippet("follow_a_backfill.py.txt", served, monkeypatch)
    assert re.fullmatch(rf"任务已提交，Trace ID: {TRACE_ID.pattern}", told)
    assert lines[0] == "[INFO] Kline backfill queued | exchanges=1 | symbols=1"


def newest_jobs(served: ServedHub, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Names and parameters of the executions queued last, in their order."""
    with DataHub(served.url, served.tokens["read:jobs"]) as client:
        rows = client.list_job_executions(limit=count, order_by="id")["data"]
    return [(row["job_name"], row["parameters_snapshot"]) for row in reversed(rows)]


def test_the_snippet_that_initialises_a_symbol(served: ServedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_snippet("initialise_a_symbol.py.txt", served, monkeypatch) == []
    symbols, klines, orderbook, ticker = newest_jobs(served, 4)
    assert symbols == ("backfill_symbol", {"exchanges": ["BNC"]})
    assert klines[0] == "backfill_kline"
    assert klines[1]["symbols"] == ["SOL_USDT.BNC"]
    assert klines[1]["intervals"] == ["1h", "1d"]
    one = {"exchanges": ["BNC"], "symbols": ["SOL_USDT.BNC"]}
    assert orderbook == ("backfill_orderbook", one | {"limit": 20})
    assert ticker == ("backfill_ticker", one)


def test_the_snippet_that_completes_an_account(served: ServedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_snippet("complete_an_account.py.txt", served, monkeypatch) == []
    jobs = newest_jobs(served, 4)
    assert [name for name, _ in jobs] == [
        "backfill_balance", "backfill_order", "backfill_fill", "backfill_transfer",
    ]  # fmt: skip
    assert all(parameters["accounts"] == ["OKX_MM01"] for _, parameters in jobs)
    assert {parameters["start_time"] for _, parameters in jobs[1:]} == {"2026-01-01T00:00:00Z"}


@pytest.mark.usefixtures("failed")
def test_the_snippet_that_watches_failures(served: ServedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run_snippet("watch_failures.py.txt", served, monkeypatch)
    assert any(line.startswith("任务 backfill_kline 失败: ") for line in printed)
    assert any(TRACE_ID.search(line) for line in printed)


def test_what_was_backfilled_can_be_read_in_every_form(client: DataHub, succeeded: str) -> None:
    assert succeeded
    span = ("2026-01-01", "2026-01-15")
    table = client.klines("BTC_USDT.BNC", "1h", *span)
    holes = client.holes("BTC_USDT.BNC", "1h", *span)["data"]
    assert len(table) + sum(hole["bars"] for hole in holes) == 14 * 24
    frame = client.klines("BTC_USDT.BNC", "1h", *span, as_="polars")
    assert frame["close"].to_list() == table.column("close").to_pylist()
    assert any(series["symbol"] == "BTC_USDT.BNC" for series in client.series()["data"])


def test_a_repeated_backfill_inserts_nothing(client: DataHub, succeeded: str) -> None:
    assert succeeded
    queued = client.backfill_klines(**BACKFILL, end_time="2026-01-15T00:00:00Z")  # type: ignore[arg-type]
    ended = client.wait(queued["trace_id"], timeout=60)
    assert ended["result"] is not None
    assert (ended["result"]["inserted"], ended["result"]["updated"]) == (0, 0)


def test_a_program_on_the_same_machine_needs_no_settings(served: ServedHub, tmp_path: Path) -> None:
    """``from markethub import datahub`` finds the hub and its token by the files that a server leaves."""
    (tmp_path / "server.json").write_text(json.dumps({"url": served.url, "pid": 1}))
    (tmp_path / "admin.token").write_text(served.tokens["admin"])
    program = "from markethub import datahub; print(datahub.list_job_executions(limit=1)['pagination'])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MARKETHUB_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"MARKETHUB_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "'page_size': 1" in done.stdout
