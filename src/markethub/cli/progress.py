"""Show how an execution gets on: a bar on a terminal, now and then a line elsewhere."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from markethub.cli.durations import format_duration
from markethub.cli.output import is_terminal, note

if TYPE_CHECKING:
    from markethub.client.answers import ExecutionDetailAnswer

_LINE_EVERY_S = 5.0

Show = Callable[["ExecutionDetailAnswer"], None]


@contextmanager
def show_progress(title: str) -> Iterator[Show]:
    """Yield a function to call with every state seen; what it shows goes to stderr."""
    if is_terminal(sys.stderr):
        with _bar(title) as show:
            yield show
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("chunks, {task.fields[rows]:,} rows", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None, rows=0)

        def show(seen: "ExecutionDetailAnswer") -> None:
            chunks = seen["chunks"]
            # Until it is planned nobody knows how much there is; a plan without chunks is a full bar.
            total = chunks["total"] or (None if seen["completed_at"] is None else 0)
            progress.update(task, total=total, completed=ended_chunks(seen), rows=stored_rows(seen))

        yield show


def _lines(title: str) -> Show:
    began_s = time.monotonic()
    told_s = began_s

    def show(seen: "ExecutionDetailAnswer") -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if now_s - told_s < _LINE_EVERY_S and seen["completed_at"] is None:
            return
        told_s = now_s
        note(
            f"{title}: {seen['status']}, {ended_chunks(seen)}/{seen['chunks']['total']} chunks, "
            f"{stored_rows(seen):,} rows, {format_duration(now_s - began_s)}"
        )

    return show


def ended_chunks(seen: "ExecutionDetailAnswer") -> int:
    """Chunks that are over, well or badly."""
    return seen["chunks"]["done"] + seen["chunks"]["failed"]


def stored_rows(seen: "ExecutionDetailAnswer") -> int:
    """Rows that reached the store so far."""
    return seen["counters"].get("processed", 0)
