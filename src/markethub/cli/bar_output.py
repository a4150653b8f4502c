"""Where bars go, and in which format."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import sys
import typing
from pathlib import Path

import typer

from markethub.cli.output import is_terminal, note
from markethub.domain.errors import InputError, StoreError

if typing.TYPE_CHECKING:
    from markethub.cli.bar_formats import BarFormat


def choose_format(name: str | None, output: Path | None) -> "BarFormat":
    """The format called ``name``, else what the file's ending says, else a table; or a usage fault."""
    from markethub.cli.bar_formats import BarFormat, format_of_file

    if name is not None and name not in list(BarFormat):
        raise typer.BadParameter(f"--format {name!r} is not one of {', '.join(BarFormat)}")
    if output is None:
        chosen = BarFormat(name) if name is not None else BarFormat.TABLE
        if chosen.is_binary and is_terminal(sys.stdout):
            raise typer.BadParameter(f"{chosen} is binary: name a file with --output, or pipe it")
        return chosen
    try:
        chosen = BarFormat(name) if name is not None else format_of_file(output)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error
    if chosen is BarFormat.TABLE:
        raise typer.BadParameter("table is for the screen: give --output another --format")
    return chosen


def write_document(content: bytes, bars: int, output: Path | None) -> None:
    """Write one document of so many bars to the file, else to stdout."""
    if output is None:
        typer.get_binary_stream("stdout").write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror}") from error
    note(f"{bars} bars, {len(content)} bytes, in {output}")
