"""The log of changes: what each revision did, as far as rows do not tell it by their own revisions.

An entry of ``changes`` says where a revision wrote bars or claims of a series (``WRITTEN``, with the number
of bars), where bars are gone (``CLEARED``: each span holds only grid points whose bar was deleted by it), and
where claims are (``UNCLAIMED``). Entries of files before version 3 do not tell the number of bars. Records
need no entries but for what is gone: ``record_deletions`` keeps the keys of rows, and the owners whose claims
were taken back.
"""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Iterable
from typing import NamedTuple

import duckdb
import orjson
import pyarrow as pa

from markethub.domain.span import Span
from markethub.stores.duckdb.frames import insert_rows
from markethub.tables.records import TIME, RecordTable

WRITTEN, CLEARED, UNCLAIMED = 0, 1, 2
_OWNER = "@"  # no JSON begins so
TRIMMED = "changes_trimmed_to"
"""The key in the table ``meta`` of the newest revision whose entries may be gone."""


class LoggedChange(NamedTuple):
    """One entry; ``series`` is an id, ``rows`` counts bars that were inserted or updated."""

    revision: int
    series: int
    span: Span
    rows: int
    kind: int


def log_changes(connection: duckdb.DuckDBPyConnection, entries: Iterable[LoggedChange]) -> None:
    """Append entries in the open transaction."""
    values = [
        (one.revision, one.series, one.span.start_ms, one.span.end_ms, one.rows, one.kind) for one in entries
    ]
    if not values:
        return
    columns = zip(*values, strict=True)
    names = ["revision", "series", "start_ms", "end_ms", "rows", "kind"]
    arrays = [pa.array(column, pa.int64()) for column in columns]
    insert_rows(connection, "changes", pa.Table.from_arrays(arrays, names=names))


def log_deletions(
    connection: duckdb.DuckDBPyConnection, table: RecordTable, keys: pa.Table, revision: int
) -> None:
    """Note in the open transaction that the rows of ``keys`` (times without a zone) are gone."""
    texts = [
        orjson.dumps(key).decode()
        for key in zip(*(_plain(keys.column(name)) for name in table.key), strict=True)
    ]
    rows = pa.table(
        {
            "revision": pa.array([revision] * len(texts), pa.int64()),
            "table": [table.name] * len(texts),
            "key": texts,
        }
    )
    insert_rows(connection, "record_deletions", rows)


def log_unclaimed(
    connection: duckdb.DuckDBPyConnection, table: RecordTable, owner: str, revision: int
) -> None:
    """Note in the open transaction that claims about ``owner`` were taken back."""
    rows = pa.table(
        {"revision": pa.array([revision], pa.int64()), "table": [table.name], "key": [_OWNER + owner]}
    )
    insert_rows(connection, "record_deletions", rows)


def log_time(connection: duckdb.DuckDBPyConnection, revision: int, now_ms: int) -> None:
    """Note in the open transaction when its revisions, of which ``revision`` is the last, are written."""
    connection.execute("INSERT INTO revision_times VALUES (?, ?)", [revision, now_ms])


def time_of(connection: duckdb.DuckDBPyConnection, revision: int) -> int | None:
    """When a revision was written; None where no file of this version wrote it."""
    ((at_ms,),) = connection.sql(
        "SELECT arg_min(at_ms, revision) FROM revision_times WHERE revision >= ?", params=[revision]
    ).fetchall()
    return None if at_ms is None or revision == 0 else int(at_ms)


def parse_owners(texts: Iterable[str]) -> list[str]:
    """The owners that ``log_unclaimed`` wrote, each once."""
    return list(dict.fromkeys(text.removeprefix(_OWNER) for text in texts if text.startswith(_OWNER)))


def parse_keys(table: RecordTable, texts: Iterable[str]) -> pa.Table:
    """The key columns that ``log_deletions`` wrote, each key once."""
    keys = [orjson.loads(text) for text in dict.fromkeys(texts) if not text.startswith(_OWNER)]
    fields = [table.schema.field(name) for name in table.key]
    columns = [pa.array([key[place] for key in keys], field.type) for place, field in enumerate(fields)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def trimmed_to(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest revision whose entries may be gone; 0 if all are there."""
    found = connection.sql("SELECT value FROM meta WHERE key = ?", params=[TRIMMED]).fetchall()
    return int(found[0][0]) if found else 0


def trim_entries(connection: duckdb.DuckDBPyConnection, revision: int) -> int:
    """Delete the entries up to ``revision`` in the open transaction; return how many there were."""
    gone = 0
    for table in ("changes", "record_deletions"):
        ((deleted,),) = connection.execute(f"DELETE FROM {table} WHERE revision <= ?", [revision]).fetchall()
        gone += int(deleted)
    # that of the oldest one stays: by it a follower knows the history again
    connection.execute("DELETE FROM revision_times WHERE revision < ?", [revision])
    if gone:
        connection.execute("DELETE FROM meta WHERE key = ?", [TRIMMED])
        connection.execute("INSERT INTO meta VALUES (?, ?)", [TRIMMED, str(revision)])
    return gone


def zoneless(rows: pa.Table) -> pa.Table:
    """The rows with times as DuckDB has them: it would convert zoned ones row by row."""
    fields = [field.with_type(pa.timestamp("ms")) if field.type == TIME else field for field in rows.schema]
    return rows.cast(pa.schema(fields))


def _plain(column: pa.ChunkedArray) -> list[object]:
    values: list[object] = (
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    ).to_pylist()
    return values
