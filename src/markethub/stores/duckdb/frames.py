"""Arrow tables inside SQL, transactions, and the one place where DuckDB's errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb
import pyarrow as pa

from markethub.domain.errors import StoreError

TIME = "make_timestamp_ms(?)::TIMESTAMP_MS"
"""A parameter of Unix milliseconds as an open time; folded before the scan, so zone maps still prune."""


@contextmanager
def incoming(connection: duckdb.DuckDBPyConnection, table: pa.Table) -> Iterator[None]:
    """Let SQL on this connection read ``table`` under the name ``incoming``."""
    connection.register("incoming", table)
    try:
        yield
    finally:
        connection.unregister("incoming")


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
