"""Bulk insert of ordered one-minute bars, all ten columns, durable at the end."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa

from benchmarks.report import Row
from benchmarks.rounds import take_turns
from benchmarks.store_bars import CHUNK_ROWS, CHUNKS_PER_YEAR, chunk_of, series_of
from benchmarks.store_rivals import arctic_name, insert_raw, open_arctic, open_raw, to_frame
from markethub.stores.duckdb import open_duckdb_store

_SERIES = 6
_ROUNDS = 3
_ROWS = _SERIES * CHUNKS_PER_YEAR * CHUNK_ROWS
_TRANSACTION_CHUNKS = 22
"""A million rows or so, as many as the store takes into one transaction."""

Chunks = Sequence[tuple[int, pa.Table]]


def run() -> list[Row]:
    """Insert six series-years in chunks of a month; all ways in turns, each into an empty file."""
    chunks = [
        (number, chunk_of(number, chunk)) for number in range(_SERIES) for chunk in range(CHUNKS_PER_YEAR)
    ]
    frames = {
        number: to_frame(pa.concat_tables(bars for owner, bars in chunks if owner == number))
        for number in range(_SERIES)
    }
    spent = take_turns(
        {
            "store": lambda: _store(chunks, again=False),
            "store again": lambda: _store(chunks, again=True),
            "raw": lambda: _raw(chunks),
            "raw one by one": lambda: _raw_one_by_one(chunks),
            "arctic": lambda: _arctic(frames),
        },
        _ROUNDS,
    )
    rate = {name: _ROWS / one.wall_s for name, one in spent.items()}
    title = "insert 3.2 M bars of 10 columns"
    return [
        Row(title, rate["store"], "rows/s", "DuckDB, INSERT SELECT of 1 M rows", rate["raw"]),
        Row(title, rate["store"], "rows/s", "DuckDB, INSERT SELECT per month", rate["raw one by one"]),
        Row(title, rate["store"], "rows/s", "ArcticDB LMDB, write per series", rate["arctic"]),
        Row("the same bars again, unchanged", rate["store again"], "rows/s", "first insert", rate["store"]),
    ]


@contextmanager
def _store(chunks: Chunks, *, again: bool) -> Iterator[Callable[[], None]]:
    with TemporaryDirectory() as folder:
        store = open_duckdb_store(Path(folder) / "bars.duckdb")

        def insert() -> None:
            futures = [store.upsert(series_of(number), bars) for number, bars in chunks]
            wait(futures)
            new = sum(future.result().inserted for future in futures)
            if new not in (_ROWS, 0):
                raise RuntimeError(f"{new} bars were new instead of all or none of {_ROWS}")

        if again:
            insert()
        yield insert
        store.close()


@contextmanager
def _raw(chunks: Chunks) -> Iterator[Callable[[], None]]:
    with TemporaryDirectory() as folder, open_raw(Path(folder) / "raw.duckdb") as connection:

        def insert() -> None:
            for first in range(0, len(chunks), _TRANSACTION_CHUNKS):
                insert_raw(connection, chunks[first : first + _TRANSACTION_CHUNKS])

        yield insert


@contextmanager
def _raw_one_by_one(chunks: Chunks) -> Iterator[Callable[[], None]]:
    with TemporaryDirectory() as folder, open_raw(Path(folder) / "raw.duckdb") as connection:

        def insert() -> None:
            for chunk in chunks:
                insert_raw(connection, [chunk])

        yield insert


@contextmanager
def _arctic(frames: dict[int, pd.DataFrame]) -> Iterator[Callable[[], None]]:
    with TemporaryDirectory() as folder:
        library = open_arctic(Path(folder))

        def insert() -> None:
            for number, frame in frames.items():
                library.write(arctic_name(number), frame)

        yield insert
