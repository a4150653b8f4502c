"""Fetch klines from the best source there is, and store them as they come."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from markethub.domain.errors import ArchiveError, ArchiveMissingError, SymbolNotListedError
from markethub.domain.span import Span, merge, span_or_none, subtract
from markethub.domain.symbol import Series
from markethub.engine.handler import WorkLog
from markethub.ports.clock import Clock
from markethub.ports.store import Coverage, SeriesStore
from markethub.ports.venue import ArchivedBars, ArchiveFile, KlineArchive, KlineSource
from markethub.tables.klines import cut_klines, missing_bars, open_times_ms

REST = "rest"
SETTLING_MS = 120_000
"""A bar this young is stored but not yet claimed: the venue's database may lag its last trades, so the next
run asks for it once more. Source: Binance Spot REST API, "Data sources"."""
_PAGE_BARS = 1000  # what one question may cost at most; only used to choose the cheaper way to ask


class NoArchive:
    """The archive of a venue that has none."""

    def files(self, series: Series, span: Span, now_ms: int) -> Sequence[ArchiveFile]:  # noqa: ARG002
        return ()

    def split(self, file: ArchiveFile) -> Sequence[ArchiveFile]:  # noqa: ARG002
        return ()

    async def fetch(self, file: ArchiveFile) -> ArchivedBars:
        raise ArchiveMissingError(f"{file.path}: the venue has no archive")


@dataclass(slots=True)
class KlineFetch:
    """The way of one series from its venue into the store.

    Each page and file is stored as it comes, with its claim of coverage: a killed run fetches at most one
    page or file again. ``counters`` tells what reached the store and what was spent.
    """

    series: Series
    source: KlineSource
    archive: KlineArchive
    store: SeriesStore
    clock: Clock
    log: WorkLog
    counters: Counter[str] = field(default_factory=Counter)

    async def fetch(self, span: Span) -> None:
        """Store every closed bar of ``span`` that is not covered yet: whole archive files, then REST."""
        for gap in await self._uncovered(span):
            cursor = gap.start_ms
            for file in self._files_inside(gap):
                if before := span_or_none(cursor, file.span.start_ms):
                    cursor = await self._ask(before, gap.end_ms)
                # REST may have found nothing for long: then it has answered for this file as well.
                if cursor <= file.span.start_ms:
                    cursor = await self._take(file, gap.end_ms)
            if rest := span_or_none(cursor, gap.end_ms):
                await self._ask(rest, gap.end_ms)

    async def fetch_archived(self, span: Span) -> None:
        """The same for a symbol that the venue no longer lists: its archive is all that can be asked.

        What the archive has is stored; SymbolNotListedError at the end if that is not the whole span.
        """
        for gap in await self._uncovered(span):
            for file in self.archive.files(self.series, gap, self.clock()):
                try:
                    await self._keep(file, gap)
                except ArchiveError as error:
                    self.log.debug(f"{file.path}: {error}")
        missing = await self._uncovered(span)
        if missing:
            venue = self.series.symbol.venue
            raise SymbolNotListedError(
                f"{venue} does not list {self.series.symbol}, and its archive has nothing for "
                + ", ".join(str(part) for part in missing[:3])
                + (f" and {len(missing) - 3} more spans" if len(missing) > 3 else "")
            )

    async def _uncovered(self, span: Span) -> list[Span]:
        claims = await asyncio.to_thread(self.store.covered, self.series, span)
        return subtract(span, (claim.span for claim in claims))

    def _files_inside(self, gap: Span) -> Sequence[ArchiveFile]:
        files = self.archive.files(self.series, gap, self.clock())
        # A file that sticks out holds bars we have already: REST brings the few that are missing.
        return [file for file in files if not subtract(file.span, [gap])]

    async def _take(self, file: ArchiveFile, horizon_ms: int) -> int:
        """Store what ``file`` spans, from wherever it can be had; return where to go on."""
        try:
            await self._keep(file, file.span)
        except ArchiveError as error:
            self.log.warning(f"{file.path}: {error}; taking the next source")
            return await self._take_parts(file, horizon_ms, isinstance(error, ArchiveMissingError))
        return file.span.end_ms

    async def _take_parts(self, file: ArchiveFile, horizon_ms: int, is_missing: bool) -> int:
        cursor = file.span.start_ms
        for part in self.archive.split(file):
            try:
                await self._keep(part, part.span)
            except ArchiveError as error:
                if is_missing and isinstance(error, ArchiveMissingError):
                    break  # neither the month nor its days: before the listing, or too new
                self.log.warning(f"{part.path}: {error}; taking the next source")
                await self._ask(part.span, part.span.end_ms)
            cursor = part.span.end_ms
        rest = span_or_none(cursor, file.span.end_ms)
        return await self._ask(rest, horizon_ms) if rest else cursor

    async def _keep(self, file: ArchiveFile, span: Span) -> None:
        """Store the bars of ``file`` inside ``span`` and let REST answer for its holes."""
        archived = await self.archive.fetch(file)
        self.counters["archive_files"] += 1
        inside = file.span.intersect(span)
        if inside is None:
            return
        bars = cut_klines(archived.bars, inside)
        holes = missing_bars(bars, inside, self.series.interval)
        source = f"archive:{file.path} sha256:{archived.sha256}"
        if not await self.source.listed(self.series.symbol):
            holes = []
        await self._store(bars, subtract(inside, holes), source)
        # Archive files have been short of bars that REST has: only both together prove a hole.
        for question in self._questions(holes):
            await self._ask(question, question.end_ms)

    def _questions(self, holes: Sequence[Span]) -> Sequence[Span]:
        if not holes:
            return holes
        hull = Span(holes[0].start_ms, holes[-1].end_ms)
        pages = hull.width_ms // (_PAGE_BARS * self.series.interval.width_ms) + 1
        return [hull] if pages < len(holes) else holes

    async def _ask(self, span: Span, horizon_ms: int) -> int:
        """Store what REST has for ``span``; return where to go on, at most ``horizon_ms``.

        That is beyond the span's end where REST says that nothing follows for longer, as before a listing.
        """
        cursor = span.start_ms
        storing: asyncio.Task[None] | None = None
        try:
            while cursor < span.end_ms:
                page = await self.source.klines(self.series, Span(cursor, horizon_ms))
                self.counters["rest_pages"] += 1
                if page.covered is None:
                    return horizon_ms  # by the venue's clock nothing has closed yet: the next run asks again
                end_ms = page.covered.end_ms
                if len(page.bars):
                    first_ms = open_times_ms(page.bars)[0].as_py()
                    end_ms = first_ms if first_ms >= span.end_ms else min(end_ms, span.end_ms)
                part = Span(cursor, end_ms)
                if storing is not None:
                    await storing
                # One page is written while the next is on its way.
                storing = asyncio.create_task(self._store(cut_klines(page.bars, part), [part], REST))
                cursor = end_ms
            return cursor
        finally:
            if storing is not None:
                await storing

    async def _store(self, bars: pa.Table, spans: Iterable[Span], source: str) -> None:
        now_ms = self.clock()
        settled_ms = self.series.interval.floor(now_ms - SETTLING_MS)
        settled = (span_or_none(span.start_ms, min(span.end_ms, settled_ms)) for span in merge(spans))
        claims = [Coverage(span, source, now_ms) for span in settled if span]
        # In a thread: it checks every row, and waits while the store's queue is full.
        written = await asyncio.to_thread(self.store.upsert, self.series, bars, claims)
        counts = await asyncio.wrap_future(written)
        self.counters["processed"] += len(bars)
        self.counters["inserted"] += counts.inserted
        self.counters["updated"] += counts.updated
        self.counters["unchanged"] += counts.unchanged
