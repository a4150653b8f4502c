"""``backfill klines`` against a running hub."""

import json
import re
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Node
from tests.cli.invocation import COMMAND, PATIENCE_S, Run, clean_environment, run_on_terminal


def _arguments(symbol: str, start: str, end: str, interval: str = "1d") -> list[str]:
    return ["backfill", "klines", "--symbol", symbol, "--interval", interval, "--start", start, "--end", end]


def test_a_backfill_waits_and_tells_what_it_did(local: Run) -> None:
    outcome = local(*_arguments("ETH_USDT.BNC", "2024-01-01", "2024-01-11"), "--interval", "4h")
    assert outcome.code == 0
    assert re.fullmatch(r"SUCCESS: 70 rows in .*: 70 inserted, 0 updated, 0 unchanged\n", outcome.out)
    assert "Kline backfill queued | exchanges=1 | symbols=1 | trace_id=backfill_kline_" in outcome.err
    assert re.search(r"backfill_kline_\w{8}: SUCCESS, (\d+)/\1 chunks, 70 rows, ", outcome.err)
    again = local(*_arguments("ETH_USDT.BNC", "2024-01-01", "2024-01-11"), "--interval", "4h")
    assert re.fullmatch(r"SUCCESS: 0 rows in .*: 0 inserted, 0 updated, 0 unchanged\n", again.out)


def test_json_is_the_execution_alone_on_stdout(local: Run) -> None:
    outcome = local(*_arguments("ETH_USDT.BNC", "2023-01-01", "2023-01-03"), "--json")
    ended = json.loads(outcome.out)
    assert (outcome.code, ended["status"], ended["counters"]["inserted"]) == (0, "SUCCESS", 2)


def test_a_failed_backfill_exits_with_1_and_names_the_symbol(local: Run) -> None:
    outcome = local(*_arguments("NOPE_USDT.BNC", "2024-01-01", "2024-01-03"), "--symbol", "LTC_USDT.BNC")
    assert outcome.code == 1
    assert outcome.out.startswith("FAILURE: 2 rows")
    assert "error: " in outcome.err
    assert "NOPE_USDT.BNC" in outcome.err.splitlines()[-1]


def test_what_the_hub_refuses_is_a_plain_error(local: Run) -> None:
    outcome = local(*_arguments("BTC_USDT.XXX", "2024-01-01", "2024-01-03"))
    assert (outcome.code, outcome.out) == (1, "")
    assert "XXX" in outcome.err
    assert outcome.err.startswith("error: ")
    reversed_range = local(*_arguments("BTC_USDT.BNC", "2024-01-03", "2024-01-01"))
    assert (reversed_range.code, reversed_range.out) == (1, "")


def test_an_exchange_without_subscriptions_is_a_plain_error(local: Run) -> None:
    outcome = local("backfill", "klines", "--exchange", "BNC", "--interval", "1d", "--start", "2024-01-01")
    assert outcome.code == 1
    assert "subscribed" in outcome.err


def test_no_wait_prints_the_trace_id_alone(local: Run) -> None:
    outcome = local(*_arguments("XRP_USDT.BNC", "2024-01-01", "2024-01-03"), "--no-wait")
    assert outcome.code == 0
    assert re.fullmatch(r"backfill_kline_[a-z0-9]{8}\n", outcome.out)
    assert f"markethub logs {outcome.out.strip()} --follow" in outcome.err
    shown = local("logs", outcome.out.strip(), "--follow")
    assert "Ended as SUCCESS" in shown.out.splitlines()[-1]


def test_ctrl_c_stops_watching_and_leaves_the_backfill_running(
    local: Run, node: Node, tmp_path: Path
) -> None:
    node.plan_faults({"path": "/api/v3/klines", "kind": "hang", "times": 1000, "query": "TRXUSDT"})
    # The last half hour is in no archive file yet, whatever day it is.
    now = datetime.now(UTC)
    begin, end = (f"{now - timedelta(minutes=ago):%Y-%m-%dT%H:%M:%S}" for ago in (30, 0))
    try:
        with subprocess.Popen(
            [*COMMAND, *_arguments("TRX_USDT.BNC", begin, end, "1m"), "--url", node.url],
            cwd=tmp_path,
            env=clean_environment(MARKETHUB_DATA_DIR=str(node.data_dir)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            trace_id = process.stderr.readline().strip().split("trace_id=")[1]
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130
        assert f"markethub executions cancel {trace_id}" in told
        assert "Traceback" not in told
        assert json.loads(local("executions", "show", trace_id, "--json").out)["status"] in (
            "PENDING",
            "RUNNING",
        )
        cancelled = local("executions", "cancel", trace_id)
        assert (cancelled.code, cancelled.out.split(":")[0]) == (0, trace_id)
        followed = local("logs", trace_id, "--follow")
        assert "FAILURE" in followed.out.splitlines()[-1]
        assert json.loads(local("executions", "show", trace_id, "--json").out)["error"] == "cancelled"
        assert local("executions", "cancel", trace_id).code == 1
    finally:
        node.reset_sandbox()


def test_a_terminal_gets_a_bar(node: Node, tmp_path: Path) -> None:
    arguments = _arguments("ADA_USDT.BNC", "2023-01-01", "2024-02-01")
    code, shown = run_on_terminal(arguments, tmp_path, MARKETHUB_DATA_DIR=str(node.data_dir))
    assert code == 0
    assert "\x1b[" in shown
    assert "━" in shown
    assert "396 rows" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def test_a_wrong_token_is_a_plain_error(local: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETHUB_TOKEN", "mh_1_wrong")
    outcome = local("klines", "series")
    assert (outcome.code, outcome.out) == (1, "")
    assert "token" in outcome.err
