"""Backfills that begin before a venue's wall: refused up front where nobody can help, the rest runs."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import ArchiveMissingError, SymbolNotListedError, VenueRefusedError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time, parse_time
from markethub.engine.handler import Plan, RunningChunk, RunningExecution
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.kline_fetch import KlineFetch
from markethub.jobs.kline_plan import KlineBackfill, KlineChunk, out_of_reach
from markethub.jobs.quarantine import Quarantine
from markethub.ports.venue import ArchivedBars, ArchiveFile, KlinePage, Venue
from markethub.sandbox.server import RunningSandbox, running_sandbox
from markethub.sandbox.settings import SandboxSettings, fixed_clock
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.klines import open_times_ms
from markethub.venues.gate import create_venue
from tests.flat_bars import flat_bars

HOUR, DAY = 3_600_000, 86_400_000
NOW = parse_time("2025-06-17T15:20:30")
CLOCK = fixed_clock(NOW)
CANDLESTICKS = "/api/v4/spot/candlesticks"


class SilentLog:
    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


hours = st.integers(0, 60)
spans = st.tuples(hours, hours).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Span(*pair))


@given(st.lists(spans, max_size=4), hours, st.lists(spans, max_size=4))
def test_out_of_reach_is_exactly_what_nobody_tells(
    missing: list[Span], reach: int, files: list[Span]
) -> None:
    def touching(span: Span) -> list[Span]:
        return [file for file in files if file.intersect(span)]

    lost = out_of_reach(merge(missing), reach, touching)
    for hour in range(60):
        is_lost = any(hour in span for span in missing) and hour < reach
        is_lost = is_lost and not any(hour in file for file in files)
        assert any(hour in span for span in lost) == is_lost
    assert out_of_reach(merge(missing), None, touching) == []


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings(clock=CLOCK, gate_requests_per_10_s=None)) as running:
        yield running


@pytest.fixture
async def gate(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": sandbox.url + "/api/v4"})
    yield venue
    await venue.close()


@pytest.fixture
async def bulky_gate(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    bulk = {"bulk_files": "true", "bulk_volume": "base", "bulk_url": sandbox.url}
    venue = create_venue({"base_url": sandbox.url + "/api/v4"} | bulk)
    yield venue
    await venue.close()


def handler_of(venue: Venue, store: MemorySeriesStore) -> KlineBackfillHandler:
    return KlineBackfillHandler({"GIO": venue}, store, CLOCK, Quarantine(store.records, CLOCK))


async def plan(handler: KlineBackfillHandler, series: str, start: str, end_ms: int) -> Plan:
    wanted = Series.parse(series)
    backfill = KlineBackfill((wanted.symbol,), (wanted.interval,), Span(parse_time(start), end_ms))
    execution = RunningExecution(1, "backfill_kline", "trace", backfill.to_parameters(), 0)
    return await handler.plan(execution, SilentLog())


async def run(handler: KlineBackfillHandler, planned: Plan) -> list[str]:
    """Run the chunks; the errors of those that failed."""
    errors = []
    for number, chunk in enumerate(planned.chunks):
        running = RunningChunk(number, 1, "trace", chunk.key, chunk.queue, chunk.parameters, 1)
        try:
            await handler.run(running, SilentLog())
        except VenueRefusedError as error:
            errors.append(str(error))
    return errors


async def test_what_lies_before_the_wall_is_refused_up_front_and_the_rest_runs(
    sandbox: RunningSandbox, gate: Venue
) -> None:
    store = MemorySeriesStore()
    handler = handler_of(gate, store)
    series = Series.parse("BTC_USDT.GIO 1m")
    planned = await plan(handler, str(series), "2025-05-20", NOW)
    reach_ms = gate.klines.reach_ms(Interval.M1, CLOCK())
    assert reach_ms is not None
    (key,) = planned.failures
    assert key == str(series)
    wall = format_time(reach_ms)
    assert planned.failures[key] == (
        f"Gate.io tells 1m bars of BTC_USDT.GIO over REST only from {wall} on: "
        f"[2025-05-20T00:00:00Z, {wall}) cannot be had; start there, ask for a wider interval, or switch on "
        "the venue's bulk files if it has some"
    )
    (chunk,) = planned.chunks
    assert KlineChunk.from_parameters(chunk.parameters).span.start_ms == reach_ms
    assert await run(handler, planned) == []
    times = open_times_ms(store.read(series)).to_pylist()
    assert times == list(range(reach_ms, Interval.M1.floor(NOW), 60_000))
    assert (sandbox.stats.replies[CANDLESTICKS, 200], sandbox.stats.replies[CANDLESTICKS, 400]) == (10, 0)


async def test_nothing_but_the_refusal_where_all_lies_before_the_wall(gate: Venue) -> None:
    handler = handler_of(gate, MemorySeriesStore())
    planned = await plan(handler, "BTC_USDT.GIO 1m", "2025-05-20", parse_time("2025-05-21"))
    assert planned.chunks == []
    assert "[2025-05-20T00:00:00Z, 2025-05-21T00:00:00Z) cannot be had" in planned.failures["BTC_USDT.GIO 1m"]


async def test_what_the_store_has_is_not_refused(gate: Venue) -> None:
    store = MemorySeriesStore()
    handler = handler_of(gate, store)
    assert await run(handler, await plan(handler, "BTC_USDT.GIO 4h", "2022-01-01", NOW)) == []
    later = KlineBackfillHandler(
        {"GIO": gate}, store, lambda: NOW + 2000 * DAY, Quarantine(store.records, CLOCK)
    )
    planned = await plan(later, "BTC_USDT.GIO 4h", "2022-01-01", parse_time("2025-06-01"))
    assert (planned.chunks, dict(planned.failures)) == ([], {})


async def test_an_interval_that_reaches_far_enough_is_not_refused(gate: Venue) -> None:
    planned = await plan(handler_of(gate, MemorySeriesStore()), "BTC_USDT.GIO 1d", "2017-01-01", NOW)
    assert dict(planned.failures) == {}
    assert len(planned.chunks) == 1 + 2025 - 2017


async def test_with_bulk_files_there_is_no_wall(sandbox: RunningSandbox, bulky_gate: Venue) -> None:
    store = MemorySeriesStore()
    handler = handler_of(bulky_gate, store)
    planned = await plan(handler, "BTC_USDT.GIO 1h", "2023-11-10T07:00", NOW)
    assert dict(planned.failures) == {}
    assert await run(handler, planned) == []
    series = Series.parse("BTC_USDT.GIO 1h")
    start_ms = parse_time("2023-11-10T07:00")
    times = open_times_ms(store.read(series)).to_pylist()
    assert times == list(range(start_ms, Interval.H1.floor(NOW), HOUR))
    sources = [claim.source for claim in store.covered(series, Span(start_ms, NOW - DAY))]
    assert sources[0].startswith("archive:/spot/candlesticks_1h/202311/BTC_USDT-202311.csv.gz sha256:")
    assert sandbox.stats.replies[CANDLESTICKS, 400] == 0
    again = await plan(handler, "BTC_USDT.GIO 1h", "2023-11-10T07:00", parse_time("2025-06-17"))
    assert again.chunks == []


async def test_an_interval_without_files_keeps_its_wall(bulky_gate: Venue) -> None:
    handler = handler_of(bulky_gate, MemorySeriesStore())
    planned = await plan(handler, "BTC_USDT.GIO 15m", "2025-01-01", NOW)
    assert "[2025-01-01T00:00:00Z, 2025-03-0" in planned.failures["BTC_USDT.GIO 15m"]


async def test_before_the_listing_a_chunk_stores_what_there_is_and_says_what_is_not(
    sandbox: RunningSandbox, bulky_gate: Venue
) -> None:
    store = MemorySeriesStore()
    handler = handler_of(bulky_gate, store)
    planned = await plan(handler, "SUI_USDT.GIO 1h", "2023-01-01", parse_time("2024-01-01"))
    (error,) = await run(handler, planned)
    assert error.startswith("GIO tells SUI_USDT.GIO 1h over REST only from 2024-04-")
    assert "and no archive file has [2023-01-01T00:00:00Z, 2023-05-01T00:00:00Z)" in error
    times = open_times_ms(store.read(Series.parse("SUI_USDT.GIO 1h"))).to_pylist()
    assert (format_time(times[0]), len(times)) == ("2023-05-03T12:00:00Z", 12 + 28 * 24 + 214 * 24)
    missing = [status for (path, status), _ in sandbox.stats.replies.items() if path.startswith("/spot/")]
    assert set(missing) == {200, 404}
    assert sandbox.stats.replies["/spot/candlesticks_{interval}/{folder}/{stem}.csv.gz", 404] == 2 * 4


@dataclass
class WalledSource:
    """A bar an hour, of which only those from ``reach`` on are told; one more ``grace`` hours before."""

    reach: int
    grace: int = 0
    label: str = "rest"
    error: type[VenueRefusedError] = VenueRefusedError
    asked: list[Span] = field(default_factory=list)

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:
        return self.reach * HOUR

    async def listed(self, symbol: Symbol) -> bool:
        return True

    async def klines(self, series: Series, span: Span) -> KlinePage:
        if span.start_ms < (self.reach - self.grace) * HOUR:
            raise self.error("too long ago")
        self.asked.append(span)
        return KlinePage(flat_bars(range(span.start_ms, span.end_ms, HOUR)), span)


@dataclass
class Files:
    """Months of 30 days and their days; each may be missing, or lack bars."""

    missing: set[int] = field(default_factory=set)
    lacking: set[int] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)

    def files(self, series: Series, span: Span, now_ms: int) -> Sequence[ArchiveFile]:
        months = [_file(series, month * 30, 30) for month in range(4)]
        return [file for file in months if file.span.intersect(span)]

    def split(self, file: ArchiveFile) -> Sequence[ArchiveFile]:
        first = file.span.start_ms // DAY
        return [_file(file.series, day, 1) for day in range(first, file.span.end_ms // DAY)]

    async def fetch(self, file: ArchiveFile) -> ArchivedBars:
        self.fetched.append(file.path)
        days = range(file.span.start_ms // DAY, file.span.end_ms // DAY)
        if self.missing.intersection(days):
            raise ArchiveMissingError("404")
        times = range(file.span.start_ms, file.span.end_ms, HOUR)
        return ArchivedBars(flat_bars([time for time in times if time // HOUR not in self.lacking]), "ab12")


def _file(series: Series, first_day: int, days: int) -> ArchiveFile:
    return ArchiveFile(f"{first_day}+{days}", series, Span(first_day * DAY, (first_day + days) * DAY))


SERIES = Series.parse("BTC_USDT.GIO 1h")
NOW_HOUR = 120 * 24


async def fetch(source: WalledSource, files: Files, span: Span) -> tuple[MemorySeriesStore, str]:
    """Fetch ``span``, given in hours; what was refused in the end."""
    store = MemorySeriesStore()

    def clock() -> int:
        return NOW_HOUR * HOUR

    log, quarantine = SilentLog(), Quarantine(store.records, clock)
    fetcher = KlineFetch(SERIES, source, files, store, clock, log, quarantine)
    try:
        await fetcher.fetch(Span(span.start_ms * HOUR, span.end_ms * HOUR))
    except VenueRefusedError as error:
        if type(error) is not VenueRefusedError:
            raise
        return store, str(error)
    return store, ""


def claimed(store: MemorySeriesStore) -> list[tuple[int, int]]:
    claims = store.covered(SERIES, Span(0, NOW_HOUR * HOUR))
    return [(span.start_ms // HOUR, span.end_ms // HOUR) for span in merge(claim.span for claim in claims)]


async def test_files_that_stick_out_serve_what_lies_before_the_wall() -> None:
    source, files = WalledSource(reach=100 * 24), Files()
    store, refused = await fetch(source, files, Span(10 * 24 + 5, 110 * 24))
    assert (refused, claimed(store)) == ("", [(10 * 24 + 5, 110 * 24)])
    assert sorted(files.fetched) == ["0+30", "30+30", "60+30", "90+30"]
    assert source.asked == [Span(100 * 24 * HOUR, 110 * 24 * HOUR)]


async def test_a_hole_before_the_wall_is_the_venues_own_as_nobody_else_can_be_asked() -> None:
    source, files = WalledSource(reach=60 * 24), Files(lacking={100, 101, 70 * 24})
    store, refused = await fetch(source, files, Span(0, 90 * 24))
    assert (refused, claimed(store)) == ("", [(0, 90 * 24)])
    assert len(store.read(SERIES)) == 90 * 24 - 2, "what lies behind the wall is asked for over REST"
    assert source.asked == [Span(70 * 24 * HOUR, (70 * 24 + 1) * HOUR)]


async def test_days_serve_where_a_month_is_missing_before_the_wall() -> None:
    files = Files(missing={30, 31, 32})
    store, refused = await fetch(WalledSource(reach=NOW_HOUR), files, Span(0, 90 * 24))
    assert claimed(store) == [(0, 30 * 24), (33 * 24, 90 * 24)]
    assert refused == (
        "GIO tells BTC_USDT.GIO 1h over REST only from 1970-05-01T00:00:00Z on, and no archive file has "
        "[1970-01-31T00:00:00Z, 1970-02-03T00:00:00Z)"
    )


async def test_a_month_before_the_listing_costs_two_questions() -> None:
    files = Files(missing=set(range(45)))
    _, refused = await fetch(WalledSource(reach=NOW_HOUR), files, Span(0, 30 * 24))
    assert "[1970-01-01T00:00:00Z, 1970-01-31T00:00:00Z)" in refused
    assert files.fetched == ["0+30", "29+1"]


async def test_bars_that_have_just_fallen_out_of_reach_are_asked_for_all_the_same() -> None:
    source = WalledSource(reach=60 * 24, grace=3)
    files = Files(missing=set(range(120)))
    store, refused = await fetch(source, files, Span(60 * 24 - 2, 70 * 24))
    assert (refused, claimed(store)) == ("", [(60 * 24 - 2, 70 * 24)])


async def test_a_refusal_that_is_not_for_age_is_passed_on() -> None:
    source = WalledSource(reach=60 * 24, error=SymbolNotListedError)
    with pytest.raises(SymbolNotListedError):
        await fetch(source, Files(missing=set(range(120))), Span(50 * 24, 60 * 24))
