"""What some revisions did, read from one snapshot."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import duckdb
import numpy as np
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
from markethub.stores.duckdb.change_log import (
    CLEARED,
    UNCLAIMED,
    WRITTEN,
    parse_keys,
    parse_owners,
    trimmed_to,
)
from markethub.stores.duckdb.frames import TIME, incoming
from markethub.stores.duckdb.schema import bars_table, name_columns
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.klines import KLINES, empty_klines
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


@dataclass(frozen=True, slots=True)
class Window:
    """Revisions ``after < revision <= upto``."""

    after: int
    upto: int

    @property
    def bounds(self) -> list[int]:
        return [self.after, self.upto]


ALL_REVISIONS = Window(0, 2**63 - 1)


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
    window = Window(after, _choose_end(connection, after, newest, most_rows))
    if window.upto == after:
        return ChangeSet(after, after, newest)
    return ChangeSet(
        after,
        window.upto,
        newest,
        _read_series(connection, window, selection),
        [
            patch
            for table in RECORD_TABLES.values()
            if takes_table(selection, table)
            and (patch := _read_records(connection, window, selection, table)) is not None
        ],
    )


def newest_revision(connection: duckdb.DuckDBPyConnection) -> int:
    """The store's newest revision in this snapshot."""
    ((newest,),) = connection.sql(
        "SELECT greatest((SELECT coalesce(max(revision), 0) FROM series), "
        "(SELECT coalesce(max(revision), 0) FROM record_tables))"
    ).fetchall()
    return int(newest)


def _choose_end(connection: duckdb.DuckDBPyConnection, after: int, newest: int, most_rows: int) -> int:
    """The revision to stop at: as many whole ones as hold ``most_rows`` rows, but one at least."""
    widths = ", ".join(f"('{interval.value}', {interval.width_ms})" for interval in Interval)
    sizes: defaultdict[int, int] = defaultdict(int)
    entries = connection.sql(
        # An entry from before version 3 has no count: its span bounds it.
        "SELECT c.revision, coalesce(c.rows, (c.end_ms - c.start_ms) // w.width_ms) "
        f"FROM changes c JOIN series s ON c.series = s.id JOIN (VALUES {widths}) w(interval, width_ms) "
        "ON s.interval = w.interval WHERE c.revision > ? ORDER BY c.revision LIMIT ?",
        params=[after, _MOST_ENTRIES],
    ).fetchall()
    for revision, rows in entries:
        sizes[revision] += rows
    # The last revision of a cut list may have more entries.
    end = newest if len(entries) < _MOST_ENTRIES else max(entries[-1][0] - 1, after + 1)
    for table in RECORD_TABLES.values():
        counted = connection.sql(
            f"SELECT revision, count(*) FROM {table.name} WHERE revision > ? AND revision <= ? "
            "GROUP BY revision ORDER BY revision LIMIT ?",
            params=[after, end, most_rows + 1],
        ).fetchall()
        for revision, rows in counted:
            sizes[revision] += rows
    total = 0
    reached = after
    for revision in sorted(sizes):
        if revision > end:
            break
        total += sizes[revision]
        if total > most_rows and reached > after:
            return reached
        reached = revision
    return end


def _read_series(
    connection: duckdb.DuckDBPyConnection, window: Window, selection: Selection
) -> list[SeriesPatch]:
    if not selection.takes_kind(DataKind.KLINE):
        return []
    found = _read_entries(connection, window, selection)
    for interval in Interval:
        wanted = {
            series_id: one
            for series_id, one in found.items()
            if one.series.interval is interval and one.extent is not None
        }
        if wanted:
            for series_id, bars in _read_bars(connection, interval, wanted, window):
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
        "SELECT c.series, s.symbol, s.interval, c.start_ms, c.end_ms, coalesce(c.rows, 1), c.kind "
        "FROM changes c JOIN series s ON c.series = s.id "
        "WHERE c.revision > ? AND c.revision <= ? ORDER BY c.revision",
        params=window.bounds,
    ).fetchall()
    found: dict[int, _Found] = {}
    passed: set[int] = set()
    for series_id, symbol, interval, start_ms, end_ms, bars, kind in rows:
        if series_id in passed:
            continue
        if series_id not in found:
            series = Series(Symbol.parse(symbol), Interval(interval))
            if not selection.takes_series(series):
                passed.add(series_id)
                continue
            found[series_id] = _Found(series)
        one, span = found[series_id], Span(start_ms, end_ms)
        if kind == CLEARED:
            one.cleared.append(span)
        elif kind == UNCLAIMED:
            one.unclaimed.append(span)
        elif kind == WRITTEN and bars:
            old = one.extent or span
            one.extent = Span(min(old.start_ms, start_ms), max(old.end_ms, end_ms))
    return found


def _read_bars(
    connection: duckdb.DuckDBPyConnection, interval: Interval, wanted: Mapping[int, _Found], window: Window
) -> Iterator[tuple[int, pa.Table]]:
    """The bars of these series that the window wrote, by series id."""
    spans = [one.extent for one in wanted.values() if one.extent is not None]
    columns = name_columns(tuple(KLINES.names))
    # Zone maps prune by these bounds, not by the join.
    where = (
        f"t.series BETWEEN ? AND ? AND t.open_time >= {TIME} AND t.open_time < {TIME} "
        "AND t.revision > ? AND t.revision <= ?"
    )
    values = [
        min(wanted),
        max(wanted),
        min(span.start_ms for span in spans),
        max(span.end_ms for span in spans),
        *window.bounds,
    ]
    tables = [bars_table(interval, is_hot=is_hot) for is_hot in (False, True)]
    query = " UNION ALL ".join(
        f"SELECT t.series, {columns} FROM {table} t JOIN incoming i ON t.series = i.series WHERE {where}"
        for table in tables
    )
    with incoming(connection, pa.table({"series": pa.array(sorted(wanted), pa.int32())})):
        rows = connection.sql(
            f"SELECT * FROM ({query}) ORDER BY series, open_time", params=values * len(tables)
        ).to_arrow_table()
    if not len(rows):
        return
    bars = rows.drop_columns(["series"]).cast(KLINES)
    ids = rows.column("series").to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(ids)) + 1).tolist(), len(ids)]
    for start, end in pairwise(starts):
        yield int(ids[start]), bars.slice(start, end - start)


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
