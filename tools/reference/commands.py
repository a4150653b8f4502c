"""Every command and option, from the command line's own help."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import typer

from markethub.cli.main import build_app
from tools.reference.markdown import Gaps, code, meaning, page, table

_INTRODUCTION = """\
Every command ends with 0 when it did what it was asked, with 1 and one line `error: ...` on stderr when
it failed, with 2 when it was used wrongly, with 130 when it was interrupted. Results go to stdout,
everything meant for a person at the terminal to stderr: into a pipe tables become tab-separated lines,
and `--json` gives the API's own answer. `-h` or `--help` shows what stands here."""

# Typer's commands are those of a click that it carries within, without types to import.
Command = Any


def list_commands() -> Iterator[tuple[str, Command]]:
    """Every command that does something as (its whole name, itself), in the order of the help."""
    yield from _walk("markethub", read_command_line())


@cache
def read_command_line() -> Command:
    """Every command there is, below one."""
    command: Command = typer.main.get_command(build_app())
    return command


def _walk(name: str, command: Command) -> Iterator[tuple[str, Command]]:
    if command.hidden:
        return
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child_name, child in children.items():
        yield from _walk(f"{name} {child_name}", child)


def write_commands(gaps: Gaps) -> str:
    """Return the page."""
    commands = list(list_commands())
    overview = table(
        ("command", "what"),
        (
            (f"[`{name}`](#{name.replace(' ', '-')})", (command.help or "").partition("\n\n")[0])
            for name, command in commands
        ),
    )
    parts = [overview]
    for name, command in commands:
        parts += _describe(name, command, gaps)
    return page("Commands", _INTRODUCTION, *parts)


def _describe(name: str, command: Command, gaps: Gaps) -> Iterator[str]:
    yield f"## {name}"
    yield meaning(command.help, f"command {name}", gaps)
    context = command.make_context(name, [], resilient_parsing=True)
    yield code(command.get_usage(context).removeprefix("Usage: "))
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and not parameter.hidden:
            spelling, told = record
            rows.append((code(spelling), meaning(told, f"{spelling} of {name}", gaps)))
    yield table(("argument or option", "meaning"), rows)
