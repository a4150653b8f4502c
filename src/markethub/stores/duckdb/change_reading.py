"""What some revisions did, read from one snapshot."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from markethub.domain.errors import ConflictError
from markethub.domain.interval import Interval
from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series, Symbol
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import ChangeSet, RecordPatch, SeriesPatch
from markethub.ports.store import Coverage
from markethub.stores.duckdb.bulk_reading import ALL_REVISIONS, Window, read_bars_of
from markethub.stores.duckdb.change_log import (
    CLEARED,
    WRITTEN,
    parse_keys,
    parse_owners,
    time_of,
    trimmed_to,
)
from markethub.stores.duckdb.schema import name_columns
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.klines import empty_klines
from markethub.tables.records import RecordTable
from markethub.tables.selected import select_rows, takes_claim, takes_table

_MOST_ENTRIES = 200_000
"""Of the log, read at once; a minute sync of thousands of series writes one entry a series."""


@dataclass(slots=True)
class _Found:
    """What is known of one series that changed."""

    series: Series
    extent: Span | None = None
    bars: pa.Table = field(default_factory=empty_klines)
    claims: list[Coverage] = field(default_factory=list)
    cleared: list[Span] = field(default_factory=list)
    unclaimed: list[Span] = field(default_factory=list)


def read_change_set(
    connection: duckdb.DuckDBPyConnection, after: int, most_rows: int, selection: Selection
) -> ChangeSet:
    """Read inside an open transaction, as ``ReplicaStore.read_changes`` says."""
    newest = newest_revision(connection)
    oldest = trimmed_to(connection)
    if after > newest:
        raise ConflictError(f"revision {after} lies ahead of the store, whose newest is {newest}")
    if after < oldest:
        raise ConflictError(
            f"changes after revision {after} were trimmed: the oldest that is known follows {oldest}"
        )
    tables = _changed_tables(connection, after)
    window = Window(after, _choose_end(connection, tables, Window(after, newest), most_rows))
    after_ms = time_of(connection, after)
    if window.upto == after:
        return ChangeSet(after, after, newest, after_ms=after_ms, upto_ms=after_ms)
    return ChangeSet(
        after,
        window.upto,
        newest,
        _read_series(connection, window, selection),
        [
            patch
            for table in tables
            if takes_table(selection, table)
            and (patch := _read_records(connection, window, selection, table)) is not None
        ],
        after_ms,
        time_of(connection, window.upto),
    )


def newest_revision(connection: duckdb.DuckDBPyConnection) -> int:
    """The store's newest revision in this snapshot."""
    ((newest,),) = connection.sql(
        "SELECT greatest((SELECT coalesce(max(revision), 0) FROM series), "
        "(SELECT coalesce(max(revision), 0) FROM record_tables))"
    ).fetchall()
    return int(newest)


def _changed_tables(connection: duckdb.DuckDBPyConnection, after: int) -> list[RecordTable]:
    found = connection.sql("SELECT name FROM record_tables WHERE revision > ?", params=[after]).fetchall()
    names = {name for (name,) in found}
    return [table for name, table in RECORD_TABLES.items() if name in names]


def _choose_end(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[RecordTable], window: Window, most_rows: int
) -> int:
    """The revision to stop at: as many whole ones as hold ``most_rows`` rows, but one at least."""
    widths = ", ".join(f"('{interval.value}', {interval.width_ms})" for interval in Interval)
    entries = (
        # An entry from before version 3 has no count: its span bounds it.
        "SELECT c.revision, coalesce(c.rows, (c.end_ms - c.start_ms) // w.width_ms) AS size "
        f"FROM changes c JOIN series s ON c.series = s.id JOIN (VALUES {widths}) w(interval, width_ms) "
        "ON s.interval = w.interval WHERE c.revision > ? ORDER BY c.revision LIMIT ?"
    )
    rows = "".join(
        f" UNION ALL SELECT revision, {table.row_weight} FROM {table.name} WHERE revision > ?"
        for table in tables
    )
    ((fitting, first, is_cut, last, total),) = connection.sql(
        f"WITH entries AS ({entries}), sizes AS (SELECT revision, sum(size) AS size "
        f"FROM (FROM entries{rows}) GROUP BY revision), "
        "totals AS (SELECT revision, sum(size) OVER (ORDER BY revision) AS total FROM sizes) "
        "SELECT max(revision) FILTER (total <= ?), min(revision), (SELECT count(*) FROM entries) = ?, "
        "(SELECT max(revision) FROM entries), max(total) FROM totals",
        params=[window.after, _MOST_ENTRIES, *[window.after] * len(tables), most_rows, _MOST_ENTRIES],
    ).fetchall()
    if first is None:
        return window.upto
    # The last revision of a cut list may have more entries.
    end = max(last - 1, first) if is_cut else window.upto
    return min(end, first if fitting is None else fitting) if total > most_rows else end


