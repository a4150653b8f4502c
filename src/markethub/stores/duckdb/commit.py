"""One transaction for a batch of writes, of bars and of records."""

from collections.abc import Iterator, Sequence
from itertools import islice

import duckdb

from markethub.ports.clock import Clock
from markethub.ports.replication import Patch, PatchCounts
from markethub.ports.store import UpsertCounts
from markethub.stores.duckdb.batch import Write, WriteSet, apply_writes
from markethub.stores.duckdb.change_log import log_time, trim_entries
from markethub.stores.duckdb.frames import transaction, translated
from markethub.stores.duckdb.patches import apply_patch
from markethub.stores.duckdb.record_batch import RecordWrite, apply_record_writes
from markethub.stores.duckdb.record_keys import KnownKeys
from markethub.stores.duckdb.state import Stage, StoreState

AnyWrite = Write | WriteSet | RecordWrite
Counts = UpsertCounts | list[UpsertCounts]
"""What one write did; of a set, what each of its writes did."""


class Committer:
    """Commits batches on the writer's connection and keeps ``state`` in step with the file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, state: StoreState, clock: Clock) -> None:
        self._connection = connection
        self._state = state
        self._clock = clock
        self._keys = KnownKeys(connection)

    def commit(self, writes: Sequence[AnyWrite]) -> list[Counts]:
        """Commit the writes as if one after the other, and tell what each did.

        All or nothing: on any error the file and the state are as before.
        """
        entries = [entry for write in writes if not isinstance(write, RecordWrite) for entry in write.entries]
        records = [write for write in writes if isinstance(write, RecordWrite)]
        stage = Stage(self._state)
        with transaction(self._connection):
            bar_counts = iter(apply_writes(self._connection, stage, self._state.hot_from_ms, entries))
            record_counts = iter(apply_record_writes(self._connection, stage, self._keys, records))
            self._save(stage)
        stage.publish()
        return [_take_counts(write, bar_counts, record_counts) for write in writes]

    def apply_patch(self, patch: Patch) -> PatchCounts:
        """Commit an admitted patch; all or nothing, as ``commit``."""
        stage = Stage(self._state)
        with translated("applying a patch"), transaction(self._connection):
            counts = apply_patch(self._connection, stage, self._keys, self._state.hot_from_ms, patch)
            self._save(stage)
        stage.publish()
        return counts

    def trim_changes(self, keep_revisions: int) -> int:
        """Forget the changes of all but the newest revisions; return how many entries went."""
        with translated("trimming the change log"), transaction(self._connection):
            return trim_entries(self._connection, max(self._state.revision - keep_revisions, 0))

    def _save(self, stage: Stage) -> None:
        stage.save(self._connection)
        if stage.revision > self._state.revision:
            log_time(self._connection, stage.revision, self._clock())


def _take_counts(write: AnyWrite, bars: Iterator[UpsertCounts], records: Iterator[UpsertCounts]) -> Counts:
    match write:
        case WriteSet():
            return list(islice(bars, len(write.entries)))
        case Write():
            return next(bars)
        case RecordWrite():
            return next(records)
