"""``audit`` against a running hub."""

import json

from markethub.domain.times import parse_time
from tests.cli.conftest import Node
from tests.cli.invocation import Run


def test_it_lists_who_did_what(local: Run, node: Node) -> None:
    rows = local("audit", "list", "--action", "backfill").table()
    assert [row[1:] for row in rows if row[-1] == node.trace_id] == [
        ["first admin", "127.0.0.1", "backfill.queue", node.trace_id]
    ]


def test_the_command_line_itself_is_told_by_its_user(local: Run) -> None:
    made = local("token", "create", "--name", "told", "--scope", "read:logs")
    token_id = made.err.split()[1]
    listed = local("audit", "list", "--action", "token.create", "--json")
    row = next(row for row in json.loads(listed.out)["data"] if row["target"] == token_id)
    assert row["token_name"].startswith("local:")
    assert (row["token_id"], row["address"], row["details"]["name"]) == (None, "local", "told")
    assert made.out.strip().split("_")[2] not in listed.out


def test_it_is_filtered_and_cut(local: Run) -> None:
    for number in range(2):
        local("token", "create", "--name", f"cut {number}", "--scope", "read:logs")
    cut = local("audit", "list", "--limit", "1", "--action", "token.create")
    assert len(cut.table()) == 1
    assert "1 of" in cut.err
    whole = local("audit", "list", "--limit", "1000")
    assert whole.err == ""
    times = [parse_time(row[0]) for row in whole.table()]
    assert times == sorted(times, reverse=True)
    assert local("audit", "list", "--after", "2999-01-01").table() == []
    assert local("audit", "list", "--before", "1999-01-01").table() == []
    assert {row[1] for row in local("audit", "list", "--token", "first admin").table()} == {"first admin"}


def test_what_cannot_be_is_a_plain_error(local: Run) -> None:
    assert local("audit", "list", "--after", "yesterday").code == 2
    assert local("audit", "list", "--limit", "0").code == 2
