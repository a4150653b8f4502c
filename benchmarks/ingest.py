"""What the ingest benchmarks share: a series, the two stores, and the product's own way into ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd

from markethub.domain.interval import Interval
from markethub.domain.symbol import Series, Symbol
from markethub.jobs.kline_fetch import KlineFetch
from markethub.jobs.quarantine import Quarantine
from markethub.ports.clock import system_clock
from markethub.ports.venue import KlineArchive, KlineSource
from markethub.stores.duckdb import DuckdbSeriesStore, open_duckdb_store

# The sandbox makes these bars up: without a hole, so that every page and file is full.
SERIES = Series(Symbol.parse("ETH_USDT.BNC"), Interval.M1)
NATIVE_NAME = "ETHUSDT"


class StrictLog:
    """A work log that takes a warning for a failure: it means that another source was used than meant."""

    def debug(self, message: str) -> None:
        """Drop what the work tells about itself."""

    def info(self, message: str) -> None:
        """Drop what the work tells about itself."""

    def warning(self, message: str) -> None:
        raise RuntimeError(message)

    def error(self, message: str) -> None:
        raise RuntimeError(message)


@contextmanager
def empty_store() -> Iterator[DuckdbSeriesStore]:
    """A store in a new file, which is deleted at the end."""
    with TemporaryDirectory(prefix="markethub-bench-") as folder:
        store = open_duckdb_store(Path(folder) / "market.duckdb")
        try:
            yield store
        finally:
            store.close()


def new_fetch(source: KlineSource, archive: KlineArchive, store: DuckdbSeriesStore) -> KlineFetch:
    """What a chunk of a backfill runs, without the engine around it."""
    quarantine = Quarantine(store.records, system_clock)
    return KlineFetch(SERIES, source, archive, store, system_clock, StrictLog(), quarantine)


class FrameTable:
    """The table a script would have: frames appended as they come; no key, no check, no coverage."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._is_new = True

    def append(self, frame: pd.DataFrame) -> int:
        """Insert a frame in a transaction of its own; the first one decides the columns."""
        self._connection.register("frame", frame)
        if self._is_new:
            self._connection.execute("CREATE TABLE bars AS SELECT '' AS symbol, * FROM frame LIMIT 0")
            self._is_new = False
        self._connection.execute("INSERT INTO bars SELECT ?, * FROM frame", [str(SERIES.symbol)])
        return len(frame)


@contextmanager
def empty_frame_table() -> Iterator[FrameTable]:
    """A table in a new DuckDB file with the settings of our store, which is deleted at the end."""
    with TemporaryDirectory(prefix="markethub-bench-") as folder:
        connection = duckdb.connect(
            Path(folder) / "bars.duckdb",
            config={"memory_limit": "400MB", "threads": 2, "wal_autocheckpoint": "64MB"},
        )
        try:
            yield FrameTable(connection)
        finally:
            connection.close()
