"""``subscriptions`` against a running hub."""

import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Node
from tests.cli.invocation import Run


@pytest.fixture
def nothing_subscribed(local: Run, node: Node) -> Iterator[None]:
    yield
    node.reset_sandbox()
    for exchange in ("BNC", "OKX", "GIO"):
        assert local("subscriptions", "set", exchange, "--none").code == 0


@pytest.mark.usefixtures("nothing_subscribed")
def test_symbols_by_name(local: Run) -> None:
    done = local("subscriptions", "set", "OKX", "ETH_USDT", "BTC_USDT.OKX")
    assert (done.code, done.out.splitlines()) == (
        0,
        ["OKX: 2 symbols, 2 new, 0 gone", "new: BTC_USDT.OKX, ETH_USDT.OKX"],
    )
    done = local("subscriptions", "set", "OKX", "BTC_USDT")
    assert done.out.splitlines() == ["OKX: 1 symbols, 0 new, 1 gone", "gone: ETH_USDT.OKX"]
    listed = local("subscriptions", "list")
    assert listed.out.splitlines()[0] == "exchange\tsymbol\tsince"
    assert [row[:2] for row in listed.table()] == [["OKX", "BTC_USDT.OKX"]]
    assert local("subscriptions", "list", "--exchange", "GIO").table() == []
    none = local("subscriptions", "set", "OKX", "--none", "--json")
    assert json.loads(none.out)["removed"] == ["BTC_USDT.OKX"]


@pytest.mark.usefixtures("nothing_subscribed")
def test_a_rule_asks_the_exchange(local: Run) -> None:
    named = ("--exclude", "BTC_USDT", "--include", "ADA_USDT")
    done = local("subscriptions", "rule", "GIO", "--quote", "USDT", "--top", "2", *named)
    assert done.out.splitlines()[0] == "GIO: 3 symbols, 3 new, 0 gone"
    assert done.out.splitlines()[1] == "new: ADA_USDT.GIO, ETH_USDT.GIO, SOL_USDT.GIO"
    [row] = [row for row in local("subscriptions", "show").table() if row[0] == "GIO"]
    assert row[1:4] == [
        "3",
        "USDT, top 2 by volume, kept to rank 4, with ADA_USDT, without BTC_USDT",
        "api",
    ]
    [choice] = [one for one in json.loads(local("subscriptions", "show", "--json").out) if one["count"]]
    assert choice["rule"]["keep"] == 4
    window = local("subscriptions", "list", "--limit", "1", "--offset", "1")
    assert [row[1] for row in window.table()] == ["ETH_USDT.GIO"]
    assert window.err == "1 of 3 symbols; --limit and --offset show others\n"
    page = json.loads(local("subscriptions", "list", "--search", "SOL", "--json").out)
    assert [row["symbol"] for row in page["data"]] == ["SOL_USDT.GIO"]


@pytest.mark.usefixtures("nothing_subscribed")
def test_an_exchange_that_is_away_is_a_plain_error(local: Run, node: Node) -> None:
    node.plan_faults({"path": "/api/v4", "kind": "status", "status": 503, "times": 0})
    outcome = local("subscriptions", "rule", "GIO", "--quote", "USDT", "--top", "2")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: the rule cannot be resolved now, and nothing was changed: GIO")
    assert local("subscriptions", "list").table() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "OKX"], "name symbols, or say --none"),
        (["set", "OKX", "BTC_USDT", "--none"], "name symbols, or say --none"),
        (["set", "OKX", "BTC"], "symbol 'BTC' is not BASE_QUOTE"),
        (["rule", "OKX", "--quote", "USDT"], "--top"),
        (["rule", "OKX", "--quote", "USDT", "--top", "0"], "--top"),
        (["rule", "OKX", "--quote", "USDT", "--top", "2", "--include", "BTC_USDT.OKX"], "is not BASE_QUOTE"),
    ],
)
def test_wrong_usage_never_reaches_a_hub(cli: Run, arguments: list[str], words: str) -> None:
    outcome = cli("subscriptions", *arguments)
    assert outcome.code == 2
    assert words in " ".join(outcome.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "XYZ", "--none"], "exchange 'XYZ' is unknown; known are BNC, OKX, GIO"),
        (["set", "OKX", "BTC_USDT.BNC"], "symbol BTC_USDT.BNC is not of exchange OKX"),
        (["rule", "OKX", "--quote", "usdt", "--top", "2"], "quote 'usdt' is not a currency such as USDT"),
        (["rule", "OKX", "--quote", "USDT", "--top", "5", "--keep", "2"], "keep 2 is not between top (5)"),
    ],
)
def test_what_is_refused_is_a_plain_error(local: Run, arguments: list[str], words: str) -> None:
    outcome = local("subscriptions", *arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")
    assert words in outcome.err
