"""The bars and claims of a batch of writes, inside one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.store import Coverage, UpsertCounts
from markethub.stores.claims import ClaimRule, add_claims
from markethub.stores.duckdb.change_log import WRITTEN, LoggedChange, log_changes
from markethub.stores.duckdb.claim_rows import SERIES_CLAIMS, ClaimRows
from markethub.stores.duckdb.group import CHANGED, NEW, Group, Piece
from markethub.stores.duckdb.schema import bars_table
from markethub.stores.duckdb.state import Stage
from markethub.tables.klines import open_times_ms

# About a month: close writes to cold bars are looked up together, far ones would widen the scan for all.
_LOOKUP_MS = 31 * 86_400_000


@dataclass(slots=True)
class Entry:
    """What is admitted of one series; ``bars`` passed ``admit_bars``."""

    series: Series
    bars: pa.Table
    claims: Sequence[Coverage]
    times: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        times = self.bars.column(0)
        # A view costs a tenth of a cast, and admitted bars are one chunk.
        self.times = (
            times.chunk(0).view(pa.int64()) if times.num_chunks == 1 else open_times_ms(self.bars)
        ).to_numpy()

    def cut(self, boundary_ms: int) -> list[tuple[bool, int, int]]:
        """Where its hot (True) and its cold rows begin and end, as far as there are some."""
        cut = int(self.times.searchsorted(boundary_ms))
        parts = ((False, 0, cut), (True, cut, len(self.times)))
        return [part for part in parts if part[1] < part[2]]


@dataclass(slots=True)
class Write(Entry):
    """One admitted upsert."""

    future: "Future[UpsertCounts]" = field(default_factory=Future)

    def __str__(self) -> str:
        return f"{len(self.bars)} bars of {self.series}"

    @property
    def weight(self) -> int:
        """Its size in bars."""
        return len(self.bars)

    @property
    def entries(self) -> "Sequence[Entry]":
        """Itself."""
        return (self,)


@dataclass(slots=True)
class WriteSet:
    """Admitted upserts that are kept together or not at all."""

    entries: Sequence[Entry]
    future: "Future[list[UpsertCounts]]" = field(default_factory=Future)
    weight: int = field(init=False)
    """Its size in bars."""

    def __post_init__(self) -> None:
        self.weight = sum(len(entry.times) for entry in self.entries)

    def __str__(self) -> str:
        return f"{self.weight} bars of {len(self.entries)} series"


def apply_writes(
    connection: duckdb.DuckDBPyConnection,
    stage: Stage,
    hot_from_ms: Mapping[Interval, int],
    writes: Sequence[Entry],
    claim_rule: ClaimRule = add_claims,
) -> list[UpsertCounts]:
    """Write into the open transaction, as if one write came after the other, and tell what each did."""
    batch = _Batch(connection, stage, hot_from_ms, writes, claim_rule)
    for indices in _split_rounds(writes):
        batch.apply(indices)
    return batch.finish()


def _split_rounds(writes: Sequence[Entry]) -> list[list[int]]:
    """Places of writes that can be compared with the table at once: no two of a round share a key.

    Equal keys stay in their order: the later write goes to a later round.
    """
    rounds: defaultdict[int, list[int]] = defaultdict(list)
    last: dict[Series, tuple[int, int, int]] = {}
    for index, write in enumerate(writes):
        if not len(write.bars):
            rounds[0].append(index)
            continue
        low, high = int(write.times[0]), int(write.times[-1])
        number = 0
        if seen := last.get(write.series):
            seen_low, seen_high, number = seen
            if low <= seen_high and high >= seen_low:
                number += 1
            low, high = min(low, seen_low), max(high, seen_high)
        last[write.series] = (low, high, number)
        rounds[number].append(index)
    return [rounds[number] for number in sorted(rounds)]


class _Batch:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        stage: Stage,
        hot_from_ms: Mapping[Interval, int],
        writes: Sequence[Entry],
        claim_rule: ClaimRule,
    ) -> None:
        self._stage = stage
        self._connection = connection
        self._hot_from_ms = hot_from_ms
        self._writes = writes
        self._states = [stage.series(write.series) for write in writes]
        self._inserted = [0] * len(writes)
        self._updated = [0] * len(writes)
        self._revisions = [0] * len(writes)
        self._changes: list[LoggedChange] = []
        self._claims = ClaimRows(
            connection,
            SERIES_CLAIMS,
            (
                ((state.id,), write.claims)
                for write, state in zip(writes, self._states, strict=True)
                if write.claims
            ),
            claim_rule,
        )

    def apply(self, indices: Iterable[int]) -> None:
        """Apply one round of writes."""
        touched: defaultdict[int, list[Span]] = defaultdict(list)
        indices = list(indices)
        groups = self._group(indices)
        for group in groups:
            group.classify(self._connection)
            self._count(group, touched)
        for index in indices:
            write = self._writes[index]
            state = self._states[index]
            if write.claims:
                touched[index] += self._claims.add((state.id,), write.claims)
            if spans := touched[index]:
                revision = self._stage.take_revision(state)
                self._claims.stamp((state.id,), revision)
                start_ms = min(span.start_ms for span in spans)
                end_ms = max(span.end_ms for span in spans)
                written = self._inserted[index] + self._updated[index]
                self._changes.append(
                    LoggedChange(revision, state.id, Span(start_ms, end_ms), written, WRITTEN)
                )
            self._revisions[index] = self._stage.revision
        for group in groups:
            group.store(self._connection, self._revisions)

    def finish(self) -> list[UpsertCounts]:
        """Write what belongs to the batch as a whole."""
        self._claims.save()
        log_changes(self._connection, self._changes)
        return [
            UpsertCounts(inserted, updated, len(write.bars) - inserted - updated, revision)
            for write, inserted, updated, revision in zip(
                self._writes, self._inserted, self._updated, self._revisions, strict=True
            )
        ]

    def _group(self, indices: Iterable[int]) -> list[Group]:
        pieces: defaultdict[tuple[str, bool, int | None], list[Piece]] = defaultdict(list)
        for index in indices:
            write = self._writes[index]
            series, state = write.series, self._states[index]
            for is_hot, start, end in write.cut(self._hot_from_ms[series.interval]):
                first_ms, last_ms = int(write.times[start]), int(write.times[end - 1])
                bars = write.bars if end - start == len(write.bars) else write.bars.slice(start, end - start)
                place = None
                if state.may_hold(first_ms, last_ms):
                    place = 0 if is_hot else first_ms // _LOOKUP_MS
                table = bars_table(series.interval, is_hot=is_hot)
                pieces[table, is_hot, place].append(Piece(index, state, bars, first_ms, last_ms))
        return [
            Group(table, found, is_hot=is_hot, may_exist=place is not None)
            for (table, is_hot, place), found in pieces.items()
        ]

    def _count(self, group: Group, touched: dict[int, list[Span]]) -> None:
        for number, piece in enumerate(group.pieces):
            part = group.slice_of(number)
            status, times = group.status[part], group.times[part]
            inserted = times[status == NEW]
            if len(inserted):
                first_ms, last_ms = int(inserted[0]), int(inserted[-1])
                piece.state.note_insert(len(inserted), first_ms, last_ms)
                if not group.is_hot:
                    piece.state.note_cold_run(first_ms, last_ms)
                self._inserted[piece.write] += len(inserted)
            updated = int(np.count_nonzero(status == CHANGED))
            self._updated[piece.write] += updated
            if len(inserted) or updated:
                changed = times[status > 0]
                width = piece.state.series.interval.width_ms
                touched[piece.write].append(Span(int(changed[0]), int(changed[-1]) + width))
