"""A store as its followers see it."""

import asyncio
from collections.abc import Callable

import pyarrow as pa

from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims, RecordQuery
from markethub.ports.replication import (
    ChangeSet,
    SeriesDigests,
    SnapshotPage,
    SourceState,
    TableDigests,
)
from markethub.ports.store import EVER, Coverage, SeriesSummary
from markethub.replication.digest import digest_months, digest_series
from markethub.replication.pages import read_snapshot_page
from markethub.tables.records import RecordTable
from markethub.tables.selected import select_rows, takes_claim


class StoreSource:
    """A ``ReplicaSource`` on a store of this process; ``epoch`` tells the reign of its node."""

    def __init__(self, store: DataStore, epoch: Callable[[], int]) -> None:
        self._store = store
        self._epoch = epoch

    async def read_state(self) -> SourceState:
        replica = self._store.replica
        newest = await asyncio.to_thread(replica.newest_revision)
        oldest = await asyncio.to_thread(replica.oldest_revision)
        newest_ms = await asyncio.to_thread(replica.written_ms, newest)
        return SourceState(replica.store_id, self._epoch(), newest, oldest, newest_ms)

    async def read_changes(self, after: int, most_rows: int, selection: Selection) -> ChangeSet:
        return await asyncio.to_thread(self._store.replica.read_changes, after, most_rows, selection)

    async def read_snapshot(self, cursor: str | None, most_rows: int, selection: Selection) -> SnapshotPage:
        return await asyncio.to_thread(read_snapshot_page, self._store, cursor, most_rows, selection)

    async def list_series(self, selection: Selection) -> list[SeriesSummary]:
        def find() -> list[SeriesSummary]:
            return [one for one in self._store.summaries() if selection.takes_series(one.series)]

        return await asyncio.to_thread(find)

    async def digest_series(self, series: Series) -> SeriesDigests:
        return await asyncio.to_thread(digest_stored_series, self._store, series)

    async def read_bars(self, series: Series, span: Span) -> pa.Table:
        return await asyncio.to_thread(self._store.read, series, span)

    async def digest_table(self, table: RecordTable, selection: Selection) -> TableDigests:
        return await asyncio.to_thread(digest_stored_table, self._store, table, selection)

    async def read_rows(self, table: RecordTable, span: Span, selection: Selection) -> pa.Table:
        rows = await asyncio.to_thread(self._store.records.read_records, table, RecordQuery(span=span))
        return select_rows(selection, table, rows)


def digest_stored_series(store: DataStore, series: Series) -> SeriesDigests:
    """What a store holds of a series; the revision is read last, so that no write in it is newer."""
    months, claims = digest_series(store, series), claims_of(store, series)
    return SeriesDigests(series, store.replica.series_revision(series), months, claims)


def claims_of(store: DataStore, series: Series) -> list[Coverage]:
    """All claims about a series, in an order that is equal for equal claims."""
    return sorted(store.covered(series, EVER), key=lambda claim: (claim.source, claim.span))


def digest_stored_table(store: DataStore, table: RecordTable, selection: Selection) -> TableDigests:
    """What a store holds of a table, as far as ``selection`` takes it."""
    claims = [
        OwnerClaims(told.owner, sorted(told.claims, key=lambda claim: (claim.source, claim.span)))
        for told in store.replica.read_record_claims(table)
        if takes_claim(selection, table, told.owner)
    ]
    months = digest_months(store.records, table, selection)
    return TableDigests(table, store.replica.record_revision(table), months, claims)
