"""What commands print: tables for people at a terminal, plain lines for pipes, JSON on request."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

import orjson
import typer

_PIPE_WIDTH = 160

Cell = str | int | float | None


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads ``stream``; false for one that is closed."""
    return not stream.closed and stream.isatty()


def safe_text(text: str) -> str:
    r"""``text`` with control characters spelled out (``\x1b``), so that no data can steer a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else _spell(char) for char in text)


def _spell(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def note(text: str = "") -> None:
    """Tell a person something that is not the command's result: on stderr, so that pipes stay clean."""
    typer.echo(safe_text(text), err=True)


def say(text: str = "") -> None:
    """Print a line of the command's result."""
    typer.echo(safe_text(text))


def print_json(value: object) -> None:
    """Print one JSON document on stdout, indented for people, on one line for programs."""
    indent = orjson.OPT_INDENT_2 if is_terminal(sys.stdout) else 0
    typer.echo(orjson.dumps(value, option=indent).decode())


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, for_people: bool | None = None
) -> None:
    """Print rows below their column names.

    For people the columns are aligned and numbers have thousands separators. Else cells are separated by one
    tab, numbers are bare and None is empty, for ``cut`` and ``awk``. The default depends on stdout.
    """
    if is_terminal(sys.stdout) if for_people is None else for_people:
        _print_for_people(columns, list(rows))
        return
    typer.echo("\t".join(columns))
    for row in rows:
        typer.echo("\t".join(_bare(cell) for cell in row))


def _bare(cell: Cell) -> str:
    return "" if cell is None else " ".join(safe_text(str(cell)).split())


def _print_for_people(columns: Sequence[str], rows: list[Sequence[Cell]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        numeric = any(isinstance(row[index], int | float) for row in rows)
        # A cut identifier is useless: what does not fit goes on in the next line.
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    decimals = [_count_decimals(row[index] for row in rows) for index in range(len(columns))]
    for row in rows:
        table.add_row(*(Text(_shown(cell, places)) for cell, places in zip(row, decimals, strict=True)))
    # A pipe has no width to fit into.
    Console(highlight=False, width=None if is_terminal(sys.stdout) else _PIPE_WIDTH).print(table)


def _count_decimals(cells: Iterable[Cell]) -> int:
    """How many decimal places the floats among ``cells`` need, at ten significant digits."""
    texts = (f"{cell:.10g}" for cell in cells if isinstance(cell, float))
    return max((len(text.partition(".")[2]) for text in texts if "e" not in text), default=0)


def _shown(cell: Cell, decimals: int) -> str:
    match cell:
        case None:
            return "-"
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:,.{decimals}f}" if cell == 0 or 1e-8 <= abs(cell) < 1e15 else f"{cell:g}"
        case str():
            return safe_text(cell)
