"""``token`` on the control database of a running hub."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Node
from tests.cli.invocation import Run


def test_a_token_works_until_it_is_revoked(local: Run, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    made = local("token", "create", "--name", "quant desk", "--scope", "read:data", "--expires-in", "30d")
    assert made.code == 0
    assert made.out.count("\n") == 1
    token = made.out.strip()
    assert token.startswith("mh_")
    assert token not in made.err
    token_id = made.err.split()[1]
    listed = {row[0]: row for row in local("token", "list").table()}
    assert listed[token_id][1:4] == ["quant desk", "active", "read:data"]
    assert token.split("_")[2] not in local("token", "list", "--json").out

    monkeypatch.setenv("MARKETHUB_TOKEN", token)
    assert local("klines", "series").code == 0
    refused = local("logs")
    assert refused.code == 1
    assert "read:logs" in refused.err

    assert local("token", "revoke", token_id).out == f"token {token_id} is revoked\n"
    assert local("klines", "series").code == 1
    states = {row["id"]: row["state"] for row in json.loads(local("token", "list", "--json").out)["data"]}
    assert states[token_id] == "revoked"


def test_a_token_may_have_its_own_number_of_requests(local: Run) -> None:
    made = local("token", "create", "--name", "slow", "--scope", "read:logs", "--requests-per-minute", "120")
    rows = json.loads(local("token", "list", "--json").out)["data"]
    assert [row["requests_per_minute"] for row in rows if row["id"] == made.err.split()[1]] == [120]
    assert {row["requests_per_minute"] for row in rows if row["name"] == "first admin"} == {None}


def test_the_first_token_may_come_before_the_first_start(cli: Run, tmp_path: Path) -> None:
    made = cli("token", "create", "--data-dir", "new", "--name", "ops", "--scope", "admin")
    assert made.code == 0
    assert "new control database" in made.err
    listed = cli("token", "list", "--data-dir", "new").table()
    assert [row[1:3] for row in listed] == [["ops", "active"]]
    assert made.out.strip().startswith("mh_1_")


@pytest.mark.parametrize("command", [["list"], ["revoke", "1"]])
def test_looking_for_tokens_makes_no_folder(cli: Run, tmp_path: Path, command: list[str]) -> None:
    outcome = cli("token", *command, "--data-dir", "mistyped")
    assert outcome.code == 1
    assert "no control database" in outcome.err
    assert not (tmp_path / "mistyped").exists()


def test_a_token_that_expires_says_when(local: Run) -> None:
    made = local(
        "token",
        "create",
        "--name",
        "brief",
        "--scope",
        "read:logs",
        "--scope",
        "read:jobs",
        "--expires-in",
        "1h",
    )
    row = next(
        row
        for row in json.loads(local("token", "list", "--json").out)["data"]
        if row["id"] == made.err.split()[1]
    )
    assert (row["state"], row["scopes"]) == ("active", ["read:logs", "read:jobs"])
    assert row["expires"] in made.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create", "--name", "x", "--scope", "read:everything"], "read:everything"),
        (["create", "--name", "", "--scope", "read:data"], "name"),
        (["create", "--name", "first admin", "--scope", "admin"], "first start"),
        (["revoke", "987654"], "987654"),
        (["revoke", "nonsense"], "nonsense"),
    ],
)
def test_what_cannot_be_is_a_plain_error(local: Run, arguments: list[str], told: str) -> None:
    outcome = local("token", *arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert told in outcome.err
