"""A whole store: series, records, and the side that replication works with."""

from typing import Protocol

from markethub.ports.records import RecordStore
from markethub.ports.replication import ReplicaStore
from markethub.ports.store import SeriesStore


class DataStore(SeriesStore, Protocol):
    """All three share one life: one file, one order of revisions, and ``close`` ends them together."""

    @property
    def records(self) -> RecordStore: ...

    @property
    def replica(self) -> ReplicaStore: ...
