"""Patches of a replica, inside one transaction: what goes, then what comes."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import Patch, PatchCounts, RecordPatch, SeriesPatch
from markethub.ports.store import EVER, UpsertCounts
from markethub.stores.claims import take_claims
from markethub.stores.duckdb.batch import Entry, apply_writes
from markethub.stores.duckdb.change_log import (
    CLEARED,
    UNCLAIMED,
    WRITTEN,
    LoggedChange,
    log_changes,
    log_deletions,
    log_unclaimed,
    zoneless,
)
from markethub.stores.duckdb.claim_replacing import replace_claims
from markethub.stores.duckdb.claim_rows import RECORD_CLAIMS, SERIES_CLAIMS
from markethub.stores.duckdb.frames import TIME, incoming
from markethub.stores.duckdb.record_batch import RecordWrite, apply_record_writes
from markethub.stores.duckdb.record_keys import KnownKeys
from markethub.stores.duckdb.schema import bars_table
from markethub.stores.duckdb.state import SeriesState, Stage

MARK = "mark:"
"""What the name of a mark begins with in the table ``meta``."""


def apply_patch(
    connection: duckdb.DuckDBPyConnection,
    stage: Stage,
    keys: KnownKeys,
    hot_from_ms: Mapping[Interval, int],
    patch: Patch,
) -> PatchCounts:
    """Do an admitted patch in the open transaction."""
    deleted = 0
    for one in patch.series:
        deleted += _clear_bars(connection, stage, one)
        if one.unclaimed:
            _replace_claims(connection, stage, one)
    entries = [Entry(one.series, one.bars, () if one.unclaimed else one.claims) for one in patch.series]
    counts = apply_writes(connection, stage, hot_from_ms, entries, take_claims)
    for table_patch in patch.records:
        deleted += _delete_records(connection, stage, table_patch)
        for owner in table_patch.unclaimed:
            _replace_owner_claims(connection, stage, table_patch, owner)
    writes = [RecordWrite(one.table, one.rows, _other_claims(one)) for one in patch.records]
    counts += apply_record_writes(connection, stage, keys, writes, take_claims)
    write_marks(connection, patch.marks)
    return _add_up(counts, deleted)


def _other_claims(patch: RecordPatch) -> tuple[OwnerClaims, ...]:
    return tuple(told for told in patch.claims if told.owner not in patch.unclaimed)


def write_marks(connection: duckdb.DuckDBPyConnection, marks: Mapping[str, str | None]) -> None:
    """Write marks into the open transaction; None removes one."""
    for name, value in marks.items():
        connection.execute("DELETE FROM meta WHERE key = ?", [MARK + name])
        if value is not None:
            connection.execute("INSERT INTO meta VALUES (?, ?)", [MARK + name, value])


def _add_up(counts: Iterable[UpsertCounts], deleted: int) -> PatchCounts:
    told = list(counts)
    return PatchCounts(
        inserted=sum(one.inserted for one in told),
        updated=sum(one.updated for one in told),
        unchanged=sum(one.unchanged for one in told),
        deleted=deleted,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where bars of a series may lie, and inside which times."""

    table: str
    series_id: int
    span: Span

    @property
    def where(self) -> str:
        return f"series = ? AND open_time >= {TIME} AND open_time < {TIME}"

    @property
    def values(self) -> list[int]:
        return [self.series_id, self.span.start_ms, self.span.end_ms]


def _clear_bars(connection: duckdb.DuckDBPyConnection, stage: Stage, patch: SeriesPatch) -> int:
    state = stage.series(patch.series)
    if not patch.cleared or state.first_ms is None or state.last_ms is None:
        return 0
    extent = Span(state.first_ms, state.last_ms + 1)
    spans = [inside for span in merge(patch.cleared) if (inside := span.intersect(extent))]
    kept = patch.bars.column("open_time").cast(pa.int64()).to_numpy()
    gone: list[npt.NDArray[np.int64]] = []
    for is_hot in (False, True):
        for span in spans:
            place = _Place(bars_table(patch.series.interval, is_hot=is_hot), state.id, span)
            gone.append(_delete_others(connection, place, kept))
    times = np.sort(np.concatenate(gone)) if gone else np.empty(0, np.int64)
    if not len(times):
        return 0
    _recount(connection, state, len(times))
    revision = stage.take_revision(state)
    runs = _runs(times, patch.series.interval.width_ms)
    log_changes(connection, [LoggedChange(revision, state.id, run, 0, CLEARED) for run in runs])
    return len(times)


