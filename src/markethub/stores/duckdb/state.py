"""What the writer knows of each series and each table of records without asking the file."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.domain.symbol import Series, Symbol
from markethub.stores.duckdb.frames import FEW_ROWS, incoming, insert_rows

_MUTABLE = ("rows", "first_ms", "last_ms", "revision", "cold_last_ms", "unsorted_from_ms")


@dataclass(slots=True)
class SeriesState:
    """A row of the table ``series``; the times are open times, None where there is none."""

    id: int
    series: Series
    rows: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    revision: int = 0
    cold_last_ms: int | None = None
    unsorted_from_ms: int | None = None
    unsorted_runs: int = 0
    """How many runs went back in time since the file was opened; not stored."""

    def may_hold(self, first_ms: int, last_ms: int) -> bool:
        """Whether a bar inside the closed range could be stored already."""
        if self.first_ms is None or self.last_ms is None:
            return False
        return first_ms <= self.last_ms and last_ms >= self.first_ms

    def note_insert(self, rows: int, first_ms: int, last_ms: int) -> None:
        """Count rows that were inserted."""
        self.rows += rows
        self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
        self.last_ms = last_ms if self.last_ms is None else max(self.last_ms, last_ms)

    def note_cold_run(self, first_ms: int, last_ms: int) -> None:
        """Remember that ascending rows were appended to the cold table."""
        if self.cold_last_ms is None:
            self.cold_last_ms = last_ms
            return
        if first_ms <= self.cold_last_ms:
            self.unsorted_runs += 1
            unsorted_from_ms = first_ms if self.unsorted_from_ms is None else self.unsorted_from_ms
            self.unsorted_from_ms = min(unsorted_from_ms, first_ms)
        self.cold_last_ms = max(self.cold_last_ms, last_ms)


@dataclass(frozen=True, slots=True)
class RecordState:
    """A row of ``record_tables``: how many rows the table has, and the revision of its newest write."""

    rows: int
    revision: int


class StoreState:
    """The committed state of the store; changed by the writer thread only, read by every thread.

    ``records`` is empty for a file of version 1, which has no tables of records.
    """

    def __init__(
        self,
        series: Iterable[SeriesState],
        hot_from_ms: Mapping[Interval, int],
        records: Mapping[str, RecordState],
    ) -> None:
        self._series = {state.series: state for state in series}
        self.hot_from_ms = dict(hot_from_ms)
        self.records = dict(records)
        revisions = [state.revision for state in self._series.values()]
        revisions += [record.revision for record in self.records.values()]
        self.revision = max(revisions, default=0)
        self.next_id = max((state.id for state in self._series.values()), default=0) + 1

    @classmethod
    def load(cls, connection: duckdb.DuckDBPyConnection) -> "StoreState":
        """Read the file; a few milliseconds per thousand series."""
        rows = connection.sql(
            "SELECT id, symbol, interval, rows, first_ms, last_ms, revision, cold_last_ms, unsorted_from_ms "
            "FROM series"
        ).fetchall()
        boundary = connection.sql("SELECT interval, hot_from_ms FROM boundary").fetchall()
        records = []
        if connection.sql("FROM duckdb_tables() WHERE table_name = 'record_tables'").fetchall():
            records = connection.sql("SELECT name, rows, revision FROM record_tables").fetchall()
        return cls(
            (
                SeriesState(id_, Series(Symbol.parse(symbol), Interval(interval)), *rest)
                for id_, symbol, interval, *rest in rows
            ),
            {Interval(interval): hot_from_ms for interval, hot_from_ms in boundary},
            {name: RecordState(table_rows, revision) for name, table_rows, revision in records},
        )

    def find(self, series: Series) -> SeriesState | None:
        """The committed state; do not change it."""
        return self._series.get(series)

    def of_interval(self, interval: Interval) -> list[SeriesState]:
        """The committed states of one interval, ascending by id; do not change them."""
        # A list first: the writer may add a series meanwhile.
        found = [state for state in list(self._series.values()) if state.series.interval is interval]
        return sorted(found, key=lambda state: state.id)

    def publish(
        self, states: Iterable[SeriesState], records: Mapping[str, RecordState], revision: int
    ) -> None:
        """Take over what a transaction has committed."""
        for state in states:
            self._series[state.series] = state
            self.next_id = max(self.next_id, state.id + 1)
        self.records.update(records)
        self.revision = revision


class Stage:
    """The changes that one transaction makes; visible to others only after ``publish``."""

    def __init__(self, state: StoreState) -> None:
        self._state = state
        self._staged: dict[Series, SeriesState] = {}
        self._records: dict[str, RecordState] = {}
        self._next_id = state.next_id
        self._touched: set[Series] = set()
        self.revision = state.revision

    def series(self, series: Series) -> SeriesState:
        """The state to change; an unknown series gets an id, and a row once it is ``touched``."""
        staged = self._staged.get(series)
        if staged is None:
            known = self._state.find(series)
            if known is None:
                staged = SeriesState(self._next_id, series)
                self._next_id += 1
            else:
                staged = replace(known)  # copy.copy takes several times as long, for thousands a write
            self._staged[series] = staged
        return staged

    def touch(self, state: SeriesState) -> None:
        """Mark a state as changed, so that ``save`` writes it."""
        self._touched.add(state.series)

    def take_revision(self, state: SeriesState) -> int:
        """The next revision, now also that of the series."""
        self.revision += 1
        state.revision = self.revision
        self.touch(state)
        return self.revision

    def take_record_revision(self, table: str, inserted: int) -> int:
        """The next revision, now also that of a table of records that has ``inserted`` rows more."""
        self.revision += 1
        known = self._records.get(table, self._state.records[table])
        self._records[table] = RecordState(known.rows + inserted, self.revision)
        return self.revision

    def save(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write the touched states into the open transaction."""
        for name, record in self._records.items():
            connection.execute(
                "UPDATE record_tables SET rows = ?, revision = ? WHERE name = ?",
                [record.rows, record.revision, name],
            )
        touched = [self._staged[series] for series in self._touched]
        old = [state for state in touched if self._state.find(state.series) is not None]
        new = [state for state in touched if self._state.find(state.series) is None]
        insert_rows(connection, "series", _to_table(new))
        if len(old) > FEW_ROWS:
            changes = ", ".join(f"{name} = incoming.{name}" for name in _MUTABLE)
            with incoming(connection, _to_table(old)):
                connection.execute(f"UPDATE series SET {changes} FROM incoming WHERE series.id = incoming.id")
            return
        changes = ", ".join(f"{name} = ?" for name in _MUTABLE)
        for state in old:
            values = [getattr(state, name) for name in _MUTABLE]
            connection.execute(f"UPDATE series SET {changes} WHERE id = ?", [*values, state.id])

    def publish(self) -> None:
        """Make the changes the committed state; call it after the commit."""
        self._state.publish([self._staged[series] for series in self._touched], self._records, self.revision)


def _to_table(states: list[SeriesState]) -> pa.Table:
    integers = {name: pa.array([getattr(state, name) for state in states], pa.int64()) for name in _MUTABLE}
    return pa.table(
        {
            "id": pa.array([state.id for state in states], pa.int32()),
            "symbol": [str(state.series.symbol) for state in states],
            "interval": [state.series.interval.value for state in states],
            **integers,
        }
    )
