"""The side of an embedded store that replication works with."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from markethub.domain.errors import StoreError
from markethub.domain.selection import Selection
from markethub.domain.symbol import Series
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import Backlog, ChangeSet, Patch, PatchCounts, SeriesPatch
from markethub.stores.duckdb.backlog import read_backlog
from markethub.stores.duckdb.bulk_reading import read_whole_series
from markethub.stores.duckdb.change_log import time_of, trimmed_to
from markethub.stores.duckdb.change_reading import newest_revision, read_change_set, read_owner_claims
from markethub.stores.duckdb.commit import Committer
from markethub.stores.duckdb.frames import transaction
from markethub.stores.duckdb.open_file import OpenFile
from markethub.stores.duckdb.patches import MARK
from markethub.stores.duckdb.state import StoreState
from markethub.stores.patch_admission import admit_patch
from markethub.stores.questions import check_limit, check_table
from markethub.tables.records import RecordTable

T = TypeVar("T")


class CallWriter(Protocol):
    """Runs a step on the writer thread, alone, in its turn."""

    def __call__(self, step: Callable[[], T]) -> "Future[T]": ...


class DuckdbReplica:
    """A ``ReplicaStore``; ``DuckdbSeriesStore.replica`` makes it, and closes it together with itself.

    A file of a version before 3, open for reading, has no name, and its changes cannot be read.
    """

    def __init__(
        self, file: OpenFile, state: StoreState, committer: Committer, call_writer: CallWriter
    ) -> None:
        self._file = file
        self._state = state
        self._committer = committer
        self._call_writer = call_writer
        self._store_id = self._read_meta("store_id")

    @property
    def store_id(self) -> str:
        if self._store_id is None:
            raise StoreError(f"{self._file.path} is of an earlier version; open it for writing once")
        return self._store_id

    def newest_revision(self) -> int:
        # Of the file, as changes are read: the state in memory learns of a commit a moment later.
        with self._file.cursor("reading the change log") as cursor:
            return newest_revision(cursor)

    def oldest_revision(self) -> int:
        with self._file.cursor("reading the change log") as cursor:
            return trimmed_to(cursor)

    def written_ms(self, revision: int) -> int | None:
        with self._file.cursor("reading the change log") as cursor:
            return time_of(cursor, revision)

    def read_changes(self, after: int, most_rows: int, selection: Selection) -> ChangeSet:
        check_limit(most_rows)
        with self._file.cursor("reading changes") as cursor, self._file.turn(most_rows), transaction(cursor):
            return read_change_set(cursor, after, most_rows, selection)

    def read_backlog(self, after: int, selection: Selection) -> Backlog:
        with self._file.cursor("reading the backlog") as cursor, transaction(cursor):
            return read_backlog(cursor, after, selection)

    def apply_patch(self, patch: Patch) -> "Future[PatchCounts]":
        self._file.check_writable()
        try:
            admitted = admit_patch(patch)
        except StoreError as error:
            refused: Future[PatchCounts] = Future()
            refused.set_exception(error)
            return refused
        return self._call_writer(lambda: self._committer.apply_patch(admitted))

    def read_whole(self, series: Sequence[Series]) -> list[SeriesPatch]:
        with self._file.cursor("reading whole series") as cursor:
            states = [state for one in series if (state := self._state.find(one)) is not None]
            with self._file.turn(sum(state.rows for state in states)), transaction(cursor):
                return read_whole_series(cursor, states)

    def read_mark(self, name: str) -> str | None:
        return self._read_meta(MARK + name)

    def read_record_claims(self, table: RecordTable) -> list[OwnerClaims]:
        check_table(table)
        with self._file.cursor(f"reading the coverage of {table.name}") as cursor:
            return read_owner_claims(cursor, table)

    def series_revision(self, series: Series) -> int:
        # Of the file: a commit can be read before the state in memory tells of it.
        return self._read_revision(
            "SELECT revision FROM series WHERE symbol = ? AND interval = ?",
            [str(series.symbol), series.interval.value],
        )

    def record_revision(self, table: RecordTable) -> int:
        check_table(table)
        return self._read_revision("SELECT revision FROM record_tables WHERE name = ?", [table.name])

    def _read_revision(self, query: str, where: list[str]) -> int:
        with self._file.cursor("reading a revision") as cursor:
            found = cursor.sql(query, params=where).fetchall()
        return int(found[0][0]) if found else 0

    def trim_changes(self, keep_revisions: int) -> int:
        self._file.check_writable()
        return self._call_writer(lambda: self._committer.trim_changes(keep_revisions)).result()

    def _read_meta(self, key: str) -> str | None:
        with self._file.cursor("reading the marks") as cursor:
            found = cursor.sql("SELECT value FROM meta WHERE key = ?", params=[key]).fetchall()
        return str(found[0][0]) if found else None
