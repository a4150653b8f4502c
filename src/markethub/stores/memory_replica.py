"""The side of a store in memory that replication works with."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from uuid import uuid4

import pyarrow as pa

from markethub.domain.errors import ConflictError, StoreError
from markethub.domain.selection import Selection
from markethub.domain.span import Span, merge
from markethub.domain.symbol import Series
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import Backlog, ChangeSet, Patch, PatchCounts, RecordPatch, SeriesPatch
from markethub.ports.store import Change, Coverage, SeriesWrite, UpsertCounts
from markethub.stores.claims import ClaimRule, drop_claims, take_claims
from markethub.stores.memory_backlog import read_backlog
from markethub.stores.memory_records import MemoryRecords, SharedLife, key_of, to_records, to_rows
from markethub.stores.memory_tables import Row, StoredRecords, StoredSeries
from markethub.stores.patch_admission import admit_patch
from markethub.stores.questions import check_limit, check_table
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.klines import KLINES, open_times_ms
from markethub.tables.records import RecordTable
from markethub.tables.selected import select_rows, takes_claim, takes_table


class MemoryReplica:
    """A ``ReplicaStore``; ``MemorySeriesStore.replica`` makes it on its own dictionaries."""

    def __init__(
        self,
        life: SharedLife,
        series: dict[Series, StoredSeries],
        changes: list[Change],
        records: MemoryRecords,
        write: Callable[[SeriesWrite, ClaimRule], UpsertCounts],
    ) -> None:
        self._life = life
        self._series = series
        self._changes = changes
        self._records = records
        self._write = write
        self._marks: dict[str, str] = {}
        self._trimmed_to = 0
        self._store_id = uuid4().hex

    @property
    def store_id(self) -> str:
        return self._store_id

    def newest_revision(self) -> int:
        with self._life.open():
            return self._life.revision

    def oldest_revision(self) -> int:
        with self._life.open():
            return self._trimmed_to

    def written_ms(self, revision: int) -> int | None:
        with self._life.open():
            return self._life.time_of(revision)

    def read_changes(self, after: int, most_rows: int, selection: Selection) -> ChangeSet:
        check_limit(most_rows)
        with self._life.open():
            newest = self._life.revision
            if after > newest:
                raise ConflictError(f"revision {after} lies ahead of the store, whose newest is {newest}")
            if after < self._trimmed_to:
                raise ConflictError(
                    f"changes after revision {after} were trimmed: the oldest that is known follows "
                    f"{self._trimmed_to}"
                )
            after_ms = self._life.time_of(after)
            window = range(after + 1, self._choose_end(after, most_rows) + 1)
            if not window:
                return ChangeSet(after, after, newest, after_ms=after_ms, upto_ms=after_ms)
            series = [
                _patch_of(one, stored, window)
                for one, stored in sorted(self._series.items(), key=lambda item: item[0])
                if selection.takes_series(one)
            ]
            records = [
                _records_of(table, self._records.tables[name], window, selection)
                for name, table in RECORD_TABLES.items()
                if takes_table(selection, table)
            ]
            upto_ms = self._life.time_of(window[-1])
        return ChangeSet(
            after,
            window[-1],
            newest,
            [patch for patch in series if patch is not None],
            [patch for patch in records if patch is not None],
            after_ms,
            upto_ms,
        )

    def read_backlog(self, after: int, selection: Selection) -> Backlog:
        with self._life.open():
            return read_backlog(self._life, self._series, self._records, after, selection)

    def apply_patch(self, patch: Patch) -> "Future[PatchCounts]":
        future: Future[PatchCounts] = Future()
        with self._life.open():
            try:
                admitted = admit_patch(patch)
            except StoreError as error:
                future.set_exception(error)
            else:
                future.set_result(self._apply(admitted))
        return future

    def read_whole(self, series: Sequence[Series]) -> list[SeriesPatch]:
        with self._life.open():
            stored = [(one, self._series[one]) for one in series if one in self._series]
            return [
                SeriesPatch(one, _to_bars(found.bars[key] for key in sorted(found.bars)), list(found.claims))
                for one, found in stored
            ]

    def read_mark(self, name: str) -> str | None:
        with self._life.open():
            return self._marks.get(name)

    def read_record_claims(self, table: RecordTable) -> list[OwnerClaims]:
        check_table(table)
        with self._life.open():
            claims = self._records.tables[table.name].claims
            return [OwnerClaims(owner, told) for owner, told in sorted(claims.items())]

    def series_revision(self, series: Series) -> int:
        with self._life.open():
            return self._series[series].revision if series in self._series else 0

    def record_revision(self, table: RecordTable) -> int:
        check_table(table)
        with self._life.open():
            return self._records.tables[table.name].revision

    def trim_changes(self, keep_revisions: int) -> int:
        with self._life.open():
            revision = max(self._life.revision - keep_revisions, 0)
            before = self._count_entries()
            self._changes[:] = [change for change in self._changes if change.revision > revision]
            for series in self._series.values():
                series.cleared = [entry for entry in series.cleared if entry[0] > revision]
                series.unclaimed = [entry for entry in series.unclaimed if entry[0] > revision]
            for table in self._records.tables.values():
                table.deleted = [entry for entry in table.deleted if entry[0] > revision]
                table.unclaimed = [one for one in table.unclaimed if one[0] > revision]
            gone = before - self._count_entries()
            if gone:
                self._trimmed_to = revision
            return gone

    def _count_entries(self) -> int:
        of_series = sum(len(one.cleared) + len(one.unclaimed) for one in self._series.values())
        of_records = sum(len(one.deleted) + len(one.unclaimed) for one in self._records.tables.values())
        return len(self._changes) + of_series + of_records

    def _choose_end(self, after: int, most_rows: int) -> int:
        sizes: defaultdict[int, int] = defaultdict(int)
        for series in self._series.values():
            for key, revision in series.written.items():
                sizes[revision] += isinstance(key, int)
        for name, table in self._records.tables.items():
            for revision in table.written.values():
                sizes[revision] += RECORD_TABLES[name].row_weight
        total, reached = 0, after
        for revision in sorted(one for one in sizes if one > after):
            total += sizes[revision]
            if total > most_rows and reached > after:
                return reached
            reached = revision
        return self._life.revision

    def _apply(self, patch: Patch) -> PatchCounts:
        deleted = 0
        counts: list[UpsertCounts] = []
        for one in patch.series:
            deleted += self._clear(one)
            write = SeriesWrite(one.series, one.bars, () if one.unclaimed else one.claims)
            counts.append(self._write(write, take_claims))
        for table_patch in patch.records:
            deleted += self._delete_records(table_patch)
            for owner in table_patch.unclaimed:
                self._replace_owner_claims(table_patch, owner)
            claims = [told for told in table_patch.claims if told.owner not in table_patch.unclaimed]
            counts.append(self._records.write(table_patch.table, table_patch.rows, claims, take_claims))
        for name, value in patch.marks.items():
            if value is None:
                self._marks.pop(name, None)
            else:
                self._marks[name] = value
        return PatchCounts(
            inserted=sum(one.inserted for one in counts),
            updated=sum(one.updated for one in counts),
            unchanged=sum(one.unchanged for one in counts),
            deleted=deleted,
        )

    def _clear(self, patch: SeriesPatch) -> int:
        stored = self._series.get(patch.series, StoredSeries())
        kept = set(open_times_ms(patch.bars).to_pylist())
        gone = [
            time_ms
            for time_ms in stored.bars
            if time_ms not in kept and any(time_ms in span for span in patch.cleared)
        ]
        if gone:
            for time_ms in gone:
                del stored.bars[time_ms]
            width_ms = patch.series.interval.width_ms
            runs = merge(Span(time_ms, time_ms + width_ms) for time_ms in gone)
            revision = self._note(patch.series, runs)
            stored.cleared += [(revision, run) for run in runs]
            stored.stamp((), revision)
        if patch.unclaimed:
            self._replace_claims(patch, stored)
        return len(gone)

    def _replace_claims(self, patch: SeriesPatch, stored: StoredSeries) -> None:
        after = take_claims(drop_claims(stored.claims, patch.unclaimed), patch.claims).claims
        if set(after) == set(stored.claims):
            return
        lost = merge(claim.span for claim in stored.claims if claim not in after)
        told = [
            claim
            for claim in after
            if claim not in stored.claims or any(claim.span.intersect(span) for span in lost)
        ]
        revision = self._note(patch.series, [*lost, *(claim.span for claim in told)])
        stored.claims = after
        stored.unclaimed += [(revision, span) for span in lost]
        stored.stamp(told, revision)
        self._series[patch.series] = stored

    def _replace_owner_claims(self, patch: RecordPatch, owner: str) -> None:
        stored = self._records.tables[patch.table.name]
        before = stored.claims.get(owner, [])
        told = [claim for one in patch.claims if one.owner == owner for claim in one.claims]
        after = take_claims([], told).claims
        if set(after) == set(before):
            return
        stored.revision = self._life.take_revision()
        if not set(before) <= set(after):
            stored.unclaimed.append((stored.revision, owner))
            stored.claim(owner, [], stored.revision)  # all are told anew
        stored.claim(owner, after, stored.revision)

    def _note(self, series: Series, spans: Sequence[Span]) -> int:
        revision = self._life.take_revision()
        hull = Span(min(span.start_ms for span in spans), max(span.end_ms for span in spans))
        self._changes.append(Change(revision, series, hull))
        return revision

    def _delete_records(self, patch: RecordPatch) -> int:
        stored = self._records.tables[patch.table.name]
        keys = [key_of(patch.table, record) for record in to_records(patch.deleted)]
        gone = [key for key in keys if key in stored.rows]
        if gone:
            stored.revision = self._life.take_revision()
        for key in gone:
            del stored.rows[key], stored.written[key]
            stored.deleted.append((self._life.revision, key))
        return len(gone)


def _patch_of(series: Series, stored: StoredSeries, window: range) -> SeriesPatch | None:
    written = [key for key, revision in stored.written.items() if revision in window]
    rows = [stored.bars[key] for key in sorted(key for key in written if isinstance(key, int))]
    patch = SeriesPatch(
        series,
        _to_bars(rows),
        sorted((key for key in written if isinstance(key, Coverage)), key=lambda claim: claim.span),
        [span for revision, span in stored.cleared if revision in window],
        [span for revision, span in stored.unclaimed if revision in window],
    )
    return patch if written or patch.cleared or patch.unclaimed else None


def _to_bars(rows: Iterable[Row]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(KLINES.names)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, KLINES.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=KLINES)


def _records_of(
    table: RecordTable, stored: StoredRecords, window: range, selection: Selection
) -> RecordPatch | None:
    keys = sorted(key for key, revision in stored.written.items() if revision in window)
    gone = dict.fromkeys(key for revision, key in stored.deleted if revision in window)
    key_schema = pa.schema([table.schema.field(name) for name in table.key])
    claims: defaultdict[str, list[Coverage]] = defaultdict(list)
    for (owner, claim), revision in stored.claimed.items():
        if revision in window and takes_claim(selection, table, owner):
            claims[owner].append(claim)
    patch = RecordPatch(
        table,
        select_rows(selection, table, to_rows(table.schema, [stored.rows[key] for key in keys])),
        to_rows(key_schema, [dict(zip(table.key, key, strict=True)) for key in gone]),
        [OwnerClaims(owner, told) for owner, told in claims.items()],
        list(dict.fromkeys(owner for revision, owner in stored.unclaimed if revision in window)),
    )
    return None if patch.is_empty else patch
