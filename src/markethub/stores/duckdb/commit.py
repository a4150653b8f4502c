"""One transaction for a batch of writes, of bars and of records."""

from collections.abc import Sequence

import duckdb

from markethub.ports.store import UpsertCounts
from markethub.stores.duckdb.batch import Write, apply_writes
from markethub.stores.duckdb.frames import transaction
from markethub.stores.duckdb.record_batch import RecordWrite, apply_record_writes
from markethub.stores.duckdb.record_keys import KnownKeys
from markethub.stores.duckdb.state import Stage, StoreState

AnyWrite = Write | RecordWrite


class Committer:
    """Commits batches on the writer's connection and keeps ``state`` in step with the file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, state: StoreState) -> None:
        self._connection = connection
        self._state = state
        self._keys = KnownKeys(connection)

    def commit(self, writes: Sequence[AnyWrite]) -> list[UpsertCounts]:
        """Commit the writes as if one after the other, and tell what each did.

        All or nothing: on any error the file and the state are as before.
        """
        bars = [write for write in writes if isinstance(write, Write)]
        records = [write for write in writes if isinstance(write, RecordWrite)]
        stage = Stage(self._state)
        with transaction(self._connection):
            bar_counts = iter(apply_writes(self._connection, stage, self._state.hot_from_ms, bars))
            record_counts = iter(apply_record_writes(self._connection, stage, self._keys, records))
            stage.save(self._connection)
        stage.publish()
        return [next(bar_counts if isinstance(write, Write) else record_counts) for write in writes]
