"""The rows of several writes to one table of records, handled by one statement each."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from markethub.stores.duckdb.frames import TIME, incoming
from markethub.stores.duckdb.group import CHANGED, NEW, UNCHANGED
from markethub.stores.duckdb.schema import name_columns
from markethub.tables.records import RecordTable, times_ms

POSITION = "position"


@dataclass(frozen=True, slots=True)
class RecordSql:
    """The statements about one table; ``incoming`` are the rows to write."""

    find: str
    insert: str
    update: str
    in_bounds: str

    @classmethod
    def of(cls, table: RecordTable) -> "RecordSql":
        """Write them for a table."""
        values = [f'"{name}"' for name in table.schema.names if name not in table.key]
        same_key = " AND ".join(f't."{name}" = i."{name}"' for name in table.key)
        differs = " OR ".join(f"t.{name} IS DISTINCT FROM i.{name}" for name in values) or "false"
        assignments = ", ".join(f"{name} = i.{name}" for name in (*values, "revision"))
        columns = name_columns((*table.schema.names, "revision"))
        return cls(
            find=f'SELECT i.{POSITION}, {differs} AS differs, epoch_ms(t."{table.time}") AS stored_ms '
            f"FROM incoming i JOIN {table.name} t ON {same_key}",
            insert=f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM incoming",
            update=f"UPDATE {table.name} t SET {assignments} FROM incoming i WHERE {same_key}",
            # Zone maps prune by these bounds, not by the join.
            in_bounds=f't."{table.time}" BETWEEN {TIME} AND {TIME}',
        )


class RecordGroup:
    """Rows of one table, no two of one key; ``status`` says of each what it is to the table.

    ``rows`` have times without a zone: DuckDB would convert zoned ones row by row, by way of microseconds.
    ``may_exist`` tells the rows whose key could be stored; the others count as NEW without a look.
    """

    def __init__(
        self, table: RecordTable, sql: RecordSql, rows: pa.Table, may_exist: npt.NDArray[np.bool_]
    ) -> None:
        self._table = table
        self._sql = sql
        self._rows = rows
        self._may_exist = may_exist
        self._times: npt.NDArray[np.int64] = times_ms(rows, table.time).to_numpy()
        self._stored_ms = np.zeros(len(rows), np.int64)
        self.status = np.full(len(rows), NEW, np.uint8)

    def classify(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Compare with the table; nulls equal nulls, and 0.0 equals -0.0.

        A row's time seldom changes, so it is looked for around its time first, and only then everywhere.
        """
        self._look_up(connection, self._may_exist, is_bounded=True)
        if self._table.time not in self._table.key:
            self._look_up(connection, self._may_exist & (self.status == NEW), is_bounded=False)

    def store(self, connection: duckdb.DuckDBPyConnection, revisions: npt.NDArray[np.int64]) -> None:
        """Insert what is NEW and update what is CHANGED, each under its revision."""
        rows = self._rows.append_column("revision", pa.array(revisions))
        for status, write in ((NEW, self._insert), (CHANGED, self._update)):
            chosen = self.status == status
            if chosen.any():
                with incoming(connection, rows if chosen.all() else rows.filter(pa.array(chosen))):
                    write(connection)

    def _look_up(
        self, connection: duckdb.DuckDBPyConnection, chosen: npt.NDArray[np.bool_], *, is_bounded: bool
    ) -> None:
        if not chosen.any():
            return
        positions = np.flatnonzero(chosen)
        rows = self._rows.append_column(POSITION, pa.array(np.arange(len(self._rows))))
        query, bounds = self._sql.find, []
        if is_bounded:
            times = self._times[positions]
            query += f" WHERE {self._sql.in_bounds}"
            bounds = [int(times.min()), int(times.max())]
        with incoming(connection, rows if len(positions) == len(rows) else rows.take(pa.array(positions))):
            found = connection.sql(query, params=bounds).fetchnumpy()
        self.status[found[POSITION]] = np.where(found["differs"], CHANGED, UNCHANGED)
        self._stored_ms[found[POSITION]] = found["stored_ms"]

    def _insert(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(self._sql.insert)

    def _update(self, connection: duckdb.DuckDBPyConnection) -> None:
        stored_ms = self._stored_ms[self.status == CHANGED]
        bounds = [int(stored_ms.min()), int(stored_ms.max())]
        connection.execute(f"{self._sql.update} AND {self._sql.in_bounds}", bounds)
