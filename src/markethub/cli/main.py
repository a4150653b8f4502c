"""The entry point ``markethub``."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import sys
from typing import Annotated

import typer

from markethub.cli.commands import (
    accounts,
    audit,
    backfill,
    demo,
    doctor,
    executions,
    jobs,
    klines,
    limits,
    logs,
    mcp,
    nodes,
    promote,
    read,
    records,
    reload,
    sandbox,
    serve,
    subscriptions,
    sync,
    tasks,
    token,
)
from markethub.cli.output import safe_text
from markethub.domain.errors import MarketHubError


def run() -> None:
    """Run the command of ``sys.argv`` and exit.

    0: done. 1: it failed, with one line ``error: ...`` on stderr. 2: wrong usage. 130: interrupted.
    """
    try:
        build_app()(prog_name="markethub")
    except MarketHubError as error:
        typer.echo(f"error: {safe_text(str(error))}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def build_app() -> typer.Typer:
    """All commands as one Typer application."""
    app = typer.Typer(
        name="markethub",
        help="A trading team's market data: complete, correct and fast to read.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # Plain help is the same in a terminal, a pipe and a pager, and does not wait for rich.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_show_version)
    app.command("serve")(serve.serve)
    app.command("reload")(reload.reload)
    app.command("nodes")(nodes.nodes)
    app.add_typer(sync.app, name="sync")
    app.command("verify")(nodes.verify)
    app.command("promote")(promote.promote)
    app.command("sandbox")(sandbox.sandbox)
    app.command("demo")(demo.demo)
    app.add_typer(backfill.app, name="backfill")
    app.add_typer(klines.app, name="klines")
    app.command("read")(read.read)
    app.command("records")(records.records)
    app.add_typer(subscriptions.app, name="subscriptions")
    app.add_typer(jobs.app, name="jobs")
    app.add_typer(tasks.app, name="tasks")
    app.add_typer(executions.app, name="executions")
    app.command("logs")(logs.logs)
    app.command("limits")(limits.limits)
    app.command("accounts")(accounts.accounts)
    app.add_typer(token.app, name="token")
    app.add_typer(audit.app, name="audit")
    app.command("mcp")(mcp.mcp)
    app.command("doctor")(doctor.doctor)
    return app


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"markethub {version('markethub')}")
        raise typer.Exit


def _show_version(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Keep a trading team's market data complete, correct and fast to read.

    Start with `markethub demo`, or with `markethub serve` in one terminal and `markethub backfill klines`
    in another.
    """
