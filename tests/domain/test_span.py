"""Time ranges, tested against sets of instants."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import InputError
from markethub.domain.span import Span, merge, span_or_none, subtract

points = st.integers(0, 40)
spans = st.tuples(points, points).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Span(*pair))


def instants(*parts: Span) -> set[int]:
    return {moment for part in parts for moment in range(part.start_ms, part.end_ms)}


@given(st.lists(spans))
def test_merge_keeps_the_instants_in_the_fewest_spans(parts: list[Span]) -> None:
    merged = merge(parts)
    assert instants(*merged) == instants(*parts)
    assert all(left.end_ms < right.start_ms for left, right in pairwise(merged))


@given(spans, st.lists(spans))
def test_subtract_leaves_what_nobody_took(span: Span, taken: list[Span]) -> None:
    rest = subtract(span, taken)
    assert instants(*rest) == instants(span) - instants(*taken)
    assert rest == merge(rest)


@given(spans, spans)
def test_intersect_is_what_both_hold(left: Span, right: Span) -> None:
    common = left.intersect(right)
    assert (instants(common) if common else set()) == instants(left) & instants(right)


@given(spans, points)
def test_contains_is_half_open(span: Span, moment: int) -> None:
    assert (moment in span) == (moment in instants(span))


@pytest.mark.parametrize(("start_ms", "end_ms"), [(5, 5), (6, 5)])
def test_empty_and_reversed_spans_are_refused(start_ms: int, end_ms: int) -> None:
    assert span_or_none(start_ms, end_ms) is None
    with pytest.raises(InputError, match="must be before end"):
        Span(start_ms, end_ms)
