import json

from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge, span_or_none, subtract
from markethub.domain.symbol import Series, Symbol
from markethub.jobs.kline_sync_plan import (
    BATCH_SERIES,
    LARGEST_TAIL_BARS,
    KlineBatch,
    KlineSync,
    find_wanted,
    plan_batches,
    series_of,
)

HOUR, DAY = 3_600_000, 86_400_000
SERIES = Series.parse("BTC_USDT.BNC 1h")
FIRST = 400_000  # hours since 1970
NOW = FIRST + 5_000
hours = st.integers(FIRST, NOW)
spans = st.lists(
    st.tuples(hours, hours).map(lambda pair: span_or_none(min(pair) * HOUR, max(pair) * HOUR)), max_size=4
).map(lambda found: merge(span for span in found if span))


@given(
    last=st.none() | st.integers(FIRST, NOW + 3),
    recheck=st.integers(0, 10),
    lookback=st.integers(1, 300),
    reach=st.none() | hours,
    claimed=spans,
    late_ms=st.integers(0, HOUR - 1),
)
def test_everything_after_the_last_bar_is_asked_or_known(
    *, last: int | None, recheck: int, lookback: int, reach: int | None, claimed: list[Span], late_ms: int
) -> None:
    now_ms = NOW * HOUR + late_ms
    wanted = find_wanted(
        SERIES,
        None if last is None else last * HOUR,
        KlineSync(recheck_bars=recheck, lookback_days=lookback),
        reach_ms=None if reach is None else reach * HOUR,
        covered=lambda span: [part for one in claimed if (part := one.intersect(span))],
        now_ms=now_ms,
    )
    asked = [*wanted.tail, *wanted.missed]
    assert wanted.tail == merge(wanted.tail)
    assert all(span.end_ms <= NOW * HOUR and span.start_ms % HOUR == 0 for span in asked), "closed bars only"
    assert sum(span.width_ms for span in wanted.tail) <= (LARGEST_TAIL_BARS + recheck) * HOUR
    if last is None:
        earliest_ms = max(now_ms - lookback * DAY, 0 if reach is None else reach * HOUR)
        start_ms = -(-earliest_ms // HOUR) * HOUR
        again = None
    else:
        start_ms = (last + 1) * HOUR
        again = span_or_none(start_ms - recheck * HOUR, min(start_ms, NOW * HOUR))
    if again:
        assert subtract(again, wanted.tail) == []
    if behind := span_or_none(start_ms, NOW * HOUR):
        assert subtract(behind, [*asked, *claimed]) == []
    bound_ms = again.start_ms if again else start_ms
    assert all(span.start_ms >= bound_ms for span in asked), "what lies before is the gap monitor's"


def test_a_market_that_stood_still_is_not_asked_for_all_of_it_again() -> None:
    last_ms = (NOW - 4_000) * HOUR
    known = Span(last_ms, (NOW - 2) * HOUR)
    wanted = find_wanted(
        SERIES,
        last_ms,
        KlineSync(),
        reach_ms=None,
        covered=lambda span: [part for part in [known.intersect(span)] if part],
        now_ms=NOW * HOUR,
    )
    assert wanted.tail == [Span(last_ms - 2 * HOUR, last_ms + HOUR), Span((NOW - 2) * HOUR, NOW * HOUR)]
    assert wanted.missed == []


def test_batches_hold_one_venue_and_interval_each() -> None:
    symbols = [Symbol(code, f"C{number}_USDT") for code in ("BNC", "OKX") for number in range(250)]
    every = series_of(symbols[:260], [Interval.H1, Interval.D1])
    tails = {series: [Span(0, DAY), Span(2 * DAY, 3 * DAY)] for series in every}
    chunks = plan_batches({**tails, Series(symbols[300], Interval.H1): []})
    assert [(chunk.key, chunk.queue) for chunk in chunks] == [
        ("BNC 1h 1/3", "BNC"),
        ("BNC 1h 2/3", "BNC"),
        ("BNC 1h 3/3", "BNC"),
        ("BNC 1d 1/3", "BNC"),
        ("BNC 1d 2/3", "BNC"),
        ("BNC 1d 3/3", "BNC"),
        ("OKX 1h", "OKX"),
        ("OKX 1d", "OKX"),
    ]
    found: dict[Series, list[Span]] = {}
    for chunk in chunks:
        stored = json.loads(json.dumps(chunk.parameters))
        assert KlineBatch.is_in(stored)
        batch = KlineBatch.from_parameters(stored).tails
        assert len(batch) <= BATCH_SERIES
        assert {(one.symbol.venue, one.interval) for one in batch} == {
            (chunk.queue, Interval(chunk.key.split()[1]))
        }
        found |= {series: list(asked) for series, asked in batch.items()}
    assert found == tails


def test_nothing_to_ask_is_no_batch() -> None:
    assert plan_batches({SERIES: []}) == []
    assert KlineSync.from_parameters({}) == KlineSync((Interval.H1,), 3, 30)
