"""The single transactions of a compaction; each runs on the writer thread."""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.stores.admission import LAST_MS
from markethub.stores.duckdb.frames import TIME, incoming, transaction
from markethub.stores.duckdb.schema import BAR_COLUMNS, bars_table, name_columns
from markethub.stores.duckdb.state import SeriesState, Stage, StoreState

_HOUR_MS = 3_600_000


def hot_start(interval: Interval, now_ms: int) -> int:
    """Where the hot stretch should begin: a full hour back, and at least two bars.

    A venue corrects its newest bars, and a correction is cheapest while the bar is hot.
    """
    reach_ms = max(_HOUR_MS, 2 * interval.width_ms)
    return interval.floor((now_ms - reach_ms) // _HOUR_MS * _HOUR_MS)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A flushed stretch of time that lies in cold by itself: one flush (level 0) or a merge of some (1)."""

    start_ms: int
    end_ms: int
    level: int


@dataclass(frozen=True, slots=True)
class Move:
    """Rows of one series to append anew. The last move of a series may declare it sorted, unless more late
    history came since ``runs`` was counted."""

    series_id: int
    start_ms: int
    end_ms: int
    sorts: bool
    runs: int


@dataclass(frozen=True, slots=True)
class Target:
    """A series to bring in order from ``start_ms`` on, whose last cold bar was ``last_ms`` when planned."""

    series_id: int
    start_ms: int
    last_ms: int
    runs: int

    @classmethod
    def of(cls, state: SeriesState, start_ms: int | None) -> "Target":
        """From where the series is unsorted, or from ``start_ms`` if that is earlier."""
        starts = [time_ms for time_ms in (state.unsorted_from_ms, start_ms) if time_ms is not None]
        last_ms = state.cold_last_ms if state.cold_last_ms is not None else min(starts)
        return cls(state.id, min(starts), last_ms, state.unsorted_runs)

    def whole(self) -> Move:
        """All rows at once."""
        return Move(self.series_id, self.start_ms, LAST_MS, sorts=True, runs=self.runs)

    def split(self, width_ms: int) -> list[Move]:
        """Ascending moves of ``width_ms`` each; the last one takes in what was appended meanwhile."""
        starts = list(range(self.start_ms, self.last_ms + 1, width_ms))
        return [
            Move(
                self.series_id,
                start_ms,
                start_ms + width_ms if start_ms != starts[-1] else LAST_MS,
                sorts=start_ms == starts[-1],
                runs=self.runs,
            )
            for start_ms in starts
        ]


class Steps:
    """Transactions on the writer's connection that move rows and keep ``state`` in step with the file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, state: StoreState) -> None:
        self._connection = connection
        self._state = state

    def flush(self, interval: Interval, until_ms: int) -> int:
        """Move the hot bars before ``until_ms`` to cold and the boundary to ``until_ms``; return the rows."""
        hot, cold = bars_table(interval, is_hot=True), bars_table(interval, is_hot=False)
        stage = Stage(self._state)
        by_id = {state.id: state.series for state in self._state.of_interval(interval)}
        before = f"open_time < {TIME}"
        with transaction(self._connection):
            moved = self._connection.sql(
                f"SELECT series, count(*), epoch_ms(min(open_time)), epoch_ms(max(open_time)) FROM {hot} "
                f"WHERE {before} GROUP BY series",
                params=[until_ms],
            ).fetchall()
            if moved:
                names = name_columns(BAR_COLUMNS)
                self._connection.execute(
                    f"INSERT INTO {cold} ({names}) SELECT {names} FROM {hot} WHERE {before} "
                    "ORDER BY series, open_time",
                    [until_ms],
                )
                self._connection.execute(f"DELETE FROM {hot} WHERE {before}", [until_ms])
                self._connection.execute(
                    "INSERT INTO fragments VALUES (?, ?, ?, 0)",
                    [interval.value, min(first_ms for _, _, first_ms, _ in moved), until_ms],
                )
            for series_id, _, first_ms, last_ms in moved:
                state = stage.series(by_id[series_id])
                state.note_cold_run(first_ms, last_ms)
                stage.touch(state)
            stage.save(self._connection)
            self._connection.execute(
                "UPDATE boundary SET hot_from_ms = ? WHERE interval = ?", [until_ms, interval.value]
            )
        stage.publish()
        self._state.hot_from_ms[interval] = until_ms
        return sum(rows for _, rows, _, _ in moved)

    def count(
        self, cursor: duckdb.DuckDBPyConnection, interval: Interval, targets: Sequence[Target]
    ) -> Iterator[tuple[Target, int]]:
        """Each target with the rows it has now, ascending by series; those without rows are left out."""
        if not targets:
            return
        by_id = {target.series_id: target for target in targets}
        with incoming(cursor, _to_table([target.whole() for target in targets])):
            rows = cursor.sql(
                f"SELECT t.series, count(*) FROM {bars_table(interval, is_hot=False)} t JOIN incoming i "
                f"ON {_CHOSEN} WHERE {_IN_BOUNDS} GROUP BY t.series ORDER BY t.series",
                params=_bounds([target.whole() for target in targets]),
            ).fetchall()
        for series_id, count in rows:
            yield by_id[series_id], count

    def move(self, interval: Interval, moves: Sequence[Move]) -> int:
        """Append the rows of the moves anew, in order of (series, time); return how many they are."""
        table, names = bars_table(interval, is_hot=False), name_columns(BAR_COLUMNS)
        stage = Stage(self._state)
        by_id = {state.id: state for state in self._state.of_interval(interval)}
        bounds = _bounds(moves)
        connection = self._connection
        with transaction(connection), incoming(connection, _to_table(moves)):
            connection.execute(
                f"CREATE TEMP TABLE moving AS SELECT t.* FROM {table} t JOIN incoming i ON {_CHOSEN} "
                f"WHERE {_IN_BOUNDS} ORDER BY t.series, t.open_time",
                bounds,
            )
            connection.execute(
                f"DELETE FROM {table} t USING incoming i WHERE {_CHOSEN} AND {_IN_BOUNDS}", bounds
            )
            connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM moving")
            rows = connection.sql("SELECT count(*) FROM moving").fetchall()[0][0]
            connection.execute("DROP TABLE moving")
            for move in moves:
                known = by_id[move.series_id]
                if move.sorts and known.unsorted_runs == move.runs:
                    state = stage.series(known.series)
                    state.unsorted_from_ms = None
                    stage.touch(state)
            stage.save(connection)
        stage.publish()
        return int(rows)

    def replace_fragments(self, interval: Interval, merged: Fragment, *, is_final: bool) -> None:
        """Put ``merged`` in the place of the fragments from its start on, or nothing if it is final."""
        with transaction(self._connection):
            self._connection.execute(
                "DELETE FROM fragments WHERE interval = ? AND start_ms >= ?",
                [interval.value, merged.start_ms],
            )
            if not is_final:
                self._connection.execute(
                    "INSERT INTO fragments VALUES (?, ?, ?, ?)",
                    [interval.value, merged.start_ms, merged.end_ms, merged.level],
                )

    def checkpoint(self) -> bool:
        """Fold the log into the file and free the space of deleted rows; False if that must wait."""
        try:
            self._connection.execute("CHECKPOINT")
        except duckdb.TransactionException:
            # A scan that runs right now can hold it up; FORCE would make all writes wait for it.
            return False
        return True


_CHOSEN = "t.series = i.series AND t.open_time >= i.start_time AND t.open_time < i.end_time"
# Zone maps prune by these bounds, not by the join.
_IN_BOUNDS = f"t.series BETWEEN ? AND ? AND t.open_time >= {TIME} AND t.open_time < {TIME}"


def _bounds(moves: Sequence[Move]) -> list[int]:
    ids = [move.series_id for move in moves]
    return [min(ids), max(ids), min(move.start_ms for move in moves), max(move.end_ms for move in moves)]


def _to_table(moves: Sequence[Move]) -> pa.Table:
    times = pa.timestamp("ms")
    return pa.table(
        {
            "series": pa.array([move.series_id for move in moves], pa.int32()),
            "start_time": pa.array([move.start_ms for move in moves], times),
            "end_time": pa.array([move.end_ms for move in moves], times),
        }
    )
