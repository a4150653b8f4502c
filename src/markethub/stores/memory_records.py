"""Records in memory, beside the series of a ``MemorySeriesStore``."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.domain.span import Span
from markethub.ports.records import OwnerClaims, RecordQuery
from markethub.ports.store import Coverage, UpsertCounts
from markethub.stores.claims import add_claim, cut_claims
from markethub.stores.questions import check_query, check_table
from markethub.stores.record_admission import admit_owner_claims, admit_records
from markethub.tables.records import RecordTable

Key = tuple[Any, ...]
Record = dict[str, Any]
"""Values by column, times as Unix milliseconds."""


class SharedLife:
    """What series and records of one store in memory share: a lock, the newest revision, and the end."""

    def __init__(self) -> None:
        self.revision = 0
        self._lock = threading.RLock()
        self._is_closed = False

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
        self._rows: defaultdict[str, dict[Key, Record]] = defaultdict(dict)
        self._claims: dict[tuple[str, str], list[Coverage]] = {}

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
                future.set_result(self._write(table, admitted, claims))
        return future

    def read_records(self, table: RecordTable, query: RecordQuery | None = None) -> pa.Table:
        asked = query or RecordQuery()
        check_query(table, asked)
        with self._life.open():
            found = self._find(table, asked)
        found.sort(key=lambda record: _key_of(table, record))
        found.sort(key=lambda record: record[table.time], reverse=asked.newest_first)
        end = None if asked.limit is None else asked.offset + asked.limit
        kept = found[asked.offset : end]
        arrays = [pa.array([record[field.name] for record in kept], field.type) for field in table.schema]
        return pa.Table.from_arrays(arrays, schema=table.schema)

    def count_records(self, table: RecordTable, query: RecordQuery | None = None) -> int:
        asked = query or RecordQuery()
        check_query(table, asked)
        with self._life.open():
            return len(self._find(table, asked))

    def covered_records(self, table: RecordTable, owner: str, span: Span) -> list[Coverage]:
        check_table(table)
        with self._life.open():
            return cut_claims(self._claims.get((table.name, owner), []), span)

    def _write(self, table: RecordTable, rows: pa.Table, covered: Iterable[OwnerClaims]) -> UpsertCounts:
        stored = self._rows[table.name]
        given = {_key_of(table, record): record for record in _to_records(rows)}
        new = {key: record for key, record in given.items() if key not in stored}
        changed = {key: record for key, record in given.items() if stored.get(key, record) != record}
        is_news = bool(new or changed)
        for told in covered:
            place = (table.name, told.owner)
            for claim in told.claims:
                kept = self._claims.get(place, [])
                after = add_claim(kept, claim)
                if after != kept:
                    self._claims[place] = after
                    is_news = True
        stored.update(new | changed)
        self._life.revision += is_news
        unchanged = len(given) - len(new) - len(changed)
        return UpsertCounts(len(new), len(changed), unchanged, self._life.revision)

    def _find(self, table: RecordTable, query: RecordQuery) -> list[Record]:
        found = [record for record in self._rows[table.name].values() if _is_asked(table, query, record)]
        if not query.latest_by:
            return found
        newest: dict[Key, Record] = {}
        for record in sorted(found, key=lambda record: (record[table.time], _key_of(table, record))):
            newest[_group_of(record, query.latest_by)] = record
        return list(newest.values())


def _to_records(rows: pa.Table) -> list[Record]:
    plain = pa.schema(
        [field.with_type(pa.int64()) if pa.types.is_timestamp(field.type) else field for field in rows.schema]
    )
    records: list[Record] = rows.cast(plain).to_pylist()
    return records


def _key_of(table: RecordTable, record: Record) -> Key:
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
