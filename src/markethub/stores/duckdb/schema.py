"""The tables of a store file, and the version that says which code may open it.

Bars lie in two tables per interval, ``klines_1h`` (cold) and ``klines_1h_hot``. The boundary H of the
interval parts them: cold holds open times below H, hot those from H on. Every batch is cut at H, so a bar is
in one table only. Neither has a key: DuckDB's index would make inserts five times slower and the file four
times larger. Keys are unique because the one writer compares with what is stored before it inserts.

``series`` keeps one row a series with its counts, so a summary needs no scan, and two facts about the
physical order of its cold rows: ``cold_last_ms``, the newest of them, and ``unsorted_from_ms``, from where
they may lie out of order (null: nowhere). ``fragments`` lists the stretches of time that were flushed from
hot to cold and are not merged yet.

Records lie in one table for each RecordTable of the catalog, with its name and columns and a ``revision``, in
the order in which they came; the one writer keeps their keys unique too. ``record_tables`` counts their rows
and keeps the revision of the newest write to each, ``record_coverage`` their claims.

Version 2 added the tables of records, version 3 what replicas need: the store's name in ``meta``, a log that
also tells what is gone, and ``revision_times``, which tells when the revisions up to one were written. A file
of an earlier version gets them when it is opened for writing.
"""

import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.klines import KLINES
from markethub.tables.records import AMOUNT, TIME

SCHEMA_VERSION = 3

VALUE_COLUMNS = tuple(KLINES.names[1:])
BAR_COLUMNS = ("series", *KLINES.names, "revision")

_SQL_TYPES = {
    TIME: "TIMESTAMP_MS",
    AMOUNT: "DECIMAL(38, 18)",
    pa.string(): "VARCHAR",
    pa.float64(): "DOUBLE",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.list_(pa.float64()): "DOUBLE[]",
}

_SMALL_TABLES = """
CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
CREATE TABLE boundary (interval VARCHAR NOT NULL, hot_from_ms BIGINT NOT NULL);
CREATE TABLE fragments (
    interval VARCHAR NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL, level INTEGER NOT NULL
);
CREATE TABLE series (
    id INTEGER NOT NULL, symbol VARCHAR NOT NULL, interval VARCHAR NOT NULL,
    rows BIGINT NOT NULL, first_ms BIGINT, last_ms BIGINT, revision BIGINT NOT NULL,
    cold_last_ms BIGINT, unsorted_from_ms BIGINT
);
CREATE TABLE coverage (
    series INTEGER NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL,
    source VARCHAR NOT NULL, checked_ms BIGINT NOT NULL, revision BIGINT NOT NULL
);
CREATE TABLE changes (
    revision BIGINT NOT NULL, series INTEGER NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL,
    rows BIGINT, kind INTEGER NOT NULL
);
CREATE TABLE record_deletions (revision BIGINT NOT NULL, "table" VARCHAR NOT NULL, key VARCHAR NOT NULL);
CREATE TABLE revision_times (revision BIGINT NOT NULL, at_ms BIGINT NOT NULL);
"""

REPLICA_SQL = """
ALTER TABLE changes ADD COLUMN rows BIGINT;
ALTER TABLE changes ADD COLUMN kind INTEGER DEFAULT 0;
CREATE TABLE record_deletions (revision BIGINT NOT NULL, "table" VARCHAR NOT NULL, key VARCHAR NOT NULL);
CREATE TABLE revision_times (revision BIGINT NOT NULL, at_ms BIGINT NOT NULL);
"""
"""What brings the tables of a file of version 2 to version 3."""

_SMALL_RECORD_TABLES = """
CREATE TABLE record_tables (name VARCHAR NOT NULL, rows BIGINT NOT NULL, revision BIGINT NOT NULL);
CREATE TABLE record_coverage (
    "table" VARCHAR NOT NULL, owner VARCHAR NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL,
    source VARCHAR NOT NULL, checked_ms BIGINT NOT NULL, revision BIGINT NOT NULL
);
"""


def bars_table(interval: Interval, *, is_hot: bool) -> str:
    """The table of an interval's cold or hot bars."""
    return f"klines_{interval.value}{'_hot' if is_hot else ''}"


def name_columns(columns: tuple[str, ...]) -> str:
    """The columns as SQL, quoted: some are words of the language."""
    return ", ".join(f'"{column}"' for column in columns)


def schema_sql() -> str:
    """What creates the empty tables of a store."""
    values = _columns_sql(KLINES)
    tables = [bars_table(interval, is_hot=is_hot) for interval in Interval for is_hot in (False, True)]
    bars = "".join(
        f"CREATE TABLE {table} (series INTEGER NOT NULL, {values}, revision BIGINT NOT NULL);\n"
        for table in tables
    )
    return _SMALL_TABLES + bars + records_sql()


def records_sql() -> str:
    """What creates the empty tables of records, and so brings a file of version 1 to version 2."""
    return _SMALL_RECORD_TABLES + "".join(
        f"CREATE TABLE {table.name} ({_columns_sql(table.schema)}, revision BIGINT NOT NULL);\n"
        f"INSERT INTO record_tables VALUES ('{table.name}', 0, 0);\n"
        for table in RECORD_TABLES.values()
    )


def _columns_sql(schema: pa.Schema) -> str:
    return ", ".join(
        f'"{field.name}" {_SQL_TYPES[field.type]}{"" if field.nullable else " NOT NULL"}' for field in schema
    )
