"""Fetching from an archive that may be wrong and a REST interface that is right."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import (
    ArchiveMissingError,
    ChecksumMismatchError,
    SymbolNotListedError,
    VenueUnavailableError,
)
from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge, span_or_none
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time
from markethub.jobs.kline_fetch import KlineFetch, NoArchive
from markethub.jobs.kline_paging import SETTLING_MS
from markethub.jobs.quarantine import Quarantine
from markethub.ports.venue import ArchivedBars, ArchiveFile, KlineArchive, KlinePage
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.klines import KLINES, open_times_ms
from markethub.tables.rejects import REJECTS, Reject

HOUR_MS = 3_600_000
SERIES = Series(Symbol.parse("BTC_USDT.BNC"), Interval.H1)
PAGE = 5
DAY = 6  # hours of a day file in this small world
MONTH = 24  # hours of a month file
WORLD = 5 * MONTH


def bars_at(hours: Sequence[int]) -> pa.Table:
    times = pa.array([hour * HOUR_MS for hour in hours], pa.int64()).cast(KLINES.field("open_time").type)
    columns = {
        name: pa.array([float(hour + 1) for hour in hours], KLINES.field(name).type)
        for name in KLINES.names[1:]
    }
    return pa.table({"open_time": times, **columns}, schema=KLINES)


def hours_of(bars: pa.Table) -> list[int]:
    return [time // HOUR_MS for time in open_times_ms(bars).to_pylist()]


def rejects_of(hours: Sequence[int], bad: set[int]) -> tuple[Reject, ...]:
    """The bad ones among the hours of a page or file."""
    spans = [Span(hour * HOUR_MS, (hour + 1) * HOUR_MS) for hour in hours if hour in bad]
    return tuple(Reject(format_time(span.start_ms), span, "close is NaN", "[...]") for span in spans)


class SilentLog:
    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


@dataclass
class Exchange:
    """All bars there are; pages of PAGE that jump over holes, closed up to ``closed`` hours."""

    hours: Sequence[int]
    closed: int = WORLD
    is_listed: bool = True
    asked: list[Span] = field(default_factory=list)
    broken_after: int | None = None
    label: str = "rest"
    bad: set[int] = field(default_factory=set)

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:
        return None

    async def listed(self, symbol: Symbol) -> bool:
        return self.is_listed

    async def klines(self, series: Series, span: Span) -> KlinePage:
        if not self.is_listed:
            raise SymbolNotListedError(f"no {series.symbol}")
        if self.broken_after is not None and len(self.asked) >= self.broken_after:
            raise VenueUnavailableError("reset")
        self.asked.append(span)
        closed = span_or_none(span.start_ms, min(span.end_ms, self.closed * HOUR_MS))
        if closed is None:
            return KlinePage(bars_at([]), None)
        found = [hour for hour in self.hours if hour * HOUR_MS in closed]
        page = found[:PAGE]
        covered = Span(span.start_ms, (page[-1] + 1) * HOUR_MS) if len(page) == PAGE else closed
        return KlinePage(bars_at(sorted(set(page) - self.bad)), covered, rejects_of(page, self.bad))


@dataclass
class Archive:
    """Month and day files; each may be missing, fail its checksum, or lack some bars."""

    hours: Sequence[int]
    missing: set[str] = field(default_factory=set)
    corrupt: set[str] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)

    def files(self, series: Series, span: Span, now_ms: int) -> Sequence[ArchiveFile]:
        whole = [self._file(start, MONTH) for start in range(0, WORLD - MONTH, MONTH)]
        newest = [self._file(start, DAY) for start in range(WORLD - MONTH, WORLD - DAY, DAY)]
        return [file for file in whole + newest if file.span.intersect(span)]

    def split(self, file: ArchiveFile) -> Sequence[ArchiveFile]:
        start, end = file.span.start_ms // HOUR_MS, file.span.end_ms // HOUR_MS
        return [self._file(hour, DAY) for hour in range(start, end, DAY)] if end - start == MONTH else []

    async def fetch(self, file: ArchiveFile) -> ArchivedBars:
        self.fetched.append(file.path)
        if file.path in self.missing:
            raise ArchiveMissingError("404")
        if file.path in self.corrupt:
            raise ChecksumMismatchError("sha256 differs")
        inside = [hour for hour in self.hours if hour * HOUR_MS in file.span and hour not in self.lost]
        sound = [hour for hour in inside if hour not in self.bad]
        return ArchivedBars(bars_at(sound), "ab12", rejects_of(inside, self.bad))

    @staticmethod
    def _file(start: int, width: int) -> ArchiveFile:
        return ArchiveFile(f"{start}+{width}", SERIES, Span(start * HOUR_MS, (start + width) * HOUR_MS))


def fetcher(source: Exchange, archive: KlineArchive, store: MemorySeriesStore) -> KlineFetch:
    def clock() -> int:
        return WORLD * HOUR_MS + SETTLING_MS

    quarantine = Quarantine(store.records, clock)
    return KlineFetch(SERIES, source, archive, store, clock, SilentLog(), quarantine)


def covered(store: MemorySeriesStore) -> list[Span]:
    return merge(claim.span for claim in store.covered(SERIES, Span(0, WORLD * HOUR_MS)))


paths = st.sets(
    st.sampled_from(
        [f"{start}+{MONTH}" for start in range(0, WORLD, MONTH)]
        + [f"{start}+{DAY}" for start in range(0, WORLD, DAY)]
    )
)
hours = st.sets(st.integers(0, WORLD - 1)).map(sorted)
edges = st.integers(0, WORLD)
spans = (
    st.tuples(edges, edges).filter(lambda p: p[0] < p[1]).map(lambda p: Span(p[0] * HOUR_MS, p[1] * HOUR_MS))
)


@given(hours, paths, paths, st.sets(st.integers(0, WORLD - 1)), st.lists(spans, min_size=1, max_size=3))
async def test_every_bar_arrives_whatever_the_archive_lacks(
    existing: list[int], missing: set[str], corrupt: set[str], lost: set[int], wanted: list[Span]
) -> None:
    store = MemorySeriesStore()
    source, archive = Exchange(existing), Archive(existing, missing, corrupt, lost)
    for span in wanted:
        await fetcher(source, archive, store).fetch(span)
    stored = set(hours_of(store.read(SERIES)))
    assert stored <= set(existing)
    for span in wanted:
        assert {hour for hour in existing if hour * HOUR_MS in span} <= stored
        assert any(span.intersect(part) == span for part in covered(store))


@given(hours, paths, st.integers(0, 12), spans)
async def test_an_interrupted_fetch_claims_only_what_it_has(
    existing: list[int], missing: set[str], broken_after: int, span: Span
) -> None:
    store = MemorySeriesStore()
    source = Exchange(existing, broken_after=broken_after)
    with contextlib.suppress(VenueUnavailableError):
        await fetcher(source, Archive(existing, missing), store).fetch(span)
    stored = set(hours_of(store.read(SERIES)))
    for part in covered(store):
        assert {hour for hour in existing if hour * HOUR_MS in part} <= stored


everywhere = st.sets(st.integers(0, WORLD - 1), max_size=6)


@given(hours, paths, st.tuples(everywhere, everywhere), st.booleans(), spans)
async def test_bars_that_make_no_sense_are_neither_stored_nor_covered_until_they_do(
    existing: list[int], missing: set[str], bad_hours: tuple[set[int], set[int]], listed: bool, span: Span
) -> None:
    store = MemorySeriesStore()
    bad, only_archived = set(bad_hours[0]), bad_hours[1]
    source = Exchange(existing, bad=set(bad), is_listed=listed)
    archive = Archive(existing, missing, bad=bad | only_archived)
    fetch = fetcher(source, archive, store)
    with contextlib.suppress(SymbolNotListedError):
        await (fetch.fetch(span) if listed else fetch.fetch_archived(span))
    kept_out = bad if listed else bad | only_archived
    stored = set(hours_of(store.read(SERIES)))
    assert not stored & kept_out
    for part in covered(store):
        inside = {hour for hour in existing if hour * HOUR_MS in part}
        assert inside <= stored, "nothing that was kept out is covered"
    rejected = store.records.read_records(REJECTS).to_pylist()
    assert {row["owner"] for row in rejected} <= {str(SERIES)}
    told = {int(row["time"].timestamp() * 1000) // HOUR_MS for row in rejected}
    assert told <= kept_out & set(existing)
    assert fetch.counters["rejected"] >= len(told)
    if listed:
        assert told == {hour for hour in kept_out & set(existing) if hour * HOUR_MS in span}
        source.bad.clear()
        archive.bad.clear()
        await fetcher(source, archive, store).fetch(span)
        assert {hour for hour in existing if hour * HOUR_MS in span} <= set(hours_of(store.read(SERIES)))
        assert any(span.intersect(part) == span for part in covered(store))


async def test_the_second_fetch_asks_nobody() -> None:
    store = MemorySeriesStore()
    existing = [hour for hour in range(WORLD) if hour not in (30, 31, 90)]
    source, archive = Exchange(existing), Archive(existing)
    await fetcher(source, archive, store).fetch(Span(0, WORLD * HOUR_MS))
    source.asked.clear()
    archive.fetched.clear()
    again = fetcher(source, archive, store)
    await again.fetch(Span(0, WORLD * HOUR_MS))
    assert (source.asked, archive.fetched, dict(again.counters)) == ([], [], {})


async def test_months_come_from_months_the_newest_days_from_days_and_the_rest_from_rest() -> None:
    store = MemorySeriesStore()
    source, archive = Exchange(range(WORLD)), Archive(range(WORLD))
    await fetcher(source, archive, store).fetch(Span(3 * HOUR_MS, WORLD * HOUR_MS))
    assert archive.fetched == ["24+24", "48+24", "72+24", "96+6", "102+6", "108+6"]
    assert source.asked[0].start_ms == 3 * HOUR_MS
    assert source.asked[-1].end_ms == WORLD * HOUR_MS
    assert hours_of(store.read(SERIES)) == list(range(3, WORLD))


async def test_a_wrong_checksum_is_replaced_by_its_days_and_a_wrong_day_by_rest() -> None:
    store = MemorySeriesStore()
    source = Exchange(range(WORLD))
    archive = Archive(range(WORLD), corrupt={"24+24", "30+6"})
    await fetcher(source, archive, store).fetch(Span(24 * HOUR_MS, 48 * HOUR_MS))
    assert archive.fetched == ["24+24", "24+6", "30+6", "36+6", "42+6"]
    assert [(span.start_ms // HOUR_MS, span.end_ms // HOUR_MS) for span in source.asked] == [
        (30, 36),
        (35, 36),
    ]
    assert hours_of(store.read(SERIES)) == list(range(24, 48))


async def test_before_a_listing_one_question_answers_for_all_of_it() -> None:
    store = MemorySeriesStore()
    existing = list(range(100, WORLD))
    archive = Archive(existing, missing={f"{start}+{width}" for width in (DAY, MONTH) for start in range(96)})
    source = Exchange(existing)
    await fetcher(source, archive, store).fetch(Span(0, WORLD * HOUR_MS))
    assert archive.fetched[:2] == ["0+24", "0+6"]
    assert "24+24" not in archive.fetched
    assert len([span for span in source.asked if span.start_ms < 100 * HOUR_MS]) == 1
    assert covered(store) == [Span(0, WORLD * HOUR_MS)]


async def test_a_hole_of_the_archive_is_asked_from_rest_before_it_counts() -> None:
    store = MemorySeriesStore()
    existing = [hour for hour in range(WORLD) if hour not in (30, 31)]
    source = Exchange(existing)
    archive = Archive(existing, lost={40})
    await fetcher(source, archive, store).fetch(Span(24 * HOUR_MS, 48 * HOUR_MS))
    # Two holes, one page long together: one question over both is cheaper than two (a page holds 5 here).
    assert [(span.start_ms // HOUR_MS, span.end_ms // HOUR_MS) for span in source.asked] == [
        (30, 41),
        (37, 41),
    ]
    assert 40 in hours_of(store.read(SERIES))
    sources = {claim.source for claim in store.covered(SERIES, Span(30 * HOUR_MS, 32 * HOUR_MS))}
    assert sources == {"rest"}


async def test_where_the_venues_clock_is_behind_nothing_open_is_claimed() -> None:
    store = MemorySeriesStore()
    source = Exchange(range(WORLD), closed=WORLD - 3)
    await fetcher(source, NoArchive(), store).fetch(Span((WORLD - 6) * HOUR_MS, WORLD * HOUR_MS))
    assert hours_of(store.read(SERIES)) == [WORLD - 6, WORLD - 5, WORLD - 4]
    assert covered(store) == [Span((WORLD - 6) * HOUR_MS, (WORLD - 3) * HOUR_MS)]


async def test_a_bar_that_has_just_closed_is_stored_and_asked_for_once_more() -> None:
    store = MemorySeriesStore()
    source = Exchange(range(WORLD))
    fetch = fetcher(source, NoArchive(), store)
    fetch.clock = lambda: WORLD * HOUR_MS + SETTLING_MS - 1
    await fetch.fetch(Span((WORLD - 3) * HOUR_MS, WORLD * HOUR_MS))
    assert hours_of(store.read(SERIES)) == [WORLD - 3, WORLD - 2, WORLD - 1]
    assert covered(store) == [Span((WORLD - 3) * HOUR_MS, (WORLD - 1) * HOUR_MS)]


async def test_an_unlisted_symbol_gets_what_the_archive_has_and_says_what_is_missing() -> None:
    store = MemorySeriesStore()
    existing = list(range(24, 72))
    archive = Archive(existing, missing={"0+24", "18+6", "72+24", "90+6", "96+6", "102+6", "108+6"})
    source = Exchange([], is_listed=False)
    with pytest.raises(SymbolNotListedError, match=r"BNC does not list BTC_USDT\.BNC") as caught:
        await fetcher(source, archive, store).fetch_archived(Span(0, WORLD * HOUR_MS))
    assert "[1970-01-01T00:00:00Z, 1970-01-02T00:00:00Z)" in str(caught.value)
    assert hours_of(store.read(SERIES)) == existing
    assert covered(store) == [Span(24 * HOUR_MS, 72 * HOUR_MS)]


async def test_rows_are_stored_page_by_page() -> None:
    store = MemorySeriesStore()
    source = Exchange(range(WORLD), broken_after=3)
    fetch = fetcher(source, NoArchive(), store)
    with pytest.raises(VenueUnavailableError):
        await fetch.fetch(Span(0, WORLD * HOUR_MS))
    assert hours_of(store.read(SERIES)) == list(range(3 * PAGE))
    assert fetch.counters["inserted"] == 3 * PAGE
