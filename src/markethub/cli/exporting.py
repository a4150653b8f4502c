"""Show how an export gets on: a bar on a terminal, at the end a line elsewhere."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from markethub.cli.output import is_terminal

if TYPE_CHECKING:
    from markethub.client.exports import Exported, ShowExported


@contextmanager
def show_export() -> Iterator["ShowExported | None"]:
    """Yield a function to call as parts arrive, or None where nobody looks on; a bar goes to stderr."""
    if not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[rows]}", markup=False),
        DownloadColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        # The bar counts bytes for its column of sizes, and rows where they can be counted.
        task = progress.add_task("executions", total=None, rows="")

        def show(seen: "Exported") -> None:
            share = None if not seen.rows else seen.rows / max(seen.total_rows, 1)
            progress.update(
                task,
                completed=seen.size_bytes,
                total=None if share is None else round(seen.size_bytes / share),
                rows=f"{seen.total_rows:,} rows"
                if seen.rows is None
                else f"{seen.rows:,}/{seen.total_rows:,} rows",
            )

        yield show
