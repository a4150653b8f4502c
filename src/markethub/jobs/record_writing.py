"""The way of records into the store."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from markethub.domain.span import Span
from markethub.engine.handler import Counters
from markethub.ports.clock import Clock
from markethub.ports.records import OwnerClaims, RecordStore
from markethub.ports.store import Coverage
from markethub.tables.records import RecordTable

REST = "rest"
NO_RECORDS: Counters = {"processed": 0, "inserted": 0, "updated": 0, "unchanged": 0, "rejected": 0}
"""What a job that stored nothing has done; inserted + updated + unchanged = processed."""


@dataclass(slots=True)
class RecordWriting:
    """Stores tables of records and counts what that did in ``counters``, nothing before it is durable."""

    records: RecordStore
    clock: Clock
    counters: Counter[str]

    async def store(self, table: RecordTable, rows: pa.Table, claims: Sequence[OwnerClaims] = ()) -> None:
        """Write rows and claims in one transaction."""
        # In a thread: it checks every row, and waits while the store's queue is full.
        written = await asyncio.to_thread(self.records.upsert_records, table, rows, claims)
        counts = await asyncio.wrap_future(written)
        self.counters["processed"] += len(rows)
        self.counters["inserted"] += counts.inserted
        self.counters["updated"] += counts.updated
        self.counters["unchanged"] += counts.unchanged

    def claim(self, owner: str, spans: Sequence[Span]) -> list[OwnerClaims]:
        """The claim, checked now, that the store has all of ``owner`` in ``spans``; none for no spans."""
        now_ms = self.clock()
        return [OwnerClaims(owner, [Coverage(span, REST, now_ms) for span in spans])] if spans else []

    def claim_moment(self, owner: str, time_ms: int) -> list[OwnerClaims]:
        """The claim of a snapshot taken at ``time_ms``."""
        return self.claim(owner, [Span(time_ms, time_ms + 1)])

    def describe(self) -> str:
        """The counts in words, as the log tells them."""
        return ", ".join(
            f"{self.counters[name]} {name}"
            for name in NO_RECORDS
            if name != "processed" and (self.counters[name] or name != "rejected")
        )
