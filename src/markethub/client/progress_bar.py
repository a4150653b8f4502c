"""A bar that shows how an execution gets on."""

# ruff: noqa: PLC0415 - what is slow to import waits for who looks at it

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from markethub.client.answers import ExecutionDetailAnswer, ExecutionProgressAnswer

Show = Callable[[ExecutionProgressAnswer], None]
Progress = Callable[[ExecutionDetailAnswer], None]


def choose_progress(wanted: Progress | bool | None, title: str) -> AbstractContextManager[Progress]:
    """What to call with each state seen: the caller's own function, a bar (None: where a person looks on), or
    one that shows nothing."""
    if callable(wanted):
        return nullcontext(wanted)
    if wanted is None:
        wanted = _is_watched()
    return show_bar(title) if wanted else nullcontext(_show_nothing)


@contextmanager
def show_bar(title: str) -> Iterator[Show]:
    """Yield a function that shows the states it is called with as a bar on stderr, or in the notebook."""
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

        def show(seen: ExecutionProgressAnswer) -> None:
            chunks = seen["chunks"]
            # Until it is planned nobody knows how much there is; a plan without chunks is a full bar.
            total = chunks["total"] or (None if seen["completed_at"] is None else 0)
            progress.update(task, total=total, completed=ended_chunks(seen), rows=stored_rows(seen))

        yield show


def ended_chunks(seen: ExecutionProgressAnswer) -> int:
    """Chunks that are over, well or badly."""
    return seen["chunks"]["done"] + seen["chunks"]["failed"]


def stored_rows(seen: ExecutionProgressAnswer) -> int:
    """Rows that reached the store so far."""
    return seen["counters"].get("processed", 0)


def _show_nothing(_seen: ExecutionProgressAnswer) -> None:
    """Nobody looks on."""


def _is_watched() -> bool:
    if sys.stderr is None or sys.stderr.closed:  # a process without a console
        return False
    if sys.stderr.isatty():
        return True
    # A notebook's kernel has loaded it; nothing else needs it.
    return "ipykernel" in sys.modules
