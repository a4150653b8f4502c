"""What makes one store the copy of another: changes to read, patches to apply, and marks beside the data."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.records import OwnerClaims
from markethub.ports.store import Coverage, SeriesSummary
from markethub.tables.records import RecordTable


@dataclass(frozen=True, slots=True)
class SeriesPatch:
    """What to make of one series: bars in ``cleared`` and claims in ``unclaimed`` go, then the rest comes.

    ``bars`` have the schema KLINES, ascending and unique. A bar that is cleared and given again is one that
    stayed, or was updated; so is a claim. Each claim is kept as told, and replaces what its source claimed
    inside its span.
    """

    series: Series
    bars: pa.Table
    claims: Sequence[Coverage] = ()
    cleared: Sequence[Span] = ()
    unclaimed: Sequence[Span] = ()


@dataclass(frozen=True, slots=True)
class RecordPatch:
    """What to make of one table: rows of the keys in ``deleted`` and all claims about the owners in
    ``unclaimed`` go, then the rest comes.

    ``deleted`` has the table's key columns; a key that is not stored is passed over.
    """

    table: RecordTable
    rows: pa.Table
    deleted: pa.Table
    claims: Sequence[OwnerClaims] = ()
    unclaimed: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it does nothing."""
        return not (len(self.rows) or len(self.deleted) or self.claims or self.unclaimed)


@dataclass(frozen=True, slots=True)
class Patch:
    """What one transaction does to a store. ``marks`` are written with it; None removes one.

    No series and no table stands in it twice.
    """

    series: Sequence[SeriesPatch] = ()
    records: Sequence[RecordPatch] = ()
    marks: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PatchCounts:
    """What a patch did to rows; the first three add up to the rows it brought."""

    inserted: int
    updated: int
    unchanged: int
    deleted: int


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What the revisions in ``after < revision <= upto`` did, as far as it is still so.

    ``newest`` is the store's newest revision at the moment of reading; where ``upto`` equals it there is no
    more. Applied in order, from 0 on, change sets make an empty store equal to this one. ``after_ms`` and
    ``upto_ms`` tell when these two revisions were written, as ``ReplicaStore.written_ms`` does.
    """

    after: int
    upto: int
    newest: int
    series: Sequence[SeriesPatch] = ()
    records: Sequence[RecordPatch] = ()
    after_ms: int | None = None
    upto_ms: int | None = None

    @property
    def rows(self) -> int:
        """How many rows it brings."""
        return sum(len(one.bars) for one in self.series) + sum(len(one.rows) for one in self.records)


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """The next part of all contents, as they are when it is read, to be added to a store.

    Claims come with the last bars of their series, or the last rows of their table. ``cursor`` leads on to
    the page after this one; None if there is none.
    """

    series: Sequence[SeriesPatch] = ()
    records: Sequence[RecordPatch] = ()
    cursor: str | None = None

    @property
    def rows(self) -> int:
        """How many rows it brings."""
        return sum(len(one.bars) for one in self.series) + sum(len(one.rows) for one in self.records)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What lies after a revision: how many revisions, about how many rows that are wanted, and since when.

    A row that was written twice may count twice. ``since_ms`` is when the oldest wanted change was written,
    None where nothing wanted lies there; where changes were trimmed, that of the oldest known one.
    """

    revisions: int
    rows: int
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class SourceState:
    """Where a source stands: the names of its history and of its reign, and which revisions can be read.

    ``newest_ms`` is when the newest revision was written, as ``ReplicaStore.written_ms`` tells.
    """

    store_id: str
    epoch: int
    newest: int
    oldest: int
    newest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SeriesDigests:
    """One series: a digest a month, and its claims; no write in it is newer than ``revision``."""

    series: Series
    revision: int
    months: Mapping[str, str]
    claims: Sequence[Coverage]


@dataclass(frozen=True, slots=True)
class TableDigests:
    """One table of records, in the same way."""

    table: RecordTable
    revision: int
    months: Mapping[str, str]
    claims: Sequence[OwnerClaims]


class ReplicaSource(Protocol):
    """A store to follow, near or far. UnavailableError where it does not answer."""

    async def read_state(self) -> SourceState: ...

    async def read_changes(self, after: int, most_rows: int, selection: Selection) -> ChangeSet:
        """As ``ReplicaStore.read_changes``."""

    async def read_snapshot(self, cursor: str | None, most_rows: int, selection: Selection) -> SnapshotPage:
        """The page that ``cursor`` leads to, the first for None, of about ``most_rows`` rows.

        What was there before the first page and still is comes in one of the pages; what is written
        meanwhile may come or not. InputError if ``cursor`` is no page's.
        """

    async def list_series(self, selection: Selection) -> list[SeriesSummary]:
        """Every series that ``selection`` takes, as ``SeriesStore.summaries``."""

    async def digest_series(self, series: Series) -> SeriesDigests: ...

    async def read_bars(self, series: Series, span: Span) -> pa.Table:
        """The bars of ``span``, ascending."""

    async def digest_table(self, table: RecordTable, selection: Selection) -> TableDigests: ...

    async def read_rows(self, table: RecordTable, span: Span, selection: Selection) -> pa.Table:
        """The rows of ``span`` that ``selection`` takes."""


class ReplicaStore(Protocol):
    """The side of a store that replication works with. Thread-safe; every method may block on I/O."""

    @property
    def store_id(self) -> str:
        """The name of this store's history, 32 hex digits: revisions of another history mean nothing here."""

    def newest_revision(self) -> int:
        """The newest revision that a reader of changes can see: never one behind what was read before."""

    def oldest_revision(self) -> int:
        """Every change after this revision can still be read; 0 where nothing was trimmed."""

    def written_ms(self, revision: int) -> int | None:
        """When a revision from the oldest to the newest was written; None where that was not kept, as of 0.

        Two stores of one name that tell different times of a revision have parted before it: one of them is
        a copy, or was restored from one.
        """

    def read_changes(self, after: int, most_rows: int, selection: Selection) -> ChangeSet:
        """The next changes of what ``selection`` takes, of whole revisions, about ``most_rows`` rows.

        A set has at least one revision, however large. ConflictError when changes after ``after`` were
        trimmed or ``after`` lies ahead of the store; then only a comparison of contents tells what differs.
        """

    def read_backlog(self, after: int, selection: Selection) -> Backlog:
        """How much a follower lacks that has all of ``selection`` up to ``after``.

        Nothing where ``after`` lies ahead of the store.
        """

    def apply_patch(self, patch: Patch) -> "Future[PatchCounts]":
        """Do all of ``patch``, or nothing, in one transaction; the future ends when it is durable.

        What is so already gets no new revision. StoreError if a table breaks its schema.
        """

    def read_whole(self, series: Sequence[Series]) -> list[SeriesPatch]:
        """All bars and claims of these series, as of one moment; nothing of those that are not stored."""

    def read_mark(self, name: str) -> str | None:
        """The mark of that name, or None."""

    def read_record_claims(self, table: RecordTable) -> list[OwnerClaims]:
        """All claims of a table, ascending by owner."""

    def series_revision(self, series: Series) -> int:
        """The newest revision of a series; 0 where it was never written."""

    def record_revision(self, table: RecordTable) -> int:
        """The newest revision of a table; 0 where it was never written."""

    def trim_changes(self, keep_revisions: int) -> int:
        """Forget the changes of all but the newest revisions; return how many entries went.

        The rows stay; whoever had not read those changes must compare contents.
        """