def _delete_others(
    connection: duckdb.DuckDBPyConnection, place: _Place, kept: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Delete the bars of ``place`` whose times are not among ``kept``, and return those times."""
    found = connection.sql(
        f"SELECT epoch_ms(open_time) AS ms FROM {place.table} WHERE {place.where}", params=place.values
    ).fetchnumpy()["ms"]
    stored = np.asarray(found, np.int64)
    gone = stored[~np.isin(stored, kept)]
    if len(gone):
        times = pa.array(gone).cast(pa.timestamp("ms"))
        with incoming(connection, pa.table({"open_time": times})):
            connection.execute(
                f"DELETE FROM {place.table} WHERE {place.where} "
                "AND open_time IN (SELECT open_time FROM incoming)",
                place.values,
            )
    return gone


def _recount(connection: duckdb.DuckDBPyConnection, state: SeriesState, deleted: int) -> None:
    state.rows -= deleted
    tables = [bars_table(state.series.interval, is_hot=is_hot) for is_hot in (False, True)]
    extent = " UNION ALL ".join(f"SELECT open_time FROM {table} WHERE series = ?" for table in tables)
    (ends,) = connection.sql(
        f"SELECT epoch_ms(min(open_time)), epoch_ms(max(open_time)) FROM ({extent})",
        params=[state.id] * len(tables),
    ).fetchall()
    state.first_ms, state.last_ms = ends


def _runs(times: npt.NDArray[np.int64], width_ms: int) -> list[Span]:
    """The ascending times as spans that hold no other point of the grid."""
    breaks = np.flatnonzero(np.diff(times) != width_ms) + 1
    return [Span(int(part[0]), int(part[-1]) + width_ms) for part in np.split(times, breaks)]


def _replace_claims(connection: duckdb.DuckDBPyConnection, stage: Stage, patch: SeriesPatch) -> None:
    state = stage.series(patch.series)
    replaced = replace_claims(connection, SERIES_CLAIMS, (state.id,), patch.unclaimed, patch.claims)
    if replaced is None:
        return
    revision = stage.take_revision(state)
    replaced.save(connection, revision)
    changes = [LoggedChange(revision, state.id, span, 0, UNCLAIMED) for span in replaced.lost]
    changes += [LoggedChange(revision, state.id, claim.span, 0, WRITTEN) for claim in replaced.new]
    log_changes(connection, changes)


def _replace_owner_claims(
    connection: duckdb.DuckDBPyConnection, stage: Stage, patch: RecordPatch, owner: str
) -> None:
    told = [claim for one in patch.claims if one.owner == owner for claim in one.claims]
    replaced = replace_claims(connection, RECORD_CLAIMS, (patch.table.name, owner), [EVER], told)
    if replaced is None:
        return
    revision = stage.take_record_revision(patch.table.name, 0)
    replaced.save(connection, revision)
    if replaced.lost:
        log_unclaimed(connection, patch.table, owner, revision)


def _delete_records(connection: duckdb.DuckDBPyConnection, stage: Stage, patch: RecordPatch) -> int:
    if not len(patch.deleted):
        return 0
    table = patch.table
    same_key = " AND ".join(f't."{name}" = i."{name}"' for name in table.key)
    with incoming(connection, zoneless(patch.deleted)):
        found = connection.sql(
            f"SELECT t.rowid AS row, i.* FROM {table.name} t JOIN incoming i ON {same_key}"
        ).to_arrow_table()
    if not len(found):
        return 0
    connection.execute(
        f"DELETE FROM {table.name} WHERE rowid IN (SELECT unnest(?))", [found.column("row").to_pylist()]
    )
    revision = stage.take_record_revision(table.name, -len(found))
    log_deletions(connection, table, found.select(list(table.key)), revision)
    return len(found)
