"""A store that follows another: changes in their order, and comparison where their order is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

import orjson
import structlog

from markethub.domain.errors import InputError, ReplicationError
from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.ports.data_store import DataStore
from markethub.ports.replication import (
    ChangeSet,
    Patch,
    PatchCounts,
    ReplicaSource,
    SnapshotPage,
    SourceState,
)
from markethub.ports.store import EVER, SeriesSummary
from markethub.replication.comparison import SeriesComparison, TableComparison
from markethub.replication.marks import COPY_MARK, FOLLOWED_MARK
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.selected import takes_table

_ROWS_PER_SET = 2 * 122_880
"""Two row groups of DuckDB: what fills them goes to the file at once, the rest is written twice."""
_TRIES = 5
"""How often contents that change meanwhile are compared again."""
_FOLLOW_EVERY_S = 1.0
"""A verification may take long; what the source writes meanwhile does not wait for its end."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a store has followed a source: all of ``selection`` up to ``revision`` is there.

    ``written_ms`` is when the source wrote that revision, None where it does not tell.
    """

    store_id: str
    epoch: int
    revision: int
    selection: Mapping[str, list[str]]
    written_ms: int | None = None

    def to_text(self) -> str:
        return orjson.dumps(self).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(**orjson.loads(text))


@dataclass(frozen=True, slots=True)
class Copying:
    """How far a snapshot has come: ``cursor`` leads to the next page; ``begun`` is what will be there then,
    together with the changes since."""

    begun: Watermark
    cursor: str | None

    def to_text(self) -> str:
        return orjson.dumps(self).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        told = orjson.loads(text)
        return cls(Watermark(**told["begun"]), told["cursor"])


class _PartedError(ReplicationError):
    """The source counts its revisions as what was followed did, and has written others under them."""


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
    ``note`` is told of everything that was brought over. ``least_epoch`` is there where the source is a node
    of this one's group, and tells the epoch that this one knows of: a source of an older reign is refused,
    and so is a store that nobody promoted, such as an empty one in place of the master's, or its backup.
    """

    source: ReplicaSource
    store: DataStore
    selection: Selection
    note: Note = field(default=lambda _copied: None)
    rows_per_set: int = _ROWS_PER_SET
    least_epoch: Callable[[], int] | None = None
    reached: Callable[[Watermark], None] = field(default=lambda _mark: None)
    """Told each time the store has everything that the source had a moment ago."""
    newest: int | None = field(default=None, init=False)
    """The source's newest revision as last heard."""

    async def read_mark(self) -> Watermark | None:
        """How far the store has followed; None if it never did."""
        text = await asyncio.to_thread(self.store.replica.read_mark, FOLLOWED_MARK)
        return None if text is None else Watermark.from_text(text)

    async def catch_up(self) -> Watermark:
        """Bring over everything that the source has at this moment, and maybe some more.

        An empty store takes a snapshot first. Otherwise contents are compared where no watermark leads on:
        on the first time, with another source or selection, and where the changes after it were trimmed.
        ReplicationError where the source is refused.
        """
        state = await self.source.read_state()
        self.newest = state.newest
        mark = await self.read_mark()
        self._check_reign(state, mark)
        if mark is None and (copying := await self._find_copying(state)) is not None:
            mark = await self._copy(copying)
            state = await self.source.read_state()
            self._check_reign(state, mark)
        self.newest = state.newest
        if mark is None and self.least_epoch is not None and state.newest == 0:
            raise _refusal("it has never held anything, while this store does")
        if mark is None or not self._leads_on(mark, state):
            _log.warning(
                "no watermark leads on, so all contents are compared with the source",
                revision=None if mark is None else mark.revision,
                oldest=state.oldest,
                newest=state.newest,
            )
            mark = await self._compare_all(state)
        try:
            mark = await self._follow(mark)
        except _PartedError:
            if self._must_agree(state, mark):
                raise
            _log.warning("the source is a copy that went its own way, so all contents are compared with it")
            mark = await self._follow(await self._compare_all(state))
        if mark.epoch < state.epoch:
            # From now on nobody may take its place without a promotion.
            mark = replace(mark, epoch=state.epoch)
            await self._apply(Patch(marks={FOLLOWED_MARK: mark.to_text()}))
        return mark

    async def verify(self, symbol: Symbol | None = None, span: Span = EVER) -> Verdict:
        """Catch up, compare contents with the source, and repair what differs.

        What is compared is everything, or all about ``symbol``; it is repaired in the months that ``span``
        touches. What the source changes meanwhile is no difference. InputError if the selection leaves
        ``symbol`` out.
        """
        part = self.narrow(symbol)
        mark = await self.catch_up()
        compared = 0
        repaired: list[Series | str] = []
        unsettled: list[Series | str] = []
        clock = asyncio.get_running_loop().time
        followed_s = clock()
        async for comparison in self._comparisons(part):
            if clock() - followed_s >= _FOLLOW_EVERY_S:
                mark = await self._follow(mark)
                followed_s = clock()
            compared += 1
            for _ in range(_TRIES):
                differs = await comparison.compare()
                if comparison.revision <= mark.revision:
                    if differs and await self._bring(comparison, Mode.REPAIR, span):
                        repaired.append(comparison.subject)
                    break
                mark = await self._follow(mark)
            else:
                unsettled.append(comparison.subject)
        return Verdict(compared, repaired, unsettled)

    def _check_reign(self, state: SourceState, mark: Watermark | None) -> None:
        if self.least_epoch is None:
            return
        if state.epoch < self.least_epoch():
            raise ReplicationError(
                f"the source is not followed: it is of epoch {state.epoch}, and was replaced by one of epoch "
                f"{self.least_epoch()}; name that one in [master]"
            )
        if mark is not None and self._must_agree(state, mark):
            self._check_data(state, mark)

    def _must_agree(self, state: SourceState, mark: Watermark) -> bool:
        """Whether the source has to be the store that was followed: nobody was promoted since."""
        return self.least_epoch is not None and state.epoch <= mark.epoch

    def _check_data(self, state: SourceState, mark: Watermark) -> None:
        if mark.store_id != state.store_id:
            raise _refusal(f"its data is another store's than what was followed in epoch {mark.epoch}")
        if state.newest < mark.revision:
            raise _refusal(f"its data is older than what was followed in epoch {mark.epoch}")

    def _leads_on(self, mark: Watermark, state: SourceState) -> bool:
        return (
            mark.store_id == state.store_id
            and mark.selection == self.selection.to_texts()
            and state.oldest <= mark.revision <= state.newest
        )

    async def _compare_all(self, state: SourceState) -> Watermark:
        """Make the contents equal; what the source writes meanwhile comes with the changes after it."""
        async for comparison in self._comparisons(self.selection):
            if await comparison.compare():
                await self._bring(comparison, Mode.FULL)
        mark = self._mark_of(state)
        await self._apply(Patch(marks={FOLLOWED_MARK: mark.to_text(), COPY_MARK: None}))
        return mark

    def _mark_of(self, state: SourceState) -> Watermark:
        selection = self.selection.to_texts()
        return Watermark(state.store_id, state.epoch, state.newest, selection, state.newest_ms)

    async def _find_copying(self, state: SourceState) -> Copying | None:
        """The snapshot to go on with, or to begin; None where the store holds something else."""
        text = await asyncio.to_thread(self.store.replica.read_mark, COPY_MARK)
        if text is None:
            is_empty = await asyncio.to_thread(_is_empty, self.store)
            return Copying(self._mark_of(state), None) if is_empty else None
        copying = Copying.from_text(text)
        begun = copying.begun
        is_same = begun.store_id == state.store_id and begun.selection == self.selection.to_texts()
        return copying if is_same else None

    async def _copy(self, copying: Copying) -> Watermark:
        waiting = self._read_page(copying)
        try:
            while True:
                page = await waiting
                copying = replace(copying, cursor=page.cursor)
                if page.cursor is None:
                    marks = {FOLLOWED_MARK: copying.begun.to_text(), COPY_MARK: None}
                else:
                    marks = {COPY_MARK: copying.to_text()}
                    waiting = self._read_page(copying)  # on its way while this one is written
                await self._apply(Patch(page.series, page.records, marks))
                self._note_rows(page, Mode.FULL)
                if page.cursor is None:
                    return copying.begun
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def _read_page(self, copying: Copying) -> asyncio.Task[SnapshotPage]:
        return asyncio.create_task(
            self.source.read_snapshot(copying.cursor, self.rows_per_set, self.selection)
        )

    def _note_rows(self, brought: ChangeSet | SnapshotPage, mode: Mode) -> None:
        for one in brought.series:
            self.note(Copied(one.series, mode, len(one.bars)))
        for table in brought.records:
            self.note(Copied(table.table.name, mode, len(table.rows)))

    def narrow(self, symbol: Symbol | None) -> Selection:
        """The part of the selection that is about ``symbol``; InputError if there is none."""
        if symbol is None:
            return self.selection
        if not self.selection.takes_symbol(symbol):
            raise InputError(f"symbol {symbol} is not among what this node follows its master for")
        return replace(self.selection, symbols=frozenset({symbol}))

    async def _comparisons(self, part: Selection) -> AsyncIterator[SeriesComparison | TableComparison]:
        theirs = await self.source.list_series(part)
        mine = await asyncio.to_thread(self.store.summaries)
        known = await asyncio.to_thread(_list_known, (*theirs, *mine), part)
        for series in known:
            yield SeriesComparison(self.source, self.store, series)
        for table in RECORD_TABLES.values():
            if takes_table(part, table):
                yield TableComparison(self.source, self.store, table, part)

    async def _bring(
        self, comparison: SeriesComparison | TableComparison, mode: Mode, span: Span = EVER
    ) -> bool:
        """Whether there was something to bring in ``span``."""
        rows, patches = 0, 0
        async for patch in comparison.patches(span):
            counts = await self._apply(patch)
            rows += counts.inserted + counts.updated + counts.deleted
            patches += 1
        if patches:
            self.note(Copied(comparison.subject, mode, rows))
        return patches > 0

    async def _follow(self, mark: Watermark) -> Watermark:
        waiting = self._read_after(mark)
        try:
            while True:
                changes = await waiting
                _check_history(mark, changes)
                if changes.upto == mark.revision:
                    self.reached(mark)
                    return mark
                self.newest = changes.newest
                mark = replace(mark, revision=changes.upto, written_ms=changes.upto_ms)
                is_last = changes.upto == changes.newest
                if not is_last:
                    waiting = self._read_after(mark)  # on its way while this set is written
                await self._apply(Patch(changes.series, changes.records, {FOLLOWED_MARK: mark.to_text()}))
                self._note_rows(changes, Mode.INCREMENTAL)
                if is_last:
                    self.reached(mark)
                    return mark
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def _read_after(self, mark: Watermark) -> asyncio.Task[ChangeSet]:
        return asyncio.create_task(self.source.read_changes(mark.revision, self.rows_per_set, self.selection))

    async def _apply(self, patch: Patch) -> PatchCounts:
        # It is checked before it is queued, which takes a moment for thousands of series.
        return await asyncio.wrap_future(await asyncio.to_thread(self.store.replica.apply_patch, patch))


def _check_history(mark: Watermark, changes: ChangeSet) -> None:
    if mark.written_ms is not None and changes.after_ms not in (None, mark.written_ms):
        raise _PartedError(
            str(_refusal(f"its revision {mark.revision} is another one than the one that was followed"))
        )


def _refusal(why: str) -> ReplicationError:
    return ReplicationError(
        f"the source is not followed: {why}, and following it would remove what it lacks; promote the node "
        "that has the data, or, if what the source has is right, start this node with an empty data folder"
    )


def _list_known(summaries: Iterable[SeriesSummary], part: Selection) -> list[Series]:
    return sorted({one.series for one in summaries if part.takes_series(one.series)})


def _is_empty(store: DataStore) -> bool:
    return not store.summaries() and not any(map(store.replica.record_revision, RECORD_TABLES.values()))
