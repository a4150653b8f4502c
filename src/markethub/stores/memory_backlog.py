"""How much lies after a revision of a store in memory."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.selection import Selection
from markethub.domain.symbol import Series
from markethub.ports.replication import Backlog
from markethub.stores.memory_records import MemoryRecords, SharedLife, to_rows
from markethub.stores.memory_tables import StoredRecords, StoredSeries
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.records import RecordTable
from markethub.tables.selected import select_rows, takes_claim, takes_table

_REVISION = "backlog_revision"


class _Part(NamedTuple):
    """Some of what lies after the revision; ``first`` is the oldest revision among it."""

    rows: int
    first: int


def read_backlog(
    life: SharedLife,
    series: Mapping[Series, StoredSeries],
    records: MemoryRecords,
    after: int,
    selection: Selection,
) -> Backlog:
    """Read while ``life`` is held open, as ``ReplicaStore.read_backlog`` says."""
    if after >= life.revision:
        return Backlog(0, 0, None)
    parts = [
        part
        for one, stored in series.items()
        if selection.takes_series(one)
        for part in _parts_of_series(stored, after)
    ]
    for name, table in RECORD_TABLES.items():
        if takes_table(selection, table):
            parts += _parts_of_table(table, records.tables[name], after, selection)
    first = min((part.first for part in parts), default=None)
    return Backlog(
        life.revision - after,
        sum(part.rows for part in parts),
        None if first is None else life.time_of(first),
    )


def _parts_of_series(stored: StoredSeries, after: int) -> Iterator[_Part]:
    for key, revision in stored.written.items():
        if revision > after:
            yield _Part(int(isinstance(key, int)), revision)
    yield from (
        _Part(0, revision) for revision, _ in (*stored.cleared, *stored.unclaimed) if revision > after
    )


def _parts_of_table(
    table: RecordTable, stored: StoredRecords, after: int, selection: Selection
) -> Iterator[_Part]:
    rows = [
        {**stored.rows[key], _REVISION: revision}
        for key, revision in stored.written.items()
        if revision > after
    ]
    schema = table.schema.append(pa.field(_REVISION, pa.int64()))
    taken = select_rows(selection, table, to_rows(schema, rows))
    if len(taken):
        yield _Part(len(taken), pc.min(taken.column(_REVISION)).as_py())
    for (owner, _), revision in stored.claimed.items():
        if revision > after and takes_claim(selection, table, owner):
            yield _Part(0, revision)
    yield from (
        _Part(0, revision) for revision, _ in (*stored.deleted, *stored.unclaimed) if revision > after
    )
