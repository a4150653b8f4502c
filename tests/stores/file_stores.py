"""Stores in files, opened as many as a test wants and closed at its end."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from markethub.ports.clock import Clock, system_clock
from markethub.ports.data_store import DataStore
from markethub.stores.duckdb import open_duckdb_store


@contextmanager
def opening_files(folder: Path, clock: Clock = system_clock) -> Iterator[Callable[[], DataStore]]:
    """What opens ``0.duckdb``, ``1.duckdb`` and so on in ``folder``; all are closed when the block ends."""
    opened: list[DataStore] = []
    numbers = itertools.count()

    def open_one() -> DataStore:
        opened.append(open_duckdb_store(folder / f"{next(numbers)}.duckdb", clock=clock))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()
