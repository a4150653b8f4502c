"""``jobs`` against a running hub."""

import json

import pytest

from markethub.app import JOBS
from tests.cli.conftest import Node
from tests.cli.invocation import Run


def test_the_list_has_one_line_a_job(local: Run, node: Node) -> None:
    listed = local("jobs", "list", "--search", "backfill")
    assert listed.out.splitlines()[0].split("\t") == [
        "name", "category", "type", "schedule", "enabled", "last_run", "next_run",
    ]  # fmt: skip
    rows = listed.table()
    assert [row[0] for row in rows] == sorted(spec.name for spec in JOBS)
    klines = next(row for row in rows if row[0] == "backfill_kline")
    assert klines[1:5] == ["backfill", "kline", "on request", "yes"]
    assert klines[5].endswith("Z")
    assert local("jobs", "list", "--limit", "2", "--offset", "1", "--search", "backfill").table() == rows[1:3]
    page = json.loads(local("jobs", "list", "--json", "--limit", "1").out)
    assert (len(page["data"]), page["pagination"]["page_size"]) == (1, 1)


def test_show_by_name_or_number(local: Run, node: Node) -> None:
    number = json.loads(local("executions", "show", node.trace_id, "--json").out)["job_id"]
    shown = local("jobs", "show", "backfill_kline")
    fields = {row[0]: row[1] for row in shown.table()}
    assert (fields["name"], fields["type"], fields["max_instances"]) == ("backfill_kline", "kline", "100")
    assert local("jobs", "show", number).out == shown.out
    found = json.loads(local("jobs", "show", number, "--json").out)
    did = found["statistics"]
    assert (found["id"], did["job_id"]) == ("backfill_kline", "backfill_kline")
    assert int(fields["runs"]) == did["total_runs"] > 0
    assert f"{did['success_count']} success" in fields["results"]
    assert did["processed"] >= 1382


def test_history_is_the_jobs_own(local: Run, node: Node) -> None:
    rows = local("jobs", "history", "backfill_kline", "--limit", "1000").table()
    assert node.trace_id in [row[1] for row in rows]
    assert {row[2] for row in rows} == {"backfill_kline"}
    succeeded = local("jobs", "history", "backfill_kline", "--search", "completed", "--limit", "1000")
    assert {row[3] for row in succeeded.table()} == {"SUCCESS"}
    assert local("jobs", "history", "backfill_kline", "--before", "2020-01-01").table() == []
    newest = json.loads(local("jobs", "history", "backfill_kline", "--json", "--limit", "1").out)
    assert newest["data"][0]["job_name"] == "backfill_kline"


@pytest.mark.parametrize("verb", ["show", "history"])
def test_an_unknown_job_is_a_plain_error(local: Run, verb: str) -> None:
    outcome = local("jobs", verb, "no_such_job")
    assert (outcome.code, outcome.out, outcome.err) == (1, "", "error: Job not found: no_such_job\n")
