"""``executions`` and ``logs``."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from markethub.domain.times import format_time, parse_time
from markethub.ports.clock import system_clock
from tests.cli.conftest import Node
from tests.cli.invocation import Run, run_on_terminal, run_process


def test_the_list_has_one_line_an_execution(local: Run, node: Node) -> None:
    listed = local("executions", "list", "--limit", "1000")
    row = next(row for row in listed.table() if row[1] == node.trace_id)
    assert row[2:4] == ["backfill_kline", "SUCCESS"]
    assert row[6:] == ["1382", ""]
    page = json.loads(local("executions", "list", "--json", "--limit", "1").out)
    assert (len(page["data"]), page["pagination"]["page_size"]) == (1, 1)
    assert local("executions", "list", "--search", "nothing_like_it").table() == []
    assert local("executions", "list", "--before", "2020-01-01").table() == []


def test_show_tells_parameters_and_counts(local: Run, node: Node) -> None:
    shown = local("executions", "show", node.trace_id)
    fields = {row[0]: row[1] for row in shown.table()}
    assert fields["status"] == "SUCCESS"
    assert fields["counter inserted"] == "1382"
    assert fields["parameter symbols"] == "BTC_USDT.BNC"
    assert fields["parameter start_time"] == "2018-01-01T00:00:00Z"
    assert fields["chunks"] == "1 done, 0 failed, 0 running, 0 pending, 1 in all"
    by_id = json.loads(local("executions", "show", fields["id"], "--json").out)
    assert by_id["trace_id"] == node.trace_id


def test_chunks_tell_what_became_of_them(local: Run, node: Node) -> None:
    chunks = local("executions", "show", node.trace_id, "--chunks")
    assert chunks.out.splitlines() == ["key\tstatus\tattempts\terror", "BTC_USDT.BNC 1h 2018\tDONE\t1\t"]
    assert local("executions", "show", node.trace_id, "--status", "failed").table() == []
    assert local("executions", "show", node.trace_id, "--status", "done").out == chunks.out


def test_what_failed_is_run_again(local: Run, node: Node) -> None:
    node.plan_faults(
        {"path": "/api/v3/klines", "kind": "status", "status": 400, "times": 1000, "query": "LTCUSDT"}
    )
    # The last whole hour: no archive has it yet, and one bar is one chunk even at the turn of a year.
    end_ms = system_clock() // 3_600_000 * 3_600_000
    span = ("--start", format_time(end_ms - 3_600_000), "--end", format_time(end_ms))
    try:
        failed = local("backfill", "klines", "--symbol", "LTC_USDT.BNC", "--interval", "1h", *span, "--json")
    finally:
        node.reset_sandbox()
    first = json.loads(failed.out)
    assert (failed.code, first["status"]) == (1, "FAILURE")
    [row] = local("executions", "show", first["id"], "--status", "failed").table()
    assert (row[0][:15], row[1]) == ("LTC_USDT.BNC 1h", "FAILED")
    assert row[3] in failed.err
    retried = local("executions", "retry", first["id"], "--json")
    again = json.loads(retried.out)
    assert (retried.code, again["status"], again["retry_of"]) == (0, "SUCCESS", first["id"])
    assert again["parameters_snapshot"] == first["parameters_snapshot"]
    assert f"Retry of {first['trace_id']} queued" in retried.err
    refused = local("executions", "retry", again["id"])
    assert (refused.code, refused.out) == (1, "")
    assert "nothing of it failed" in refused.err


@pytest.mark.parametrize("verb", ["show", "cancel", "retry"])
def test_an_unknown_execution_is_a_plain_error(local: Run, verb: str) -> None:
    outcome = local("executions", verb, "backfill_kline_00000000")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "error: Execution not found: backfill_kline_00000000\n"


def test_logs_of_one_execution_oldest_first(local: Run, node: Node) -> None:
    lines = local("logs", node.trace_id).out.splitlines()
    assert "Kline backfill queued | exchanges=1 | symbols=1" in lines[0]
    assert "Ended as SUCCESS" in lines[-1]
    assert all(line.split()[0].endswith("Z") for line in lines)
    # as times: text puts a full second, which has no fraction, after the rest of it
    assert lines == sorted(lines, key=lambda line: parse_time(line.split()[0]))


def test_the_newest_lines_are_shown_and_the_rest_is_counted(local: Run, node: Node) -> None:
    everything = local("logs", node.trace_id).out.splitlines()
    newest = local("logs", node.trace_id, "--limit", "1")
    assert newest.out.splitlines() == everything[-1:]
    assert newest.err.startswith(f"{len(everything) - 1} earlier lines")


def test_lines_of_several_executions_carry_their_trace_id(local: Run, node: Node) -> None:
    found = local("logs", "--search", "queued", "--limit", "1000").out.splitlines()
    assert any(node.trace_id in line for line in found)
    rows = [
        json.loads(line)
        for line in local("logs", "--json", "--level", "info", "--limit", "5").out.splitlines()
    ]
    assert {row["level"] for row in rows} == {"INFO"}


def test_following_an_ended_execution_ends_and_repeats_nothing(local: Run, node: Node) -> None:
    everything = local("logs", node.trace_id).out
    assert local("logs", node.trace_id, "--follow").out == everything
    assert (
        local("logs", node.trace_id, "--follow", "--limit", "1").out.splitlines()
        == everything.splitlines()[-1:]
    )


def test_no_lines_are_said_to_be_none(local: Run) -> None:
    outcome = local("logs", "backfill_kline_00000000")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "no such log lines\n")


def test_a_wrong_level_is_a_plain_error(local: Run) -> None:
    outcome = local("logs", "--level", "loud")
    assert outcome.code == 1
    assert "DEBUG, INFO, WARNING, ERROR" in outcome.err


def test_the_history_is_written_to_a_file(local: Run, node: Node, tmp_path: Path) -> None:
    lines = tmp_path / "history.jsonl"
    written = local("executions", "export", "--output", str(lines), "--job", "backfill_kline")
    assert (written.code, written.out) == (0, "")
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert f"{len(rows)} executions, {lines.stat().st_size} bytes" in written.err
    assert node.trace_id in {row["trace_id"] for row in rows}
    parquet = tmp_path / "history.parquet"
    local("executions", "export", "--output", str(parquet), "--job", "backfill_kline")
    assert {row["trace_id"] for row in pq.read_table(parquet).to_pylist()} >= {
        row["trace_id"] for row in rows
    }
    none = tmp_path / "none.jsonl"
    assert local("executions", "export", "--output", str(none), "--before", "2020-01-01").code == 0
    assert none.read_bytes() == b""


def test_without_a_file_the_lines_go_to_stdout(node: Node, tmp_path: Path) -> None:
    arguments = ("executions", "export", "--data-dir", str(node.data_dir), "--search", "success")
    ran = run_process(*arguments, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {row["status"] for row in rows} == {"SUCCESS"}
    assert node.trace_id in {row["trace_id"] for row in rows}


def test_an_export_that_cannot_be_says_why(local: Run, tmp_path: Path) -> None:
    refused = local("executions", "export", "--format", "parquet")
    assert (refused.code, "give --output FILE" in refused.err) == (2, True)
    missing = tmp_path / "no" / "folder.jsonl"
    failed = local("executions", "export", "--output", str(missing))
    assert (failed.code, failed.err) == (1, f"error: cannot write {missing}: No such file or directory\n")
    unknown = local("executions", "export", "--job", "no_such_job", "--output", str(tmp_path / "x.jsonl"))
    assert (unknown.code, unknown.err) == (1, "error: Job not found: no_such_job\n")
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_sees_a_bar(node: Node, tmp_path: Path) -> None:
    output = tmp_path / "history.jsonl"
    code, shown = run_on_terminal(
        ["executions", "export", "--data-dir", str(node.data_dir), "--output", str(output)], tmp_path
    )
    assert code == 0, shown
    count = len(output.read_text().splitlines())
    assert f"{count:,}/{count:,} rows" in shown
