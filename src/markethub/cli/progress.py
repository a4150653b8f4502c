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
    from markethub.client.answers import ExecutionProgressAnswer

_LINE_EVERY_S = 5.0

Show = Callable[["ExecutionProgressAnswer"], None]


@contextmanager
def show_progress(title: str) -> Iterator[Show]:
    """Yield a function to call with every state seen; what it shows goes to stderr."""
    if is_terminal(sys.stderr):
        from markethub.client.progress_bar import show_bar

        with show_bar(title) as show:
            yield show
    else:
        yield _lines(title)


def _lines(title: str) -> Show:
    from markethub.client.progress_bar import ended_chunks, stored_rows

    began_s = time.monotonic()
    told_s = began_s

    def show(seen: "ExecutionProgressAnswer") -> None:
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
