"""The records of an embedded store: in the same file as the bars, through the same writer."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.domain.span import Span
from markethub.ports.records import OwnerClaims, RecordQuery
from markethub.ports.store import Coverage, UpsertCounts
from markethub.stores.claims import cut_claims
from markethub.stores.duckdb.claim_rows import RECORD_CLAIMS, read_claims
from markethub.stores.duckdb.open_file import OpenFile
from markethub.stores.duckdb.record_batch import RecordWrite
from markethub.stores.duckdb.record_reading import count_rows, read_rows
from markethub.stores.duckdb.state import StoreState
from markethub.stores.questions import check_query, check_table
from markethub.stores.record_admission import admit_owner_claims, admit_records
from markethub.tables.records import RecordTable


class DuckdbRecords:
    """A ``RecordStore``; ``DuckdbSeriesStore.records`` makes it, and closes it together with itself.

    ``upsert_records`` waits like ``upsert`` of the series while much is queued. A file of version 1, open for
    reading, has no records.
    """

    def __init__(self, file: OpenFile, state: StoreState, put: Callable[[RecordWrite], None]) -> None:
        self._file = file
        self._state = state
        self._put = put

    def upsert_records(
        self, table: RecordTable, rows: pa.Table, covered: Sequence[OwnerClaims] = ()
    ) -> "Future[UpsertCounts]":
        self._file.check_writable()
        try:
            write = RecordWrite(table, admit_records(table, rows), admit_owner_claims(table, covered))
        except StoreError as error:
            refused: Future[UpsertCounts] = Future()
            refused.set_exception(error)
            return refused
        self._put(write)
        return write.future

    def read_records(self, table: RecordTable, query: RecordQuery | None = None) -> pa.Table:
        asked = query or RecordQuery()
        check_query(table, asked)
        with self._file.cursor(f"reading {table.name}") as cursor:
            state = self._state.records.get(table.name)
            if state is None:
                return table.empty()
            rows = state.rows if asked.limit is None else min(state.rows, asked.limit)
            with self._file.turn(rows):
                return read_rows(cursor, table, asked)

    def count_records(self, table: RecordTable, query: RecordQuery | None = None) -> int:
        asked = query or RecordQuery()
        check_query(table, asked)
        with self._file.cursor(f"counting {table.name}") as cursor:
            return count_rows(cursor, table, asked) if table.name in self._state.records else 0

    def covered_records(self, table: RecordTable, owner: str, span: Span) -> list[Coverage]:
        check_table(table)
        with self._file.cursor(f"reading the coverage of {table.name}") as cursor:
            if table.name not in self._state.records:
                return []
            return cut_claims(read_claims(cursor, RECORD_CLAIMS, (table.name, owner), span), span)
