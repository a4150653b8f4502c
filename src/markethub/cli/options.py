"""Options that several commands share, and how their values are checked."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from markethub.domain.errors import InputError
from markethub.domain.symbol import Symbol
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
