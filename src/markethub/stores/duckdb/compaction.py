"""Bring rows into read order, a transaction at a time, while others read and write.

Three things spoil it. New bars gather in the hot table, all series mixed. A flush leaves them in cold as one
fragment per flush, so a series' month lies in many places. And history that is written after newer bars of
its series lies behind them, so a read has to sort.

The last two are cured by the same step: take the rows of some series from some time on, delete them, and
append them in order of (series, time), in one transaction. A process killed between two steps has some rows
moved and some not; every row is there once, and what is still out of order is still marked so.
"""

# ruff: noqa: S608 - names in the SQL are our own constants; every value is a parameter

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, TypeVar

import duckdb

from markethub.domain.interval import Interval
from markethub.ports.clock import Clock
from markethub.stores.duckdb.compaction_steps import Fragment, Move, Steps, Target, hot_start
from markethub.stores.duckdb.schema import bars_table
from markethub.stores.duckdb.state import SeriesState, StoreState

STEP_ROWS = 1_000_000
"""What one transaction moves at most: about half a second during which writes wait."""

_FLUSHES_PER_MERGE = 24
_MERGES_PER_REWRITE = 31
# A merged stretch this long is left alone for good: merging it again would cost more than it saves.
_FINAL_MS = 31 * 86_400_000
_CHECKPOINT_ROWS = 8 * STEP_ROWS


T = TypeVar("T")


class Caller(Protocol):
    """Runs a step on the writer thread and waits for it."""

    def __call__(self, step: Callable[[], T]) -> T: ...


class Compaction:
    """Plans on the calling thread with its own cursor, and gives each step to the writer thread.

    Not thread-safe: the store lets one thread in at a time.
    """

    def __init__(
        self,
        planner: duckdb.DuckDBPyConnection,
        steps: Steps,
        state: StoreState,
        call: Caller,
        clock: Clock,
    ) -> None:
        self._planner = planner
        self._steps = steps
        self._state = state
        self._call = call
        self._clock = clock
        self._moved_rows = 0
        self._runs_seen: dict[int, int] = {}

    def run_all(self) -> None:
        """Cure everything: flush, sort and merge, then give freed space back."""
        for interval in Interval:
            self._flush(interval)
            fragments = self._fragments(interval)
            self._rewrite(interval, self._unsorted(interval), fragments if len(fragments) > 1 else [])
        self._checkpoint()

    def run_due(self) -> None:
        """Do what pays off now, for a regular caller.

        Flush what has left the hot stretch. Merge the flushes of a day, then the merges of a month. Sort the
        series that got no late history since the last call, so that a running backfill is not chased.
        """
        for interval in Interval:
            self._flush(interval)
            quiet = [
                state
                for state in self._unsorted(interval)
                if self._runs_seen.get(state.id) == state.unsorted_runs
            ]
            self._rewrite(interval, quiet, _choose_due(self._fragments(interval)))
            self._runs_seen |= {state.id: state.unsorted_runs for state in self._unsorted(interval)}
        if self._moved_rows:
            self._checkpoint()

    def _flush(self, interval: Interval) -> None:
        until_ms = hot_start(interval, self._clock())
        while until_ms > self._state.hot_from_ms[interval]:
            cut_ms = self._choose_flush_end(interval, until_ms)
            self._count_moved(self._call(partial(self._steps.flush, interval, cut_ms)))

    def _choose_flush_end(self, interval: Interval, until_ms: int) -> int:
        rows = self._planner.sql(
            f"SELECT epoch_ms(open_time), count(*) FROM {bars_table(interval, is_hot=True)} "
            "GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        total = 0
        for open_ms, count in rows:
            if open_ms >= until_ms:
                break
            if total and total + count > STEP_ROWS:
                return int(open_ms)
            total += count
        return until_ms

    def _unsorted(self, interval: Interval) -> list[SeriesState]:
        return [state for state in self._state.of_interval(interval) if state.unsorted_from_ms is not None]

    def _fragments(self, interval: Interval) -> list[Fragment]:
        rows = self._planner.sql(
            "SELECT start_ms, end_ms, level FROM fragments WHERE interval = ? ORDER BY start_ms",
            params=[interval.value],
        ).fetchall()
        return [Fragment(*row) for row in rows]

    def _rewrite(
        self, interval: Interval, unsorted: Iterable[SeriesState], fragments: list[Fragment]
    ) -> None:
        targets = {state.id: Target.of(state, None) for state in unsorted}
        if fragments:
            start_ms = fragments[0].start_ms
            for state in self._state.of_interval(interval):
                if state.id in targets or (state.cold_last_ms or start_ms - 1) >= start_ms:
                    targets[state.id] = Target.of(state, start_ms)
        for moves in self._pack(interval, list(targets.values())):
            self._count_moved(self._call(partial(self._steps.move, interval, moves)))
        if fragments:
            merged = Fragment(fragments[0].start_ms, fragments[-1].end_ms, 1)
            is_final = merged.end_ms - merged.start_ms >= _FINAL_MS
            self._call(partial(self._steps.replace_fragments, interval, merged, is_final=is_final))

    def _pack(self, interval: Interval, targets: list[Target]) -> list[list[Move]]:
        """Moves in an order that leaves every series sorted, packed to about ``STEP_ROWS`` rows each."""
        steps: list[list[Move]] = []
        room = 0
        for target, rows in self._steps.count(self._planner, interval, targets):
            if rows > STEP_ROWS:
                steps += [[move] for move in target.split(STEP_ROWS * interval.width_ms)]
                room = 0
                continue
            if rows > room:
                steps.append([])
                room = STEP_ROWS
            steps[-1].append(target.whole())
            room -= rows
        return steps

    def _count_moved(self, rows: int) -> None:
        self._moved_rows += rows
        if self._moved_rows >= _CHECKPOINT_ROWS:
            self._checkpoint()

    def _checkpoint(self) -> None:
        if self._call(self._steps.checkpoint):
            self._moved_rows = 0


def _choose_due(fragments: list[Fragment]) -> list[Fragment]:
    """The newest fragments that should become one; always all behind the first chosen, to keep time order."""
    for level, enough in ((1, _MERGES_PER_REWRITE), (0, _FLUSHES_PER_MERGE)):
        if sum(fragment.level == level for fragment in fragments) >= enough:
            return [fragment for fragment in fragments if fragment.level <= level]
    return []
