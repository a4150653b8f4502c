"""Fetch klines from the best source there is, and store them as they come."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import pyarrow as pa

from markethub.domain.errors import ArchiveError, ArchiveMissingError, SymbolNotListedError, VenueRefusedError
from markethub.domain.span import Span, describe_spans, span_or_none, subtract
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series
from markethub.domain.times import format_time
from markethub.engine.handler import WorkLog
from markethub.jobs.kline_claims import check_adjustment, vouched_spans
from markethub.jobs.kline_paging import KlinePart, ask_parts, settled_claims
from markethub.jobs.kline_plan import out_of_reach
from markethub.jobs.quarantine import Quarantine
from markethub.ports.clock import Clock
from markethub.ports.store import SeriesStore
from markethub.ports.venue import ArchivedBars, ArchiveFile, KlineArchive, KlineSource, Venue
from markethub.tables.klines import cut_klines, missing_bars
from markethub.tables.rejects import Reject

_PAGE_BARS = 1000  # what one question may cost at most; only used to choose the cheaper way to ask


class NoArchive:
    """The archive of a venue that has none."""

    def files(self, series: Series, span: Span, now_ms: int) -> Sequence[ArchiveFile]:  # noqa: ARG002
        return ()

    def split(self, file: ArchiveFile) -> Sequence[ArchiveFile]:  # noqa: ARG002
        return ()

    async def fetch(self, file: ArchiveFile) -> ArchivedBars:
        raise ArchiveMissingError(f"{file.path}: the venue has no archive")


def files_inside(archive: KlineArchive, series: Series, gap: Span, now_ms: int) -> list[ArchiveFile]:
    """The files worth taking for ``gap``, ascending: those that lie within it.

    One that sticks out holds bars we have already: REST brings the few that are missing.
    """
    files = archive.files(series, gap, now_ms)
    return [file for file in files if not subtract(file.span, [gap])]


def spans_out_of_reach(venue: Venue, series: Series, spans: Iterable[Span], now_ms: int) -> list[Span]:
    """What of ``spans`` the venue tells no more: before its reach over REST, and in no archive file."""
    archive = venue.kline_archive or NoArchive()
    return out_of_reach(
        spans,
        venue.klines.reach_ms(series.interval, now_ms),
        lambda span: [file.span for file in archive.files(series, span, now_ms)],
    )


@dataclass(slots=True)
class KlineFetch:
    """The way of one series from its venue into the store.

    Each page and file is stored as it comes, with its claim of coverage: a killed run fetches at most one
    page or file again. Bars that make no sense go to the quarantine, and their times stay uncovered: the next
    run asks for them again. ``counters`` tells what reached the store and what was spent. With ``again`` what
    is covered is asked for as well, also by a second attempt.
    """

    series: Series
    source: KlineSource
    archive: KlineArchive
    store: SeriesStore
    clock: Clock
    log: WorkLog
    quarantine: Quarantine
    counters: Counter[str] = field(default_factory=Counter)
    again: bool = False

    async def fetch(self, span: Span) -> None:
        """Store every closed bar of ``span`` that is not covered yet: whole archive files, then REST.

        What lies too far back for REST comes from the archive alone; VenueRefusedError at the end, when the
        rest is stored, if that does not have all of it. ConflictError, and nothing is asked, where the series
        holds prices of another adjustment.
        """
        await asyncio.to_thread(check_adjustment, self.store, self.series, self.source.label)
        reach_ms = self.source.reach_ms(self.series.interval, self.clock())
        start_ms = span.start_ms if reach_ms is None else max(span.start_ms, reach_ms)
        if recent := span_or_none(start_ms, span.end_ms):
            await self._fetch_both(recent)
        old = span_or_none(span.start_ms, min(start_ms, span.end_ms))
        if old and (lost := await self._ask_anyway(await self._fetch_files(old))):
            raise VenueRefusedError(
                f"{self.series.symbol.venue} tells {self.series} over REST only from "
                f"{format_time(start_ms)} on, and no archive file has {describe_spans(lost)}"
            )

    async def _ask_anyway(self, spans: Sequence[Span]) -> list[Span]:
        """Ask for what has just fallen out of reach, which sources allow some bars for; return the rest."""
        lost: list[Span] = []
        for span in spans:
            try:
                await self._ask(span, span.end_ms)
            except VenueRefusedError as error:
                if type(error) is not VenueRefusedError:
                    raise  # not for its age
                self.log.debug(str(error))
                lost.append(span)
        return lost

    async def _fetch_both(self, span: Span) -> None:
        for gap in await self._gaps(span):
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
        if missing := await self._fetch_files(span):
            raise SymbolNotListedError(
                f"{self.series.symbol.venue} does not list {self.series.symbol}, and its archive has nothing "
                f"for {describe_spans(missing)}"
            )

    async def _fetch_files(self, span: Span) -> list[Span]:
        """Store what archive files have of ``span``, and return what it still lacks."""
        for gap in await self._gaps(span):
            for file in self.archive.files(self.series, gap, self.clock()):
                if not await self._keep_alone(file, gap):
                    await self._keep_parts_alone(file, gap)
        return await self._uncovered(span)

    async def _keep_parts_alone(self, file: ArchiveFile, gap: Span) -> None:
        parts = [part for part in self.archive.split(file) if part.span.intersect(gap)]
        # Of a month before the listing there is nothing at all, and its last day tells so.
        if parts and await self._keep_alone(parts[-1], gap):
            for part in parts[:-1]:
                await self._keep_alone(part, gap)

    async def _keep_alone(self, file: ArchiveFile, gap: Span) -> bool:
        try:
            await self._keep(file, gap, is_alone=True)
        except ArchiveError as error:
            self.log.debug(f"{file.path}: {error}")
            return False
        return True

    async def _gaps(self, span: Span) -> list[Span]:
        return [span] if self.again else await self._uncovered(span)

    async def _uncovered(self, span: Span) -> list[Span]:
        claims = await asyncio.to_thread(self.store.covered, self.series, span)
        return subtract(span, vouched_spans(claims, self.source.label))

    def _files_inside(self, gap: Span) -> Sequence[ArchiveFile]:
        return files_inside(self.archive, self.series, gap, self.clock())

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

    async def _keep(self, file: ArchiveFile, span: Span, *, is_alone: bool = False) -> None:
        """Store the bars of ``file`` inside ``span`` and let REST answer for its holes, unless the file is
        all that can be asked."""
        archived = await self.archive.fetch(file)
        self.counters["archive_files"] += 1
        inside = file.span.intersect(span)
        if inside is None:
            return
        bars = cut_klines(archived.bars, inside)
        holes = missing_bars(bars, inside, self.series.interval)
        source = f"archive:{file.path} sha256:{archived.sha256}"
        if is_alone:
            # Nobody else can be asked: what the file rejects stays out, what it lacks never was.
            rejected = [reject for reject in archived.rejected if reject.span.intersect(inside)]
            await self._keep_out(rejected, source)
            holes = [reject.span for reject in rejected]
            await self._store(bars, subtract(inside, holes), source)
            return
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
            async with aclosing(ask_parts(self.source, self.series, span, horizon_ms)) as parts:
                async for part in parts:
                    self.counters["rest_pages"] += 1
                    if storing is not None:
                        await storing
                    # One page is written while the next is on its way.
                    storing = asyncio.create_task(self._store_part(part))
                    cursor = part.span.end_ms
            # By the venue's clock nothing has closed yet: the next run asks again.
            return cursor if cursor >= span.end_ms else horizon_ms
        finally:
            if storing is not None:
                await storing

    async def _store_part(self, part: KlinePart) -> None:
        await self._keep_out(part.rejected, self.source.label)
        await self._store(part.bars, part.vouched(), self.source.label)

    async def _keep_out(self, rejected: Sequence[Reject], source: str) -> None:
        await self.quarantine.keep(
            DataKind.KLINE, str(self.series), rejected, source=source, log=self.log, counters=self.counters
        )

    async def _store(self, bars: pa.Table, spans: Iterable[Span], source: str) -> None:
        claims = settled_claims(self.series, spans, source, self.clock())
        # In a thread: it checks every row, and waits while the store's queue is full.
        written = await asyncio.to_thread(self.store.upsert, self.series, bars, claims)
        counts = await asyncio.wrap_future(written)
        self.counters["processed"] += len(bars)
        self.counters["inserted"] += counts.inserted
        self.counters["updated"] += counts.updated
        self.counters["unchanged"] += counts.unchanged
