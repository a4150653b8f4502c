"""The contents of two stores, compared by digests a month at a time, and the patches that make them equal."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import pyarrow as pa

from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.data_store import DataStore
from markethub.ports.records import RecordQuery
from markethub.ports.replication import (
    Patch,
    RecordPatch,
    ReplicaSource,
    SeriesDigests,
    SeriesPatch,
    TableDigests,
)
from markethub.ports.store import EVER
from markethub.replication.digest import month_span
from markethub.replication.source import digest_stored_series, digest_stored_table
from markethub.tables.klines import empty_klines
from markethub.tables.records import RecordTable
from markethub.tables.selected import select_rows

Digests = TypeVar("Digests", bound=SeriesDigests | TableDigests)


@dataclass(frozen=True, slots=True)
class Difference(Generic[Digests]):
    """What differs, and what the source has; empty where the contents are equal."""

    theirs: Digests
    mine: Digests

    @property
    def months(self) -> list[str]:
        """The months whose rows differ, ascending."""
        mine, theirs = self.mine.months, self.theirs.months
        return [month for month in sorted({*mine, *theirs}) if mine.get(month) != theirs.get(month)]

    def __bool__(self) -> bool:
        return bool(self.months) or list(self.mine.claims) != list(self.theirs.claims)


class Comparison(ABC, Generic[Digests]):
    """One series, or one table of records, here and at the source.

    ``subject`` is the series, or the table's name; ``revision`` the source's newest revision of what was
    compared last.
    """

    def __init__(self, subject: Series | str, source: ReplicaSource, store: DataStore) -> None:
        self.subject = subject
        self.revision = 0
        self._source = source
        self._store = store
        self._found: Difference[Digests] | None = None

    async def compare(self) -> bool:
        """Look at both sides anew, and tell whether they differ."""
        # Theirs first: what they write meanwhile must not look like ours alone.
        theirs = await self._digest_theirs()
        self._found = Difference(theirs, await asyncio.to_thread(self._digest_mine))
        self.revision = theirs.revision
        return bool(self._found)

    async def patches(self, span: Span = EVER) -> AsyncIterator[Patch]:
        """What makes the store's content that of the source in the months that ``span`` touches.

        A month at a time; claims come last, and only if no other month differs: they may be about its bars.
        Nothing before it was compared.
        """
        if self._found is not None:
            months = [month_span(month) for month in self._found.months]
            touched = [month for month in months if month.intersect(span)]
            for month in touched:
                yield await self._patch_month(month)
            if len(touched) == len(months):
                yield self._patch_claims(self._found)

    @abstractmethod
    async def _digest_theirs(self) -> Digests: ...

    @abstractmethod
    def _digest_mine(self) -> Digests: ...

    @abstractmethod
    async def _patch_month(self, span: Span) -> Patch: ...

    @abstractmethod
    def _patch_claims(self, found: Difference[Digests]) -> Patch: ...


class SeriesComparison(Comparison[SeriesDigests]):
    """Bars by month, and claims."""

    def __init__(self, source: ReplicaSource, store: DataStore, series: Series) -> None:
        super().__init__(series, source, store)
        self._series = series

    async def _digest_theirs(self) -> SeriesDigests:
        return await self._source.digest_series(self._series)

    def _digest_mine(self) -> SeriesDigests:
        return digest_stored_series(self._store, self._series)

    async def _patch_month(self, span: Span) -> Patch:
        bars = await self._source.read_bars(self._series, span)
        return Patch([SeriesPatch(self._series, bars, cleared=[span])])

    def _patch_claims(self, found: Difference[SeriesDigests]) -> Patch:
        return Patch([SeriesPatch(self._series, empty_klines(), found.theirs.claims, unclaimed=[EVER])])


class TableComparison(Comparison[TableDigests]):
    """Rows by month, and claims by owner."""

    def __init__(
        self, source: ReplicaSource, store: DataStore, table: RecordTable, selection: Selection
    ) -> None:
        super().__init__(table.name, source, store)
        self._table = table
        self._selection = selection

    async def _digest_theirs(self) -> TableDigests:
        return await self._source.digest_table(self._table, self._selection)

    def _digest_mine(self) -> TableDigests:
        return digest_stored_table(self._store, self._table, self._selection)

    async def _patch_month(self, span: Span) -> Patch:
        rows = await self._source.read_rows(self._table, span, self._selection)
        deleted = await asyncio.to_thread(self._others, rows, span)
        return Patch(records=[RecordPatch(self._table, rows, deleted)])

    def _patch_claims(self, found: Difference[TableDigests]) -> Patch:
        theirs = found.theirs.claims
        owners = {told.owner for told in (*theirs, *found.mine.claims)}
        none = self._table.empty()
        keys = none.select(list(self._table.key))
        return Patch(records=[RecordPatch(self._table, none, keys, theirs, sorted(owners))])

    def _others(self, rows: pa.Table, span: Span) -> pa.Table:
        """The keys of stored rows of ``span`` that are not among ``rows``."""
        key = list(self._table.key)
        stored = self._store.records.read_records(self._table, RecordQuery(span=span))
        mine = select_rows(self._selection, self._table, stored).select(key)
        kept = {tuple(one.values()) for one in rows.select(key).to_pylist()}
        is_other = [tuple(one.values()) not in kept for one in mine.to_pylist()]
        return mine.filter(pa.array(is_other, pa.bool_()))
