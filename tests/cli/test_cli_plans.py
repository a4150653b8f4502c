"""``--dry-run``, ``--mode``, ``--priority``, and ``executions watch``."""

import json

import pytest

from markethub.domain.times import format_time
from markethub.ports.clock import system_clock
from tests.cli.conftest import Node
from tests.cli.invocation import Run

OCTOBER = ("--symbol", "BTC_USDT.BNC", "--interval", "1h", "--start", "2018-10-01", "--end", "2018-11-10")


def test_a_dry_run_tells_chunks_and_totals_and_queues_nothing(local: Run, node: Node) -> None:
    before = json.loads(local("executions", "list", "--json").out)["pagination"]["total"]
    planned = local("backfill", "klines", *OCTOBER, "--dry-run")
    assert planned.code == 0
    assert planned.out.splitlines() == [
        "chunk\tstart\tend\trows\tfiles\trequests\tweight",
        "BTC_USDT.BNC 1h 2018\t2018-10-01T00:00:00Z\t2018-11-10T00:00:00Z\t960\t1\t1\t2",
    ]
    assert planned.err.splitlines() == [
        "Kline backfill planned | exchanges=1 | symbols=1",
        "BNC: 1 chunks, 960 rows, 1 archive files, at least 1 requests of weight 2",
    ]
    told = json.loads(local("backfill", "klines", *OCTOBER, "--dry-run", "--json").out)
    assert told["plan"]["totals"]["rows"] == 960
    assert json.loads(local("executions", "list", "--json").out)["pagination"]["total"] == before


def test_what_cannot_be_had_is_told(local: Run, node: Node) -> None:
    planned = local("backfill", "ticker", "--symbol", "NOSUCH_USDT.BNC", "--dry-run")
    assert (planned.code, planned.table()) == (0, [])
    assert "cannot be had: NOSUCH_USDT.BNC: BNC does not list NOSUCH_USDT.BNC" in planned.err


def test_mode_and_priority_are_passed_on(local: Run, node: Node) -> None:
    start = format_time(system_clock() - 3 * 3_600_000)
    arguments = ("--symbol", "ETC_USDT.BNC", "--interval", "1h", "--start", start)
    ended = local("backfill", "klines", *arguments, "--mode", "all", "--priority", "7", "--json")
    assert ended.code == 0
    assert "| mode=all" in ended.err
    assert json.loads(ended.out)["parameters_snapshot"]["mode"] == "all"
    none = local("backfill", "orderbook", "--symbol", "ETC_USDT.BNC", "--mode", "failed")
    assert (none.code, none.out.split(":")[0]) == (0, "SUCCESS")
    assert "mode=failed | failed=0" in none.err
    for wrong in (("--mode", "some"), ("--priority", "101")):
        assert local("backfill", "klines", *arguments, *wrong).code == 2


def test_watching_prints_the_log_and_ends_with_the_execution(local: Run, node: Node) -> None:
    watched = local("executions", "watch", node.trace_id)
    assert watched.code == 0
    assert watched.out == local("logs", node.trace_id).out
    assert f"{node.trace_id}: SUCCESS, 1/1 chunks, 1,382 rows" in watched.err
    events = [
        json.loads(line) for line in local("executions", "watch", node.trace_id, "--json").out.splitlines()
    ]
    assert (events[0]["event"], events[-1]["event"]) == ("progress", "end")
    assert events[-1]["data"]["trace_id"] == node.trace_id


def test_watching_what_failed_ends_with_one(local: Run, node: Node) -> None:
    failed = local("backfill", "ticker", "--symbol", "NOSUCH_USDT.BNC", "--json")
    watched = local("executions", "watch", json.loads(failed.out)["trace_id"])
    assert watched.code == 1
    assert "Ended as FAILURE" in watched.out


@pytest.mark.parametrize("as_json", [True, False])
def test_an_unknown_execution_cannot_be_watched(local: Run, as_json: bool) -> None:
    outcome = local("executions", "watch", "backfill_kline_00000000", *(["--json"] if as_json else []))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "error: Execution not found: backfill_kline_00000000\n"
