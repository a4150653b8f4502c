"""Records in memory, beside the series of a ``MemorySeriesStore``."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.domain.span import Span
from markethub.ports.clock import Clock
from markethub.ports.records import OwnerClaims, RecordQuery
from markethub.ports.store import Coverage, UpsertCounts
from markethub.stores.claims import ClaimRule, add_claims, cut_claims
from markethub.stores.memory_tables import Key, Record, StoredRecords
from markethub.stores.questions import check_query, check_table
from markethub.stores.record_admission import admit_owner_claims, admit_records
from markethub.tables.records import RecordTable


class SharedLife:
    """What series and records of one store in memory share: a lock, the revisions' times, and the end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: list[int] = []
        self._lock = threading.RLock()
        self._is_closed = False

    @property
    def revision(self) -> int:
        """The newest revision; 0 before the first."""
        return len(self._times)

    def take_revision(self) -> int:
        """The next revision, now the newest."""
        self._times.append(self._clock())
        return len(self._times)

    def time_of(self, revision: int) -> int | None:
        """When a revision was taken; None of 0."""
        return self._times[revision - 1] if revision else None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold the lock for the block; StoreError if the store is closed."""
        with self._lock:
            if self._is_closed:
                raise StoreError("the store is closed")
            yield

    def close(self) -> None:
        """Refuse everything from now on."""
        with self._lock:
            self._is_closed = True


class MemoryRecords:
    """A ``RecordStore`` of plain dictionaries; rows are Python objects, so keep it to some 100,000."""

    def __init__(self, life: SharedLife) -> None:
        self._life = life
        self.tables: defaultdict[str, StoredRecords] = defaultdict(StoredRecords)

    def upsert_records(
        self, table: RecordTable, rows: pa.Table, covered: Sequence[OwnerClaims] = ()
    ) -> "Future[UpsertCounts]":
        future: Future[UpsertCounts] = Future()
        with self._life.open():
            try:
                admitted = admit_records(table, rows)
                claims = admit_owner_claims(table, covered)
            except StoreError as error:
                future.set_exception(error)
            else:
                future.set_result(self.write(table, admitted, claims))
        return future

    def read_records(self, table: RecordTable, query: RecordQuery | None = None) -> pa.Table:
        asked = query or RecordQuery()
        check_query(table, asked)
        with self._life.open():
            found = self._find(table, asked)
        found.sort(key=lambda record: key_of(table, record))
        found.sort(key=lambda record: record[table.time], reverse=asked.newest_first)
        end = None if asked.limit is None else asked.offset + asked.limit
        kept = found[asked.offset : end]
        return to_rows(table.schema, kept)

    def count_records(self, table: RecordTable, query: RecordQuery | None = None) -> int:
        asked = query or RecordQuery()
        check_query(table, asked)
        with self._life.open():
            return len(self._find(table, asked))

    def covered_records(self, table: RecordTable, owner: str, span: Span) -> list[Coverage]:
        check_table(table)
        with self._life.open():
            return cut_claims(self.tables[table.name].claims.get(owner, []), span)

    def write(
        self,
        table: RecordTable,
        rows: pa.Table,
        covered: Iterable[OwnerClaims],
        claim_rule: ClaimRule = add_claims,
    ) -> UpsertCounts:
        """Write what was admitted; call it while the store's life is held open."""
        stored = self.tables[table.name]
        given = {key_of(table, record): record for record in to_records(rows)}
        new = {key: record for key, record in given.items() if key not in stored.rows}
        changed = {key: record for key, record in given.items() if stored.rows.get(key, record) != record}
        claims: dict[str, list[Coverage]] = {}
        for told in covered:
            before = claims.get(told.owner, stored.claims.get(told.owner, []))
            kept, news = claim_rule(before, told.claims)
            if news:
                claims[told.owner] = kept
        if new or changed or claims:
            stored.revision = self._life.take_revision()
            stored.rows.update(new | changed)
            stored.written.update(dict.fromkeys([*new, *changed], self._life.revision))
            for owner, kept in claims.items():
                stored.claim(owner, kept, self._life.revision)
        unchanged = len(given) - len(new) - len(changed)
        return UpsertCounts(len(new), len(changed), unchanged, self._life.revision)

    def _find(self, table: RecordTable, query: RecordQuery) -> list[Record]:
        found = [
            record for record in self.tables[table.name].rows.values() if _is_asked(table, query, record)
        ]
        if not query.latest_by:
            return found
        newest: dict[Key, Record] = {}
        for record in sorted(found, key=lambda record: (record[table.time], key_of(table, record))):
            newest[_group_of(record, query.latest_by)] = record
        return list(newest.values())


def to_rows(schema: pa.Schema, records: Sequence[Record]) -> pa.Table:
    """The records as a table, in their order."""
    arrays = [pa.array([record[field.name] for record in records], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def to_records(rows: pa.Table) -> list[Record]:
    """The rows of a table, in their order."""
    plain = pa.schema(
        [field.with_type(pa.int64()) if pa.types.is_timestamp(field.type) else field for field in rows.schema]
    )
    records: list[Record] = rows.cast(plain).to_pylist()
    return records


def key_of(table: RecordTable, record: Record) -> Key:
    """The values of the table's key."""
    return tuple(record[name] for name in table.key)


def _group_of(record: Record, columns: Iterable[str]) -> Key:
    return tuple(
        tuple(value) if isinstance(value, list) else value for value in (record[name] for name in columns)
    )


def _is_asked(table: RecordTable, query: RecordQuery, record: Record) -> bool:
    if query.span is not None and record[table.time] not in query.span:
        return False
    texts = {name: record[name] for name in (*query.where, *query.starts_with, *query.ends_with)}
    return (
        None not in texts.values()
        and all(texts[name] in values for name, values in query.where.items())
        and all(texts[name].startswith(start) for name, start in query.starts_with.items())
        and all(texts[name].endswith(end) for name, end in query.ends_with.items())
    )
