"""A store that follows another: changes in their order, and comparison where their order is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

import orjson

from markethub.domain.selection import Selection
from markethub.domain.symbol import Series
from markethub.ports.data_store import DataStore
from markethub.ports.replication import ChangeSet, Patch, PatchCounts, ReplicaSource, SourceState
from markethub.replication.comparison import SeriesComparison, TableComparison
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.selected import takes_table

MARK = "replica"
"""The mark in the following store that keeps its watermark."""

_ROWS_PER_SET = 250_000
_TRIES = 5
"""How often contents that change meanwhile are compared again."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a store has followed a source: all of ``selection`` up to ``revision`` is there."""

    store_id: str
    epoch: int
    revision: int
    selection: Mapping[str, list[str]]

    def to_text(self) -> str:
        return orjson.dumps(self).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(**orjson.loads(text))


class Mode(StrEnum):
    """Why something was brought over: it was new, all was compared, or it differed though it should not."""

    INCREMENTAL = "incremental"
    FULL = "full"
    REPAIR = "repair"


@dataclass(frozen=True, slots=True)
class Copied:
    """What was brought over of one series, or of one table of records by its name, and is durable."""

    subject: Series | str
    mode: Mode
    rows: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found; ``unsettled`` ones changed again each time they were compared."""

    compared: int
    repaired: Sequence[Series | str]
    unsettled: Sequence[Series | str]


Note = Callable[[Copied], None]


@dataclass(slots=True)
class Follower:
    """Brings a store up to its source; one follower at a time works on a store.

    Killed at any point, it goes on from the watermark, which is written together with the rows it tells of.
    ``note`` is told of everything that was brought over.
    """

    source: ReplicaSource
    store: DataStore
    selection: Selection
    note: Note = field(default=lambda _copied: None)
    rows_per_set: int = _ROWS_PER_SET

    async def read_mark(self) -> Watermark | None:
        """How far the store has followed; None if it never did."""
        text = await asyncio.to_thread(self.store.replica.read_mark, MARK)
        return None if text is None else Watermark.from_text(text)

    async def catch_up(self) -> Watermark:
        """Bring over everything that the source has at this moment, and maybe some more.

        Contents are compared first where no watermark leads on: on the first time, with another source or
        selection, and where the changes after it were trimmed.
        """
        state = await self.source.read_state()
        mark = await self.read_mark()
        if mark is None or not self._leads_on(mark, state):
            mark = await self._compare_all(state)
        return await self._follow(mark)

    async def verify(self) -> Verdict:
        """Catch up, compare all contents with the source, and repair what differs.

        What the source changes meanwhile is no difference.
        """
        mark = await self.catch_up()
        compared = 0
        repaired: list[Series | str] = []
        unsettled: list[Series | str] = []
        async for comparison in self._comparisons():
            compared += 1
            for _ in range(_TRIES):
                differs = await comparison.compare()
                if comparison.revision <= mark.revision:
                    if differs:
                        await self._bring(comparison, Mode.REPAIR)
                        repaired.append(comparison.subject)
                    break
                mark = await self._follow(mark)
            else:
                unsettled.append(comparison.subject)
        return Verdict(compared, repaired, unsettled)

    def _leads_on(self, mark: Watermark, state: SourceState) -> bool:
        return (
            mark.store_id == state.store_id
            and mark.selection == self.selection.to_texts()
            and state.oldest <= mark.revision <= state.newest
        )

    async def _compare_all(self, state: SourceState) -> Watermark:
        """Make the contents equal; what the source writes meanwhile comes with the changes after it."""
        async for comparison in self._comparisons():
            if await comparison.compare():
                await self._bring(comparison, Mode.FULL)
        mark = Watermark(state.store_id, state.epoch, state.newest, self.selection.to_texts())
        await self._apply(Patch(marks={MARK: mark.to_text()}))
        return mark

    async def _comparisons(self) -> AsyncIterator[SeriesComparison | TableComparison]:
        theirs = await self.source.list_series(self.selection)
        mine = await asyncio.to_thread(self.store.summaries)
        known = {one.series for one in (*theirs, *mine) if self.selection.takes_series(one.series)}
        for series in sorted(known):
            yield SeriesComparison(self.source, self.store, series)
        for table in RECORD_TABLES.values():
            if takes_table(self.selection, table):
                yield TableComparison(self.source, self.store, table, self.selection)

    async def _bring(self, comparison: SeriesComparison | TableComparison, mode: Mode) -> None:
        rows = 0
        async for patch in comparison.patches():
            counts = await self._apply(patch)
            rows += counts.inserted + counts.updated + counts.deleted
        self.note(Copied(comparison.subject, mode, rows))

    async def _follow(self, mark: Watermark) -> Watermark:
        waiting = self._read_after(mark)
        try:
            while True:
                changes = await waiting
                if changes.upto == mark.revision:
                    return mark
                mark = replace(mark, revision=changes.upto)
                is_last = changes.upto == changes.newest
                if not is_last:
                    waiting = self._read_after(mark)  # on its way while this set is written
                await self._apply(Patch(changes.series, changes.records, {MARK: mark.to_text()}))
                for one in changes.series:
                    self.note(Copied(one.series, Mode.INCREMENTAL, len(one.bars)))
                for table in changes.records:
                    self.note(Copied(table.table.name, Mode.INCREMENTAL, len(table.rows)))
                if is_last:
                    return mark
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def _read_after(self, mark: Watermark) -> asyncio.Task[ChangeSet]:
        return asyncio.create_task(self.source.read_changes(mark.revision, self.rows_per_set, self.selection))

    async def _apply(self, patch: Patch) -> PatchCounts:
        return await asyncio.wrap_future(self.store.replica.apply_patch(patch))
