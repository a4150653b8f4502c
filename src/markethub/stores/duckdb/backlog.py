"""How much lies after a revision, read from one snapshot."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Iterator
from typing import NamedTuple

import duckdb
import pyarrow.compute as pc

from markethub.domain.interval import Interval
from markethub.domain.selection import Selection
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series, Symbol
from markethub.ports.replication import Backlog
from markethub.stores.duckdb.change_log import time_of
from markethub.stores.duckdb.change_reading import newest_revision
from markethub.stores.duckdb.schema import name_columns
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.records import RecordTable
from markethub.tables.selected import select_rows, takes_claim, takes_table


class _Part(NamedTuple):
    """Some of what lies after the revision; ``first`` is the oldest revision among it."""

    rows: int
    first: int


def read_backlog(connection: duckdb.DuckDBPyConnection, after: int, selection: Selection) -> Backlog:
    """Read inside an open transaction, as ``ReplicaStore.read_backlog`` says."""
    newest = newest_revision(connection)
    if after >= newest:
        return Backlog(0, 0, None)
    parts = [*_read_series(connection, after, selection)]
    for table in RECORD_TABLES.values():
        if takes_table(selection, table):
            parts += _read_table(connection, after, selection, table)
    since_ms = time_of(connection, min(part.first for part in parts)) if parts else None
    return Backlog(newest - after, sum(part.rows for part in parts), since_ms)


def _read_series(connection: duckdb.DuckDBPyConnection, after: int, selection: Selection) -> Iterator[_Part]:
    if not selection.takes_kind(DataKind.KLINE):
        return
    found = connection.sql(
        "SELECT s.symbol, s.interval, c.rows, c.first FROM (SELECT series, "
        "CAST(sum(coalesce(rows, 0)) AS BIGINT) AS rows, min(revision) AS first FROM changes "
        "WHERE revision > ? GROUP BY series) c JOIN series s ON c.series = s.id",
        params=[after],
    ).fetchall()
    for symbol, interval, rows, first in found:
        if selection.takes_series(Series(Symbol.parse(symbol), Interval(interval))):
            yield _Part(rows, first)


def _read_table(
    connection: duckdb.DuckDBPyConnection, after: int, selection: Selection, table: RecordTable
) -> Iterator[_Part]:
    subject = name_columns(tuple(name for name in table.schema.names if name in (table.owner, "symbol")))
    counted = connection.sql(
        f"SELECT {subject}, count(*) AS backlog_rows, min(revision) AS backlog_first FROM {table.name} "
        f"WHERE revision > ? GROUP BY {subject}",
        params=[after],
    ).to_arrow_table()
    taken = select_rows(selection, table, counted)
    if len(taken):
        yield _Part(
            pc.sum(taken.column("backlog_rows")).as_py(), pc.min(taken.column("backlog_first")).as_py()
        )
    claims = connection.sql(
        'SELECT owner, min(revision) FROM record_coverage WHERE "table" = ? AND revision > ? GROUP BY owner',
        params=[table.name, after],
    ).fetchall()
    yield from (_Part(0, first) for owner, first in claims if takes_claim(selection, table, owner))
    ((gone,),) = connection.sql(
        'SELECT min(revision) FROM record_deletions WHERE "table" = ? AND revision > ?',
        params=[table.name, after],
    ).fetchall()
    if gone is not None:
        yield _Part(0, gone)
