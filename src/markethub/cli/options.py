"""Options that several commands share, and how their values are checked."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.errors import InputError
from markethub.domain.symbol import Account, Symbol, parse_root_symbol
from markethub.domain.times import parse_time

Value = TypeVar("Value")


def checked(check: Callable[[str], object]) -> Callable[[str], str]:
    """Turn a parser of the domain into one for the command line: the text itself, or a usage fault."""

    def parse(text: str) -> str:
        try:
            check(text)
        except InputError as error:
            raise typer.BadParameter(str(error)) from error
        return text

    return parse


check_time = checked(parse_time)
check_symbol = checked(Symbol.parse)
check_root = checked(parse_root_symbol)
check_account = checked(Account.parse)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration file [default: ./markethub.toml, if any]"),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Data folder [default: from the configuration]"),
]
HubUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Address of the hub [default: MARKETHUB_URL, else the one that runs on the data folder]. "
        "Its token comes from MARKETHUB_TOKEN, else from the data folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
StartTime = Annotated[
    str | None,
    typer.Option("--start", metavar="TIME", parser=check_time, help="First open time, ISO 8601, UTC."),
]
EndTime = Annotated[
    str | None,
    typer.Option("--end", metavar="TIME", parser=check_time, help="Bars that open before it, ISO 8601, UTC."),
]
SomeSymbols = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol", metavar="SYMBOL", parser=check_symbol, help="Such as BTC_USDT.BNC; may be repeated."
    ),
]
SomeExchanges = Annotated[
    list[str] | None,
    typer.Option(
        "--exchange",
        metavar="EXCHANGE",
        help="Every subscribed symbol, or configured account, of it, such as BNC; may be repeated.",
    ),
]
SomeAccounts = Annotated[
    list[str] | None,
    typer.Option(
        "--account", metavar="ACCOUNT", parser=check_account, help="Such as OKX_MM01; may be repeated."
    ),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return at once; the hub goes on by itself.")]
Mode = Annotated[
    BackfillMode,
    typer.Option(
        help="missing: what is not stored; all: also what is, to find amendments; failed: what failed in the "
        "newest backfills of the kind."
    ),
]
Priority = Annotated[int, typer.Option(min=-100, max=100, help="Higher runs first.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would be fetched, and what it would take.")
]
