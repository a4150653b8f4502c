"""Days and months that cover a span."""

from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.calendar import DAY_MS, days, utc_months
from markethub.domain.span import Span, merge, subtract
from markethub.domain.times import from_ms, parse_time

times_ms = st.integers(parse_time("1999-01-01"), parse_time("2003-01-01"))
spans = st.tuples(times_ms, times_ms).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Span(*pair))


@given(spans)
def test_months_are_whole_touch_the_span_and_hold_it(span: Span) -> None:
    months = list(utc_months(span))
    assert len(merge(months)) == 1
    assert subtract(span, months) == []
    for month in months:
        assert month.intersect(span)
        assert (from_ms(month.start_ms).day, from_ms(month.end_ms).day) == (1, 1)
        assert month.start_ms % DAY_MS == month.end_ms % DAY_MS == 0
        assert 28 <= month.width_ms // DAY_MS <= 31


@given(spans, st.sampled_from([0, 8 * 3_600_000]))
def test_days_are_whole_touch_the_span_and_hold_it(span: Span, offset_ms: int) -> None:
    found = list(days(span, offset_ms))
    assert len(merge(found)) == 1
    assert subtract(span, found) == []
    for day in found:
        assert day.intersect(span)
        assert (day.start_ms + offset_ms) % DAY_MS == 0
        assert day.width_ms == DAY_MS


def test_a_day_of_utc8_begins_at_16_00_utc() -> None:
    noon = parse_time("2024-05-17T12:00")
    assert list(days(Span(noon, noon + 1), 8 * 3_600_000)) == [
        Span(parse_time("2024-05-16T16:00"), parse_time("2024-05-17T16:00"))
    ]
