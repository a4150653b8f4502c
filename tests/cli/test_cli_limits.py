"""``markethub limits`` against a running hub."""

import json

from tests.cli.invocation import Run


def test_the_table_names_every_exchange(local: Run) -> None:
    outcome = local("limits")
    assert outcome.code == 0
    header, *rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert header[:2] == ["exchange", "budget"]
    budgets = {(row[0], row[1]): dict(zip(header, row, strict=True)) for row in rows}
    assert {"BNC", "GIO", "OKX"} <= {exchange for exchange, _ in budgets}
    weight = budgets["BNC", "request weight"]
    assert (weight["seconds"], weight["waiting"], weight["state"]) == ("60", "0", "open")


def test_json_is_what_the_hub_answers(local: Run) -> None:
    outcome = local("limits", "--json")
    assert outcome.code == 0
    limits = {(row["exchange"], row["budget"]): row for row in json.loads(outcome.out)["data"]}
    assert limits["OKX", "market/candles"]["limit"] == 40
    assert limits["BNC", "archive"]["limit"] is None
    assert not any(row["banned"] for row in limits.values())