def _read_series(
    connection: duckdb.DuckDBPyConnection, window: Window, selection: Selection
) -> list[SeriesPatch]:
    if not selection.takes_kind(DataKind.KLINE):
        return []
    found = _read_entries(connection, window, selection)
    for interval in Interval:
        wanted = {
            series_id: one.extent
            for series_id, one in found.items()
            if one.series.interval is interval and one.extent is not None
        }
        if spans := list(wanted.values()):
            extent = Span(min(span.start_ms for span in spans), max(span.end_ms for span in spans))
            for series_id, bars in read_bars_of(connection, interval, list(wanted), extent, window):
                found[series_id].bars = bars
    rows = connection.sql(
        "SELECT series, start_ms, end_ms, source, checked_ms FROM coverage "
        "WHERE revision > ? AND revision <= ? ORDER BY ALL",
        params=window.bounds,
    ).fetchall()
    for series_id, start_ms, end_ms, source, checked_ms in rows:
        if series_id in found:
            found[series_id].claims.append(Coverage(Span(start_ms, end_ms), source, checked_ms))
    patches = (
        SeriesPatch(one.series, one.bars, one.claims, one.cleared, one.unclaimed) for one in found.values()
    )
    return sorted(patches, key=lambda patch: patch.series)


def _read_entries(
    connection: duckdb.DuckDBPyConnection, window: Window, selection: Selection
) -> dict[int, _Found]:
    rows = connection.sql(
        "SELECT c.series, any_value(s.symbol), any_value(s.interval), "
        "min(c.start_ms) FILTER (is_bars), max(c.end_ms) FILTER (is_bars) "
        f"FROM (SELECT *, kind = {WRITTEN} AND coalesce(rows, 1) > 0 AS is_bars FROM changes) c "
        "JOIN series s ON c.series = s.id WHERE c.revision > ? AND c.revision <= ? GROUP BY c.series",
        params=window.bounds,
    ).fetchall()
    found: dict[int, _Found] = {}
    for series_id, symbol, interval, start_ms, end_ms in rows:
        series = Series(Symbol.parse(symbol), Interval(interval))
        if selection.takes_series(series):
            found[series_id] = _Found(series, None if start_ms is None else Span(start_ms, end_ms))
    gone = connection.sql(
        "SELECT series, start_ms, end_ms, kind FROM changes "
        f"WHERE revision > ? AND revision <= ? AND kind <> {WRITTEN} ORDER BY revision",
        params=window.bounds,
    ).fetchall()
    for series_id, start_ms, end_ms, kind in gone:
        if series_id in found:
            spans = found[series_id].cleared if kind == CLEARED else found[series_id].unclaimed
            spans.append(Span(start_ms, end_ms))
    return found


def _read_records(
    connection: duckdb.DuckDBPyConnection, window: Window, selection: Selection, table: RecordTable
) -> RecordPatch | None:
    columns = name_columns(tuple(table.schema.names))
    key = name_columns(table.key)
    rows = (
        connection.sql(
            f"SELECT {columns} FROM {table.name} WHERE revision > ? AND revision <= ? ORDER BY {key}",
            params=window.bounds,
        )
        .to_arrow_table()
        .cast(table.schema)
    )
    deleted = connection.sql(
        'SELECT key FROM record_deletions WHERE "table" = ? AND revision > ? AND revision <= ? '
        "ORDER BY revision",
        params=[table.name, *window.bounds],
    ).fetchall()
    gone = [text for (text,) in deleted]
    patch = RecordPatch(
        table,
        select_rows(selection, table, rows),
        parse_keys(table, gone),
        [
            told
            for told in read_owner_claims(connection, table, window)
            if takes_claim(selection, table, told.owner)
        ],
        [owner for owner in parse_owners(gone) if takes_claim(selection, table, owner)],
    )
    return None if patch.is_empty else patch


def read_owner_claims(
    connection: duckdb.DuckDBPyConnection, table: RecordTable, window: Window = ALL_REVISIONS
) -> list[OwnerClaims]:
    """The claims of a table that the window wrote, ascending by owner."""
    rows = connection.sql(
        'SELECT owner, start_ms, end_ms, source, checked_ms FROM record_coverage WHERE "table" = ? '
        "AND revision > ? AND revision <= ? ORDER BY ALL",
        params=[table.name, *window.bounds],
    ).fetchall()
    claims: defaultdict[str, list[Coverage]] = defaultdict(list)
    for owner, start_ms, end_ms, source, checked_ms in rows:
        claims[owner].append(Coverage(Span(start_ms, end_ms), source, checked_ms))
    return [OwnerClaims(owner, told) for owner, told in claims.items()]
