"""The rows of several writes that go to one table, handled by one statement each."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from markethub.stores.duckdb.frames import TIME, incoming
from markethub.stores.duckdb.schema import BAR_COLUMNS, VALUE_COLUMNS, name_columns
from markethub.stores.duckdb.state import SeriesState
from markethub.tables.klines import open_times_ms

UNCHANGED, NEW, CHANGED = 0, 1, 2

_DIFFERS = " OR ".join(f't."{name}" IS DISTINCT FROM i."{name}"' for name in VALUE_COLUMNS)
_ASSIGNMENTS = ", ".join(f'"{name}" = i."{name}"' for name in (*VALUE_COLUMNS, "revision"))
_SAME_KEY = "t.series = i.series AND t.open_time = i.open_time"
# Zone maps prune by these bounds, not by the join.
_IN_BOUNDS = f"t.series BETWEEN ? AND ? AND t.open_time BETWEEN {TIME} AND {TIME}"


@dataclass(slots=True)
class Piece:
    """The part of one write that goes to one table; never empty. ``write`` is its place in the batch."""

    write: int
    state: SeriesState
    bars: pa.Table
    first_ms: int
    last_ms: int


class Group:
    """Pieces of one table; no two share a key. ``status`` says of each row what it is to the table.

    ``may_exist`` is False where the state of each series rules out that a row is stored: then nothing is
    looked up and every row is NEW.
    """

    def __init__(self, table: str, pieces: Sequence[Piece], *, is_hot: bool, may_exist: bool) -> None:
        self.table = table
        self.is_hot = is_hot
        self.pieces = sorted(pieces, key=lambda piece: (piece.state.id, piece.first_ms))
        lengths = [len(piece.bars) for piece in self.pieces]
        self.offsets = np.concatenate(([0], np.cumsum(lengths)))
        bars = pa.concat_tables([piece.bars for piece in self.pieces])
        # DuckDB scans chunk by chunk: thousands of tiny ones cost more than one copy, and row groups that end
        # with large ones are not full, so that its next checkpoint writes them again.
        self.bars = bars.combine_chunks()
        self.times: npt.NDArray[np.int64] = open_times_ms(self.bars).to_numpy()
        self.series_ids = np.repeat(np.array([piece.state.id for piece in self.pieces], np.int32), lengths)
        self.status = np.full(len(bars), NEW, np.uint8)
        self._may_exist = may_exist

    def classify(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Compare with the table and fill ``status``; nulls equal nulls, and 0.0 equals -0.0."""
        if not self._may_exist:
            return
        rows = self._rows().append_column("position", pa.array(np.arange(len(self.bars))))
        with incoming(connection, rows):
            found = connection.sql(
                f"SELECT i.position, {_DIFFERS} AS differs FROM incoming i JOIN {self.table} t "
                f"ON {_SAME_KEY} WHERE {_IN_BOUNDS}",
                params=self._bounds(),
            ).fetchnumpy()
        self.status[found["position"]] = np.where(found["differs"], CHANGED, UNCHANGED)

    def slice_of(self, index: int) -> slice:
        """Where the rows of ``pieces[index]`` stand."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def store(self, connection: duckdb.DuckDBPyConnection, revisions: Sequence[int]) -> None:
        """Insert what is NEW and update what is CHANGED, each under the revision of its write."""
        lengths = np.diff(self.offsets)
        by_piece = np.array([revisions[piece.write] for piece in self.pieces], np.int64)
        rows = self._rows().append_column("revision", pa.array(np.repeat(by_piece, lengths)))
        new = self.status == NEW
        if new.all():
            self._insert(connection, rows)
            return
        if new.any():
            self._insert(connection, rows.filter(pa.array(new)))
        changed = self.status == CHANGED
        if changed.any():
            self._update(connection, rows.filter(pa.array(changed)))

    def _insert(self, connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
        names = name_columns(BAR_COLUMNS)
        with incoming(connection, rows):
            connection.execute(f"INSERT INTO {self.table} ({names}) SELECT {names} FROM incoming")

    def _update(self, connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
        # In place, so that the physical order stays what readers hope for.
        with incoming(connection, rows):
            connection.execute(
                f"UPDATE {self.table} t SET {_ASSIGNMENTS} FROM incoming i "
                f"WHERE {_SAME_KEY} AND {_IN_BOUNDS}",
                self._bounds(),
            )

    def _rows(self) -> pa.Table:
        # Without the zone: DuckDB would convert a zoned column row by row, by way of microseconds.
        times = self.bars.column("open_time").cast(pa.timestamp("ms"))
        return self.bars.set_column(0, "open_time", times).add_column(0, "series", pa.array(self.series_ids))

    def _bounds(self) -> list[int]:
        ids = [piece.state.id for piece in self.pieces]
        first_ms = min(piece.first_ms for piece in self.pieces)
        last_ms = max(piece.last_ms for piece in self.pieces)
        return [min(ids), max(ids), first_ms, last_ms]
