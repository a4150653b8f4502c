"""The contents of two stores, compared by digests a month at a time, and the patches that make them equal."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

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
from markethub.replication.digest import month_span
from markethub.replication.source import EVER, digest_stored_series, digest_stored_table
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


class Comparison(Protocol):
    """One series, or one table of records, here and at the source."""

    @property
    def subject(self) -> Series | str:
        """The series, or the table's name."""

    async def compare(self) -> bool:
        """Look at both sides anew, and tell whether they differ."""

    @property
    def revision(self) -> int:
        """The source's newest revision of what was compared last."""

    def patches(self) -> AsyncIterator[Patch]:
        """What makes the store's content that of the source, a month at a time; claims come last."""


class SeriesComparison:
    """Bars by month, and claims."""

    def __init__(self, source: ReplicaSource, store: DataStore, series: Series) -> None:
        self.subject = series
        self._source = source
        self._store = store
        self._found: Difference[SeriesDigests] | None = None

    async def compare(self) -> bool:
        theirs = await self._source.digest_series(self.subject)
        mine = await asyncio.to_thread(digest_stored_series, self._store, self.subject)
        self._found = Difference(theirs, mine)
        return bool(self._found)

    @property
    def revision(self) -> int:
        return 0 if self._found is None else self._found.theirs.revision

    async def patches(self) -> AsyncIterator[Patch]:
        if self._found is None:
            return
        for month in self._found.months:
            span = month_span(month)
            bars = await self._source.read_bars(self.subject, span)
            yield Patch([SeriesPatch(self.subject, bars, cleared=[span])])
        claims = self._found.theirs.claims
        yield Patch([SeriesPatch(self.subject, empty_klines(), claims, unclaimed=[EVER])])


class TableComparison:
    """Rows by month, and claims by owner."""

    def __init__(
        self, source: ReplicaSource, store: DataStore, table: RecordTable, selection: Selection
    ) -> None:
        self.subject = table.name
        self._source = source
        self._store = store
        self._table = table
        self._selection = selection
        self._found: Difference[TableDigests] | None = None

    async def compare(self) -> bool:
        theirs = await self._source.digest_table(self._table, self._selection)
        mine = await asyncio.to_thread(digest_stored_table, self._store, self._table, self._selection)
        self._found = Difference(theirs, mine)
        return bool(self._found)

    @property
    def revision(self) -> int:
        return 0 if self._found is None else self._found.theirs.revision

    async def patches(self) -> AsyncIterator[Patch]:
        if self._found is None:
            return
        for month in self._found.months:
            span = month_span(month)
            rows = await self._source.read_rows(self._table, span, self._selection)
            deleted = await asyncio.to_thread(self._others, rows, span)
            yield Patch(records=[RecordPatch(self._table, rows, deleted)])
        theirs = self._found.theirs.claims
        owners = {told.owner for told in (*theirs, *self._found.mine.claims)}
        none = self._table.empty()
        keys = none.select(list(self._table.key))
        yield Patch(records=[RecordPatch(self._table, none, keys, theirs, sorted(owners))])

    def _others(self, rows: pa.Table, span: Span) -> pa.Table:
        """The keys of stored rows of ``span`` that are not among ``rows``."""
        key = list(self._table.key)
        stored = self._store.records.read_records(self._table, RecordQuery(span=span))
        mine = select_rows(self._selection, self._table, stored).select(key)
        kept = {tuple(one.values()) for one in rows.select(key).to_pylist()}
        is_other = [tuple(one.values()) not in kept for one in mine.to_pylist()]
        return mine.filter(pa.array(is_other, pa.bool_()))
