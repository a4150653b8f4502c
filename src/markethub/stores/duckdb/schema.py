"""The tables of a store file, and the version that says which code may open it.

Bars lie in two tables per interval, ``klines_1h`` (cold) and ``klines_1h_hot``. The boundary H of the
interval parts them: cold holds open times below H, hot those from H on. Every batch is cut at H, so a bar is
in one table only. Neither has a key: DuckDB's index would make inserts five times slower and the file four
times larger. Keys are unique because the one writer compares with what is stored before it inserts.

``series`` keeps one row a series with its counts, so a summary needs no scan, and two facts about the
physical order of its cold rows: ``cold_last_ms``, the newest of them, and ``unsorted_from_ms``, from where
they may lie out of order (null: nowhere). ``fragments`` lists the stretches of time that were flushed from
hot to cold and are not merged yet.
"""

from markethub.domain.interval import Interval
from markethub.tables.klines import KLINES

SCHEMA_VERSION = 1

VALUE_COLUMNS = tuple(KLINES.names[1:])
BAR_COLUMNS = ("series", *KLINES.names, "revision")

_SQL_TYPES = {"timestamp[ms, tz=UTC]": "TIMESTAMP_MS", "double": "DOUBLE", "int64": "BIGINT"}

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
    revision BIGINT NOT NULL, series INTEGER NOT NULL, start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL
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
    values = ", ".join(
        f'"{field.name}" {_SQL_TYPES[str(field.type)]}{"" if field.nullable else " NOT NULL"}'
        for field in KLINES
    )
    tables = [bars_table(interval, is_hot=is_hot) for interval in Interval for is_hot in (False, True)]
    return _SMALL_TABLES + "".join(
        f"CREATE TABLE {table} (series INTEGER NOT NULL, {values}, revision BIGINT NOT NULL);\n"
        for table in tables
    )
