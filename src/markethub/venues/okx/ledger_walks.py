"""Ways through a ledger from its newest record to its oldest, by the cursors that lose nothing.

All of them are exclusive, and pages come newest first. Source: "Order management", "Pagination" of the OKX
trick guide, and the pages of the endpoints.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from markethub.domain.errors import VenueProtocolError
from markethub.domain.span import Span
from markethub.venues.okx.ledger_entries import Entry
from markethub.venues.okx.limits import LEDGER_ROWS

DISORDER_MS = 60_000
"""How far the order of ids may be from the order of times. No page promises that they agree."""

_LONGEST_ID = 30  # digits

Cursor = Mapping[str, str | int]
AskPage = Callable[[Cursor], Awaitable[list[Entry]]]
"""Asks an endpoint with a cursor, none meaning its newest page."""


class Walk(Protocol):
    """A way through one endpoint's records of a span.

    Every record of the span from ``complete_ms`` on has come by now; once the walk ``is_done`` that is all.
    """

    is_done: bool
    complete_ms: int

    async def next_page(self) -> list[Entry]:
        """The records that were not there before, which may be none, also before the end.

        VenueProtocolError where the venue's cursor does not lead on: never an endless loop.
        """


class IdWalk:
    """Walks by ``after`` = the smallest id seen, until an empty page.

    Any number of records may share a millisecond. A page that is too short is no end, and one whose rows are
    out of order or overlap the page before is put right.
    """

    def __init__(
        self, ask: AskPage, span: Span, source: str, *, floor_ms: int = 0, below_id: int | None = None
    ) -> None:
        """``floor_ms`` ends the walk where the endpoint cannot: at the first page that holds an older record.
        ``below_id`` is where to begin, by default at the newest record."""
        self.is_done = False
        self.complete_ms = span.end_ms
        self._ask = ask
        self._start_ms = span.start_ms
        self._source = source
        self._floor_ms = floor_ms
        self._below_id = below_id
        self._last_page: frozenset[str] = frozenset()

    async def next_page(self) -> list[Entry]:
        page = await self._ask({} if self._below_id is None else {"after": self._below_id})
        if not page:
            return self._finish([])
        smallest_id = min(read_id(entry, self._source) for entry in page)
        if self._below_id is not None and smallest_id >= self._below_id:
            raise VenueProtocolError(f"{self._source}: the page after {self._below_id} shows nothing older")
        fresh = [entry for entry in page if entry.id not in self._last_page]
        self._below_id = smallest_id
        self._last_page = frozenset(entry.id for entry in page)
        oldest_ms = min(entry.paged_ms for entry in page)
        if oldest_ms < self._floor_ms:
            return self._finish(fresh)
        self.complete_ms = max(min(self.complete_ms, oldest_ms + DISORDER_MS), self._start_ms)
        return fresh

    def _finish(self, fresh: list[Entry]) -> list[Entry]:
        self.is_done = True
        self.complete_ms = self._start_ms
        return fresh


class TimeWalk:
    """Walks an endpoint whose cursors are times, so that records of one millisecond stay together.

    Each page is asked to begin with the last millisecond of the page before, and must show its records again:
    only then the cursor is sure to mean what we think.
    """

    def __init__(self, ask: AskPage, span: Span, source: str) -> None:
        self.is_done = False
        self.complete_ms = span.end_ms
        self._ask = ask
        self._span = span
        self._source = source
        self._older = ""
        self._edge: list[Entry] = []

    async def next_page(self) -> list[Entry]:
        if not self._edge:
            fresh, self._older = await find_older(self._ask, self._span.end_ms, self._source)
            return self._step(fresh, fresh)
        edge_ms = self._edge[0].paged_ms
        page = await self._ask({self._older: edge_ms + 1})
        self._check(page, edge_ms, {entry.id for entry in self._edge})
        known = {entry.id for entry in self._edge}
        fresh = [entry for entry in page if entry.id not in known]
        if not fresh:
            if len(page) >= LEDGER_ROWS:
                raise VenueProtocolError(
                    f"{self._source}: a whole page of records at {edge_ms}, behind which no cursor reaches"
                )
            page = fresh = await self._ask({self._older: edge_ms})
            self._check(page, edge_ms - 1, set())
        return self._step(page, fresh)

    def _check(self, page: Sequence[Entry], newest_ms: int, expected: set[str]) -> None:
        is_older = all(entry.paged_ms <= newest_ms for entry in page)
        if not (is_older and expected <= {entry.id for entry in page}):
            raise VenueProtocolError(
                f"{self._source}: {self._older}={newest_ms + 1} begins not at the records of {newest_ms}"
            )

    def _step(self, page: Sequence[Entry], fresh: list[Entry]) -> list[Entry]:
        oldest_ms = min((entry.paged_ms for entry in page), default=-1)
        if oldest_ms < self._span.start_ms:
            self.is_done = True
            self.complete_ms = self._span.start_ms
        else:
            self.complete_ms = min(self.complete_ms, oldest_ms + 1)
            self._edge = [entry for entry in page if entry.paged_ms == oldest_ms]
        return fresh


class BillWalk:
    """Walks asset bills by id, from a place that was found by time: they cannot be filtered by time."""

    def __init__(self, ask: AskPage, span: Span, source: str) -> None:
        """``ask`` is for ``bills-history``, whose ``pagingType`` says what its cursor is."""
        self.is_done = False
        self.complete_ms = span.end_ms
        self._ask = ask
        self._span = span
        self._source = source
        self._walk: IdWalk | None = None

    async def next_page(self) -> list[Entry]:
        if self._walk is None:
            return await self._begin()
        fresh = await self._walk.next_page()
        self.is_done, self.complete_ms = self._walk.is_done, self._walk.complete_ms
        return fresh

    async def _begin(self) -> list[Entry]:
        page, _ = await find_older(self._ask_by_time, self._span.end_ms, self._source)
        if not page:
            self.is_done, self.complete_ms = True, self._span.start_ms
            return []
        times_ms = [entry.paged_ms for entry in page]
        # What the page has no room for is older, but may have a larger id where the page is a short time.
        is_sure = len(page) < LEDGER_ROWS or max(times_ms) - min(times_ms) >= DISORDER_MS
        self._walk = IdWalk(
            self._ask_by_id,
            self._span,
            self._source,
            floor_ms=self._span.start_ms - DISORDER_MS,
            below_id=max(read_id(entry, self._source) for entry in page) + 1 if is_sure else None,
        )
        return []

    async def _ask_by_time(self, cursor: Cursor) -> list[Entry]:
        return await self._ask({"pagingType": 1, **cursor})

    async def _ask_by_id(self, cursor: Cursor) -> list[Entry]:
        return await self._ask({"pagingType": 2, **cursor})


async def find_older(ask: AskPage, end_ms: int, source: str) -> tuple[list[Entry], str]:
    """The newest page of records older than ``end_ms``, and which cursor says "older than".

    "Get deposit history" explains that ``after`` is older and ``before`` is newer, and gives an example that
    has it the other way round. Which of them holds is read off the answers; without any record that is older
    than ``end_ms`` it does not matter.
    """

    def is_older(page: Sequence[Entry]) -> bool:
        return all(entry.paged_ms < end_ms for entry in page)

    page = await ask({"after": end_ms})
    if page and is_older(page):
        return page, "after"
    # What is not older has come: `after` means newer, and there may be nothing that is older.
    may_be_none = bool(page)
    if not page:
        newest = await ask({})
        if all(entry.paged_ms >= end_ms for entry in newest):
            return [], "after"
    page = await ask({"before": end_ms})
    if is_older(page) and (page or may_be_none):
        return page, "before"
    raise VenueProtocolError(f"{source}: neither after={end_ms} nor before={end_ms} shows what is older")


def read_id(entry: Entry, source: str) -> int:
    """The id as a number; VenueProtocolError for one that cannot be a cursor."""
    text = entry.id
    if text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID:
        return int(text)
    raise VenueProtocolError(f"{source}: id {text[:40]!r} is not a number")
