"""Arrow tables inside SQL, transactions, and the one place where DuckDB's errors become ours."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb
import pyarrow as pa

from markethub.domain.errors import StoreError

TIME = "make_timestamp_ms(?)::TIMESTAMP_MS"
"""A parameter of Unix milliseconds as an open time; folded before the scan, so zone maps still prune."""


FEW_ROWS = 8
"""Up to here parameters are cheaper than an Arrow table, which costs the making and dropping of a view."""


@contextmanager
def incoming(connection: duckdb.DuckDBPyConnection, table: pa.Table) -> Iterator[None]:
    """Let SQL on this connection read ``table`` under the name ``incoming``."""
    connection.register("incoming", table)
    try:
        yield
    except BaseException:
        # In a failed transaction this fails too; the first error is the one to tell.
        with suppress(duckdb.Error):
            connection.unregister("incoming")
        raise
    connection.unregister("incoming")


def insert_rows(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """Append ``rows`` to the table ``name``, column by name."""
    if len(rows) > FEW_ROWS:
        with incoming(connection, rows):
            connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM incoming")
    elif len(rows):
        values = [value for row in zip(*rows.to_pydict().values(), strict=True) for value in row]
        marks = ", ".join([f"({', '.join('?' * rows.num_columns)})"] * len(rows))
        columns = ", ".join(f'"{column}"' for column in rows.column_names)
        connection.execute(f"INSERT INTO {name} ({columns}) VALUES {marks}", values)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit when the block ends, roll back when it raises."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        # A failed commit has ended the transaction already; the first error is the one to tell.
        with suppress(duckdb.Error):
            connection.rollback()
        raise


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Raise DuckDB's errors of the block as StoreError that names ``action``."""
    try:
        yield
    except duckdb.Error as error:
        raise StoreError(f"{action}: {error}") from error
