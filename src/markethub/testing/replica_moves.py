"""What the suites of replicas do to stores, and what they compare."""

# ruff: noqa: S101 - assert is how pytest speaks

from collections.abc import Sequence
from typing import Any

from markethub.domain.selection import EVERYTHING, Selection
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import ChangeSet, Patch, PatchCounts, RecordPatch, SeriesPatch
from markethub.ports.store import Coverage
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.fills import FILLS
from markethub.testing.record_rows import ALWAYS, fills_at
from markethub.testing.store_contract import T0, minute_span

ENOUGH = 1_000_000
"""More rows than any test stores."""
OWNER = "OKX_MM01"
"""Whose fills the tests store."""


def content_of(store: DataStore) -> dict[str, Any]:
    """Every row and claim, without revisions: equal where two stores hold the same."""
    series = {
        str(one.series): (store.read(one.series).to_pylist(), store.covered(one.series, ALWAYS))
        for one in store.summaries()
        if one.rows or store.covered(one.series, ALWAYS)
    }
    tables = {
        name: sorted(store.records.read_records(table).to_pylist(), key=repr)
        for name, table in RECORD_TABLES.items()
    }
    return {
        "series": series,
        "tables": tables,
        "claims": store.records.covered_records(FILLS, OWNER, ALWAYS),
    }


def follow(
    source: DataStore,
    target: DataStore,
    *,
    after: int = 0,
    most_rows: int = ENOUGH,
    selection: Selection = EVERYTHING,
) -> int:
    """Bring every change after ``after`` from one store to the other; return the revision reached."""
    while True:
        changes = follow_set(source, target, after, most_rows, selection)
        if changes.upto == changes.newest:
            return changes.upto
        assert changes.upto > after
        after = changes.upto


def follow_set(
    source: DataStore, target: DataStore, after: int, most_rows: int, selection: Selection
) -> ChangeSet:
    """Bring the next set of changes after ``after`` from one store to the other."""
    changes = source.replica.read_changes(after, most_rows, selection)
    target.replica.apply_patch(Patch(changes.series, changes.records)).result()
    return changes


def clear(target: DataStore, *patches: SeriesPatch) -> PatchCounts:
    """Apply patches of series."""
    return target.replica.apply_patch(Patch(patches)).result()


def delete_fills(store: DataStore, *numbers: int) -> PatchCounts:
    """Delete the fills that ``fills_at`` made of these numbers."""
    keys = fills_at(*numbers).select(list(FILLS.key))
    return store.replica.apply_patch(Patch((), (RecordPatch(FILLS, FILLS.empty(), keys),))).result()


def claims_patch(*told: OwnerClaims, unclaimed: Sequence[str] = ()) -> Patch:
    """About the owners of fills, without a row."""
    keys = FILLS.empty().select(list(FILLS.key))
    return Patch(records=[RecordPatch(FILLS, FILLS.empty(), keys, told, unclaimed)])


def claim(start: int, stop: int, source: str = "rest", checked_ms: int = T0) -> Coverage:
    return Coverage(minute_span(start, stop), source, checked_ms)
