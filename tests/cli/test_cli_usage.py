"""Help, usage faults, exit codes."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from markethub.cli.main import build_app
from tests.cli.invocation import Run

_HEAVY = {
    "pyarrow",
    "polars",
    "duckdb",
    "sqlalchemy",
    "fastapi",
    "httpx2",
    "aiohttp",
    "rich",
    "numpy",
}


def _commands(
    command: Any,  # noqa: ANN401  (typer has no public type for it)
    path: tuple[str, ...] = (),
) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*path, name))


_ALL = dict(_commands(get_command(build_app())))


def test_there_is_a_command_for_everything() -> None:
    assert {" ".join(path) for path in _ALL} == {
        "",
        "serve",
        "sandbox",
        "demo",
        "doctor",
        "nodes",
        "promote",
        "verify",
        "read",
        "sync",
        "sync status",
        "sync history",
        "sync trigger",
        "sync request",
        "tasks",
        "tasks list",
        "tasks status",
        "tasks trigger",
        "tasks history",
        "logs",
        "backfill",
        "backfill klines",
        "backfill symbols",
        "backfill ticker",
        "backfill orderbook",
        "backfill balances",
        "backfill orders",
        "backfill fills",
        "backfill transfers",
        "accounts",
        "records",
        "limits",
        "klines",
        "klines read",
        "klines holes",
        "klines series",
        "jobs",
        "jobs list",
        "jobs show",
        "jobs history",
        "jobs run",
        "jobs pause",
        "jobs resume",
        "reload",
        "subscriptions",
        "subscriptions list",
        "subscriptions show",
        "subscriptions set",
        "subscriptions rule",
        "audit",
        "audit list",
        "mcp",
        "executions",
        "executions list",
        "executions show",
        "executions cancel",
        "executions retry",
        "executions watch",
        "executions export",
        "token",
        "token create",
        "token list",
        "token revoke",
    }


@pytest.mark.parametrize("path", _ALL, ids=" ".join)
def test_help_names_and_explains_every_option(cli: Run, path: tuple[str, ...]) -> None:
    shown = cli(*path, "--help")
    assert shown.code == 0
    for parameter in _ALL[path].params:
        if parameter.param_type_name == "option":
            assert all(name in shown.out for name in parameter.opts), parameter.opts
            assert parameter.help, parameter.opts
        else:
            assert (parameter.metavar or parameter.name.upper()).strip("[]") in shown.out
    for name in getattr(_ALL[path], "commands", {}):
        assert name in shown.out


@pytest.mark.parametrize("path", _ALL, ids=" ".join)
def test_every_command_has_help_of_its_own(path: tuple[str, ...]) -> None:
    assert _ALL[path].help


def test_help_does_not_wait_for_heavy_imports() -> None:
    code = (
        "import sys; from typer.main import get_command; from markethub.cli.main import build_app; "
        "command = get_command(build_app()); command.make_context('markethub', ['serve']).get_help(); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert _HEAVY.isdisjoint(loaded.stdout.split())


def test_version(cli: Run) -> None:
    shown = cli("--version")
    assert (shown.code, shown.out.split()[0]) == (0, "markethub")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "nonsense"),
        (["backfill", "klines", "--symbol", "BTC_USDT.BNC", "--interval", "1h"], "--start"),
        (["backfill", "klines", "--start", "2020-01-01", "--interval", "1h"], "--symbol"),
        (
            ["backfill", "klines", "--symbol", "BTC_USDT.BNC", "--interval", "2h", "--start", "2020-01-01"],
            "2h",
        ),
        (
            ["backfill", "klines", "--symbol", "BTC_USDT.BNC", "--interval", "1h", "--start", "yesterday"],
            "yesterday",
        ),
        (["backfill", "klines", "--symbol", "btc", "--interval", "1h", "--start", "2020-01-01"], "btc"),
        (["klines", "read", "BTC_USDT.BNC", "3m"], "3m"),
        (["klines", "read", "BTC", "1h"], "BTC"),
        (["klines", "read", "BTC_USDT.BNC", "1h", "--limit", "0"], "--limit"),
        (["klines", "read", "BTC_USDT.BNC", "1h", "--format", "xml"], "xml"),
        (["klines", "read", "BTC_USDT.BNC", "1h", "--output", "bars.xml"], "bars.xml"),
        (["klines", "read", "BTC_USDT.BNC", "1h", "--output", "bars.csv", "--format", "table"], "table"),
        (["klines", "read", "BTC_USDT.BNC", "1h", "--local", "--url", "http://127.0.0.1:1"], "--local"),
        (["token", "create", "--name", "x", "--scope", "read:data", "--expires-in", "soon"], "soon"),
        (["serve", "--port", "70000"], "--port"),
        (["serve", "--role", "king"], "king"),
        (["read"], "SYMBOL"),
        (["read", "BTC"], "BTC"),
        (["sync", "request", "--start", "yesterday"], "yesterday"),
        (["tasks", "trigger"], "name one task"),
        (["tasks", "history", "--type", "odd"], "odd"),
        (["verify", "--timeout", "0"], "--timeout"),
        (["serve", "--log-format", "xml"], "xml"),
        (["sandbox", "--weight-limit", "0"], "--weight-limit"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(cli: Run, arguments: list[str], told: str) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert told in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["klines", "series"], "no MarketHub server found"),
        (["klines", "series", "--url", "http://127.0.0.1:1"], "http://127.0.0.1:1"),
        (["klines", "series", "--url", "ftp://127.0.0.1"], "ftp://127.0.0.1"),
        (["klines", "series", "--config", "missing.toml"], "missing.toml"),
        (["klines", "read", "BTC_USDT.BNC", "1h", "--local"], "no store"),
        (["token", "list"], "markethub serve"),
        (["jobs", "pause", "x"], "markethub serve"),
        (["reload"], "no hub runs on"),
        (["serve", "--config", "missing.toml"], "missing.toml"),
        (["doctor", "--config", "missing.toml"], "missing.toml"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_an_expected_error_is_one_plain_line_and_exit_code_1(
    cli: Run, arguments: list[str], told: str
) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
