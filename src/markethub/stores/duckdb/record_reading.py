"""Questions about one table of records, each answered by one statement, and so from one snapshot."""

# ruff: noqa: S608 - names in the SQL are our own; every value is a parameter

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from markethub.ports.records import RecordQuery
from markethub.stores.admission import FIRST_MS, LAST_MS
from markethub.stores.duckdb.frames import TIME
from markethub.tables.records import RecordTable


def read_rows(connection: duckdb.DuckDBPyConnection, table: RecordTable, query: RecordQuery) -> pa.Table:
    """The rows of a checked query, in its order."""
    sql, parameters = _select(table, query)
    direction = "DESC" if query.newest_first else "ASC"
    sql += f' ORDER BY t."{table.time}" {direction}, {_columns(table.key)}'
    if query.limit is not None:
        sql += " LIMIT ?"
        parameters.append(query.limit)
    if query.offset:
        sql += " OFFSET ?"
        parameters.append(query.offset)
    return connection.sql(sql, params=parameters).to_arrow_table().cast(table.schema)


def count_rows(connection: duckdb.DuckDBPyConnection, table: RecordTable, query: RecordQuery) -> int:
    """How many rows a checked query has without its ``offset`` and ``limit``; sorts nothing."""
    where, parameters = _where(table, query)
    sql = f"SELECT count(*) FROM {table.name} t{where}"
    if query.latest_by:
        columns = _columns(query.latest_by)
        sql = f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {table.name} t{where})"
    return int(connection.sql(sql, params=parameters).fetchall()[0][0])


def _select(table: RecordTable, query: RecordQuery) -> tuple[str, list[str | int]]:
    columns = _columns(table.schema.names)
    where, parameters = _where(table, query)
    if not query.latest_by:
        return f"SELECT {columns} FROM {table.name} t{where}", parameters
    # The newest times first, by a hash, and a sort of the few rows that have them: one sort of everything
    # takes fifty times as long.
    groups = _columns(query.latest_by)
    same_group = " AND ".join(f't."{name}" IS NOT DISTINCT FROM n."{name}"' for name in query.latest_by)
    greatest_key = ", ".join(f't."{name}" DESC' for name in table.key)
    return (
        f'WITH n AS (SELECT {groups}, max(t."{table.time}") AS newest_time FROM {table.name} t{where} '
        f"GROUP BY {groups}) "
        f"SELECT {columns} FROM {table.name} t JOIN n ON {same_group} "
        f'AND t."{table.time}" = n.newest_time{where} '
        f"QUALIFY row_number() OVER (PARTITION BY {groups} ORDER BY {greatest_key}) = 1"
    ), parameters * 2


def _where(table: RecordTable, query: RecordQuery) -> tuple[str, list[str | int]]:
    conditions: list[str] = []
    parameters: list[str | int] = []
    for name, values in query.where.items():
        conditions.append(f't."{name}" IN ({", ".join("?" * len(values))})' if values else "false")
        parameters += values
    for function, texts in (("starts_with", query.starts_with), ("ends_with", query.ends_with)):
        for name, text in texts.items():
            conditions.append(f'{function}(t."{name}", ?)')
            parameters.append(text)
    if query.span is not None:
        conditions += [f't."{table.time}" >= {TIME}', f't."{table.time}" < {TIME}']
        # Beyond these nothing is stored, and DuckDB's conversion to a timestamp ends there too.
        parameters += [min(max(at, FIRST_MS), LAST_MS) for at in (query.span.start_ms, query.span.end_ms)]
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), parameters


def _columns(names: Sequence[str]) -> str:
    return ", ".join(f't."{name}"' for name in names)
