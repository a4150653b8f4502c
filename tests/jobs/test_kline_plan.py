"""Cutting a backfill into chunks."""

from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge, subtract
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.jobs.kline_plan import (
    LARGEST_CHUNK_BARS,
    KlineBackfill,
    KlineChunk,
    align,
    calendar_units,
    plan_chunks,
)

BTC = Symbol.parse("BTC_USDT.BNC")
ETH = Symbol.parse("ETH_USDT.BNC")
NOW_MS = parse_time("2026-06-15T10:20:30Z")

times_ms = st.integers(parse_time("2010-01-01"), parse_time("2027-01-01"))
spans = st.tuples(times_ms, times_ms).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Span(*pair))


def backfill(
    start: str, end: str, *intervals: Interval, symbols: tuple[Symbol, ...] = (BTC,)
) -> KlineBackfill:
    return KlineBackfill(symbols, intervals, Span(parse_time(start), parse_time(end)))


@given(spans, st.sampled_from(Interval))
def test_align_keeps_exactly_the_closed_grid_points(span: Span, interval: Interval) -> None:
    aligned = align(span, interval, NOW_MS)
    width = interval.width_ms
    first = next(
        (
            t
            for t in range(span.start_ms - span.start_ms % width, span.start_ms + 2 * width, width)
            if t in span
        ),
        None,
    )
    if aligned is None:
        assert first is None or first + width > NOW_MS
        return
    assert aligned.start_ms == first
    last = aligned.end_ms - width
    assert last in span
    assert last + width <= NOW_MS
    following = last + width
    assert following not in span or following + width > NOW_MS


@given(spans, st.sampled_from(Interval))
def test_calendar_units_tile_the_span_within_the_largest_size(span: Span, interval: Interval) -> None:
    units = [unit for _, unit in calendar_units(span, interval)]
    assert len(merge(units)) == 1
    assert subtract(span, units) == []
    assert all(unit.intersect(span) for unit in units)
    assert all(unit.width_ms // interval.width_ms <= LARGEST_CHUNK_BARS for unit in units)


@given(st.lists(spans, max_size=4), st.sampled_from([Interval.H1, Interval.D1, Interval.M15]))
def test_chunks_hold_all_that_is_missing_and_begin_and_end_with_it(
    covered: list[Span], interval: Interval
) -> None:
    wanted = backfill("2012-03-04T05:06:07Z", "2026-01-01", interval)
    series = Series(BTC, interval)
    chunks = [
        KlineChunk.from_parameters(chunk.parameters)
        for chunk in plan_chunks(wanted, {series: covered}, [], NOW_MS)
    ]
    span = align(wanted.span, interval, NOW_MS)
    assert span is not None
    missing = subtract(span, covered)
    assert all(subtract(gap, (chunk.span for chunk in chunks)) == [] for gap in missing)
    for chunk in chunks:
        assert any(chunk.span.start_ms in gap for gap in missing)
        assert any(chunk.span.end_ms - 1 in gap for gap in missing)


def test_chunks_are_named_after_series_and_unit() -> None:
    chunks = plan_chunks(backfill("2025-11-10", "2026-02-01", Interval.M1, Interval.H1), {}, [], NOW_MS)
    assert [chunk.key for chunk in chunks] == [
        "BTC_USDT.BNC 1m 2025-11",
        "BTC_USDT.BNC 1m 2025-12",
        "BTC_USDT.BNC 1m 2026-01",
        "BTC_USDT.BNC 1h 2025",
        "BTC_USDT.BNC 1h 2026",
    ]
    assert {chunk.queue for chunk in chunks} == {"BNC"}


def test_nothing_missing_makes_no_chunk() -> None:
    wanted = backfill("2025-01-01", "2026-01-01", Interval.H1)
    assert plan_chunks(wanted, {Series(BTC, Interval.H1): [wanted.span]}, [], NOW_MS) == []


def test_a_span_without_a_closed_bar_makes_no_chunk() -> None:
    assert plan_chunks(backfill("2026-06-15", "2026-06-16", Interval.D1), {}, [], NOW_MS) == []


def test_an_unlisted_symbol_is_one_chunk_a_series() -> None:
    wanted = backfill("2019-01-01", "2026-01-01", Interval.H1, Interval.M1, symbols=(BTC, ETH))
    keys = [chunk.key for chunk in plan_chunks(wanted, {}, [ETH], NOW_MS)]
    assert [key for key in keys if key.startswith("ETH")] == ["ETH_USDT.BNC 1h", "ETH_USDT.BNC 1m"]
    assert sum(key.startswith("BTC") for key in keys) == 7 + 7 * 12


def test_priorities_fall_along_the_plan_so_that_executions_share_the_workers() -> None:
    wanted = backfill("2019-01-01", "2026-01-01", Interval.H1)
    assert [chunk.priority for chunk in plan_chunks(wanted, {}, [], NOW_MS)] == [0, -1, -2, -3, -4, -5, -6]


def test_a_backfill_survives_its_parameters() -> None:
    wanted = backfill("2025-01-01T00:00:00.500Z", "2026-01-01", Interval.H1, Interval.M1, symbols=(BTC, ETH))
    assert KlineBackfill.from_parameters(wanted.to_parameters()) == wanted
