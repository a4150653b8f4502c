"""Backfills of every kind, and the accounts, against a running hub."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from markethub.sandbox.accounts import ACCOUNTS
from tests.cli.conftest import Node
from tests.cli.invocation import Run
from tests.sandbox_keys import key_variables

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["symbols", "--exchange", "BNC", "--exchange", "GIO"], "Symbol backfill queued | exchanges=2"),
        (["ticker", "--symbol", "BTC_USDT.BNC"], "Ticker backfill queued | exchanges=1 | symbols=1"),
        (
            ["orderbook", "--symbol", "BTC_USDT.OKX", "--limit", "5"],
            "Orderbook backfill queued | exchanges=1 | symbols=1 | limit=5",
        ),
        (
            ["balances", "--account", "OKX_MM01", "--account", "BNC_MM01"],
            "Balance backfill queued | exchanges=2 | accounts=2",
        ),
        (
            ["orders", "--account", "OKX_MM01", "--start", YESTERDAY],
            "Order backfill queued | exchanges=1 | accounts=1 | symbols=all",
        ),
        (
            ["fills", "--account", "OKX_MM01", "--symbol", "BTC_USDT", "--start", YESTERDAY],
            "Fill backfill queued | exchanges=1 | accounts=1 | symbols=1",
        ),
        (
            ["transfers", "--account", "OKX_MM01", "--start", YESTERDAY],
            "Transfer backfill queued | exchanges=1 | accounts=1",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_backfill_waits_and_tells_what_it_did(local: Run, arguments: list[str], message: str) -> None:
    outcome = local("backfill", *arguments)
    assert outcome.code == 0, outcome.err
    assert re.fullmatch(
        r"SUCCESS: [1-9]\d* rows in .*: \d+ inserted, \d+ updated, \d+ unchanged\n", outcome.out
    )
    assert f"{message} | trace_id=backfill_" in outcome.err


def test_a_key_that_is_refused_fails_in_its_own_words(local: Run) -> None:
    outcome = local("backfill", "balances", "--account", "OKX_BLIND")
    assert outcome.code == 1
    assert "permission" in outcome.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["symbols"], "--exchange"),
        (["ticker"], "--symbol"),
        (["orderbook", "--symbol", "BTC_USDT.BNC", "--limit", "0"], "--limit"),
        (["balances"], "--account"),
        (["balances", "--account", "MM01"], "MM01"),
        (["orders"], "--account"),
        (["fills", "--account", "OKX_MM01", "--symbol", "BTC_USDT.OKX"], "BTC_USDT.OKX"),
        (["transfers"], "--account"),
        (["transfers", "--account", "OKX_MM01", "--start", "yesterday"], "yesterday"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_wrong_usage_exits_with_2(cli: Run, arguments: list[str], told: str) -> None:
    outcome = cli("backfill", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err


def test_an_account_that_is_not_configured_is_a_plain_error(local: Run) -> None:
    outcome = local("backfill", "orders", "--account", "OKX_NOBODY")
    assert (outcome.code, outcome.out) == (1, "")
    assert "OKX_NOBODY is not configured; configured are BNC_BLIND" in outcome.err


def test_accounts_are_listed_with_what_their_keys_may_do(local: Run) -> None:
    rows = {row[0]: row[1:] for row in local("accounts").table()}
    assert sorted(rows) == sorted(f"{one.venue}_{one.name}" for one in ACCOUNTS)
    assert rows["OKX_MM01"][:5] == ["ok", "yes", "yes", "no", "no"]
    assert rows["BNC_RICH"][0] == "risky"
    assert "can withdraw" in rows["BNC_RICH"][-1]
    assert rows["OKX_BLIND"][0] == "refused"
    listed = json.loads(local("accounts", "--json").out)["data"]
    assert {one["account"] for one in listed} == set(rows)
    assert listed[0]["checked_at"].endswith("Z")


def test_no_key_is_in_what_the_hub_writes(node: Node) -> None:
    log = node.data_dir.with_suffix(".log").read_text()
    assert "account key is risky" in log
    for account in ACCOUNTS:
        for part in (account.key, account.secret, account.passphrase):
            assert not part or part not in log


def test_doctor_tells_what_is_wrong_with_accounts(
    cli: Run, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in key_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OKX_EMPTY_SECRET")
    for name, value in (("BNC", node.sandbox_url), ("OKX", node.sandbox_url)):
        monkeypatch.setenv(f"MARKETHUB_VENUES__{name}__BASE_URL", value)
    monkeypatch.setenv("MARKETHUB_VENUES__GIO__BASE_URL", f"{node.sandbox_url}/api/v4")
    outcome = cli("doctor", "--data-dir", str(tmp_path), "--json")
    found = {check["check"]: check for check in json.loads(outcome.out)["checks"]}
    assert found["account OKX_MM01"]["level"] == "ok"
    assert found["account OKX_RICH"]["level"] == "warn"
    assert "can only read" in found["account OKX_RICH"]["detail"]
    assert found["account BNC_BLIND"]["level"] == "fail"
    assert "OKX_EMPTY_SECRET is not set" in found["account OKX_EMPTY"]["detail"]
    monkeypatch.setenv("MARKETHUB_ACCOUNTS__GIO_MM01__KEY_ENV", "X")
    outcome = cli("doctor", "--data-dir", str(tmp_path), "--json")
    [accounts] = [check for check in json.loads(outcome.out)["checks"] if check["check"] == "accounts"]
    assert (accounts["level"], "GIO has no account data" in accounts["detail"]) == ("fail", True)


def test_stored_records_are_printed_newest_first(local: Run) -> None:
    assert local("backfill", "symbols", "--exchange", "BNC").code == 0
    shown = local("records", "symbols", "--exchange", "BNC", "--limit", "2")
    assert shown.code == 0
    assert [len(row) for row in shown.table()] == [14, 14]
    assert shown.out.startswith("symbol\tseen_from\tseen_until\tvenue_name\t")
    assert "more rows are not shown" in shown.err
    page = json.loads(local("records", "symbols", "--symbol", "BTC_USDT.BNC", "--json").out)
    assert [row["symbol"] for row in page["data"]] == ["BTC_USDT.BNC"]
    assert local("backfill", "orderbook", "--symbol", "ETH_USDT.BNC", "--limit", "2").code == 0
    [book] = local("records", "orderbooks", "--symbol", "ETH_USDT.BNC").table()
    assert len(json.loads(book[4])) == 2


def test_where_nothing_is_stored_it_says_so(local: Run) -> None:
    for arguments in (["rejects"], ["symbols", "--symbol", "NO_SUCH.BNC", "--history"]):
        nothing = local("records", *arguments)
        assert (nothing.code, nothing.out) == (0, "")
        assert "no such rows" in nothing.err


def test_a_filter_that_the_table_does_not_have_is_a_plain_error(local: Run) -> None:
    refused = local("records", "tickers", "--account", "OKX_MM01")
    assert (refused.code, refused.out) == (1, "")
    assert "'account' is unknown" in refused.err
