"""What every ``KlineSource`` must do; subclass it and give it a venue::

class TestMyVenue(KlineSourceContract):
    @pytest.fixture
    async def subject(self) -> AsyncIterator[SourceUnderTest]:
        ...

Run it against a server that plays the venue, such as the sandbox, or in an opt-in test against the venue.
"""

# ruff: noqa: S101 - assert is how pytest speaks

import asyncio
from dataclasses import dataclass

import pyarrow as pa
import pytest

from markethub.domain.errors import SymbolNotListedError
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.ports.venue import KlinePage, KlineSource, Venue
from markethub.tables.klines import KLINES, check_klines, cut_klines, empty_klines, open_times_ms


@dataclass(frozen=True, slots=True)
class SourceUnderTest:
    """A venue and what is known of it.

    ``series`` trades in every one of its last ten bars; ``history`` lies on its grid, long closed, in three
    pages at least; ``before_listing`` ends before its first bar; ``unlisted`` was never listed.
    """

    venue: Venue
    series: Series
    history: Span
    before_listing: Span
    unlisted: Symbol


async def read_pages(source: KlineSource, series: Series, span: Span) -> list[KlinePage]:
    """All pages of ``span``, asked one after the other as a backfill does."""
    pages: list[KlinePage] = []
    start_ms = span.start_ms
    while start_ms < span.end_ms:
        page = await source.klines(series, Span(start_ms, span.end_ms))
        pages.append(page)
        if page.covered is None:
            break
        assert page.covered.end_ms > start_ms, "a page that covers nothing new would be asked for ever"
        start_ms = page.covered.end_ms
    return pages


def join_pages(pages: list[KlinePage]) -> pa.Table:
    """The bars of consecutive pages as one table."""
    return pa.concat_tables([empty_klines(), *(page.bars for page in pages)])


class KlineSourceContract:
    """Subclass and give a fixture ``subject``."""

    async def test_pages_tile_the_span(self, subject: SourceUnderTest) -> None:
        pages = await read_pages(subject.venue.klines, subject.series, subject.history)
        assert len(pages) >= 3
        cursor_ms = subject.history.start_ms
        for page in pages:
            assert page.covered is not None
            assert page.covered.start_ms == cursor_ms
            assert cut_klines(page.bars, page.covered).num_rows == page.bars.num_rows
            cursor_ms = page.covered.end_ms
        assert cursor_ms == subject.history.end_ms

    async def test_bars_are_sound(self, subject: SourceUnderTest) -> None:
        pages = await read_pages(subject.venue.klines, subject.series, subject.history)
        bars = join_pages(pages)
        assert len(bars) > 0
        assert bars.schema.equals(KLINES)
        check_klines(bars, subject.series.interval, "all pages together")

    async def test_where_the_span_is_cut_makes_no_difference(self, subject: SourceUnderTest) -> None:
        source, series, span = subject.venue.klines, subject.series, subject.history
        whole = join_pages(await read_pages(source, series, span))
        width_ms = series.interval.width_ms
        for cut_ms in (span.start_ms + width_ms, span.start_ms + 700 * width_ms + 1, span.end_ms - 1):
            left = await read_pages(source, series, Span(span.start_ms, cut_ms))
            right = await read_pages(source, series, Span(cut_ms, span.end_ms))
            assert join_pages([*left, *right]).equals(whole)

    async def test_a_span_between_two_open_times_is_covered_and_empty(self, subject: SourceUnderTest) -> None:
        start_ms = subject.history.start_ms
        narrow = Span(start_ms + 1, start_ms + subject.series.interval.width_ms)
        page = await subject.venue.klines.klines(subject.series, narrow)
        assert page.covered == narrow
        assert page.bars.num_rows == 0

    async def test_the_open_bar_is_never_returned(self, subject: SourceUnderTest) -> None:
        width_ms = subject.series.interval.width_ms
        now_ms = await subject.venue.server_time_ms()
        span = Span(now_ms - 5 * width_ms, now_ms + 5 * width_ms)
        pages = await read_pages(subject.venue.klines, subject.series, span)
        later_ms = await subject.venue.server_time_ms()
        opens_ms = open_times_ms(join_pages(pages)).to_pylist()
        assert len(opens_ms) >= 3
        assert opens_ms[-1] + width_ms <= later_ms
        covered_ms = max(page.covered.end_ms for page in pages if page.covered is not None)
        assert covered_ms <= later_ms
        assert pages[-1].covered is None

    async def test_the_future_is_not_covered(self, subject: SourceUnderTest) -> None:
        now_ms = await subject.venue.server_time_ms()
        future = Span(now_ms + 3_600_000, now_ms + 400 * 86_400_000)
        page = await subject.venue.klines.klines(subject.series, future)
        assert page.covered is None
        assert page.bars.schema.equals(KLINES)
        assert page.bars.num_rows == 0

    async def test_before_the_listing_there_is_surely_nothing(self, subject: SourceUnderTest) -> None:
        page = await subject.venue.klines.klines(subject.series, subject.before_listing)
        assert page.covered == subject.before_listing
        assert page.bars.num_rows == 0

    async def test_the_first_bars_are_found_from_before_the_listing(self, subject: SourceUnderTest) -> None:
        span = Span(subject.before_listing.start_ms, subject.history.end_ms)
        page = await subject.venue.klines.klines(subject.series, span)
        assert page.bars.num_rows > 0
        assert page.covered is not None
        assert page.covered.start_ms == span.start_ms

    async def test_a_symbol_that_is_not_listed(self, subject: SourceUnderTest) -> None:
        source, history = subject.venue.klines, subject.history
        with pytest.raises(SymbolNotListedError):
            await source.klines(Series(subject.unlisted, subject.series.interval), history)
        assert not await source.listed(subject.unlisted)
        assert await source.listed(subject.series.symbol)

    async def test_a_symbol_of_another_venue(self, subject: SourceUnderTest) -> None:
        source, series = subject.venue.klines, subject.series
        stranger = Symbol("ZZ" if series.symbol.is_stock else "ZZZ", series.symbol.instrument)
        assert not await source.listed(stranger)
        with pytest.raises(SymbolNotListedError):
            await source.klines(Series(stranger, series.interval), subject.history)

    async def test_calls_side_by_side_do_not_mix_up_their_answers(self, subject: SourceUnderTest) -> None:
        source, series, start_ms = subject.venue.klines, subject.series, subject.history.start_ms
        width_ms = series.interval.width_ms
        spans = [Span(start_ms + at * width_ms, start_ms + (at + 5) * width_ms) for at in range(0, 150, 5)]
        pages = await asyncio.gather(*(source.klines(series, span) for span in spans))
        assert [page.covered for page in pages] == spans
        for span, page in zip(spans, pages, strict=True):
            assert cut_klines(page.bars, span).num_rows == page.bars.num_rows
