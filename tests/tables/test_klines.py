"""The rows that may be stored, and those that may not."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.tables.klines import (
    KLINES,
    check_klines,
    cut_klines,
    empty_klines,
    missing_bars,
    open_times_ms,
)

HOUR_MS = 3_600_000


def bars_at(*hours: int, **columns: list[Any]) -> pa.Table:
    count = len(hours)
    values: dict[str, list[Any]] = {
        "open": [10.0] * count,
        "high": [12.0] * count,
        "low": [9.0] * count,
        "close": [11.0] * count,
        "volume": [5.0] * count,
        "quote_volume": [50.0] * count,
        "trades": [7] * count,
        "taker_volume": [2.0] * count,
        "taker_quote_volume": [20.0] * count,
    }
    values.update(columns)
    times = pa.array([hour * HOUR_MS for hour in hours], pa.int64()).cast(KLINES.field("open_time").type)
    return pa.table({"open_time": times, **values}, schema=KLINES)


def test_sound_bars_pass_as_they_are() -> None:
    bars = bars_at(0, 1, 5)
    assert check_klines(bars, Interval.H1, "page") is bars
    assert len(check_klines(empty_klines(), Interval.H1, "page")) == 0


def test_what_a_venue_does_not_tell_may_be_null() -> None:
    nothing = [None, None]
    bars = bars_at(
        0, 1, quote_volume=nothing, trades=nothing, taker_volume=nothing, taker_quote_volume=nothing
    )
    assert len(check_klines(bars, Interval.H1, "page")) == 2


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, -1.0])
def test_prices_must_be_positive_numbers(column: str, value: float) -> None:
    with pytest.raises(VenueProtocolError, match=r"page 7: .* in bar"):
        check_klines(bars_at(0, 1, **{column: [10.5, value]}), Interval.H1, "page 7")


@pytest.mark.parametrize("column", ["volume", "quote_volume", "taker_volume", "taker_quote_volume"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -0.5])
def test_volumes_must_be_numbers_from_0(column: str, value: float) -> None:
    with pytest.raises(VenueProtocolError, match=column):
        check_klines(bars_at(0, 1, **{column: [1.0, value]}), Interval.H1, "page")


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"trades": [1, -1]}, "trades not a number from 0"),
        ({"high": [12.0, 10.9]}, "outside low..high"),
        ({"low": [9.0, 10.1]}, "outside low..high"),
    ],
)
def test_other_nonsense(columns: dict[str, list[Any]], problem: str) -> None:
    with pytest.raises(VenueProtocolError, match=problem):
        check_klines(bars_at(0, 1, **columns), Interval.H1, "page")


@pytest.mark.parametrize("hours", [(1, 0), (1, 1), (0, 2, 1)])
def test_times_must_ascend(hours: tuple[int, ...]) -> None:
    with pytest.raises(VenueProtocolError, match="repeated or out of order"):
        check_klines(bars_at(*hours), Interval.H1, "page")


def test_times_must_ascend_across_chunks() -> None:
    with pytest.raises(VenueProtocolError, match="repeated or out of order"):
        check_klines(pa.concat_tables([bars_at(0, 1), bars_at(1, 2)]), Interval.H1, "page")


def test_times_must_lie_on_the_grid() -> None:
    with pytest.raises(VenueProtocolError, match="off the 4h grid"):
        check_klines(bars_at(0, 5), Interval.H4, "page")


def test_other_columns_are_refused() -> None:
    with pytest.raises(VenueProtocolError, match="columns"):
        check_klines(bars_at(0).drop_columns(["trades"]), Interval.H1, "page")


@given(st.sets(st.integers(0, 30)), st.integers(0, 15), st.integers(16, 31))
def test_missing_bars_and_bars_tile_the_span(hours: set[int], low: int, high: int) -> None:
    bars = bars_at(*sorted(hours))
    span = Span(low * HOUR_MS, high * HOUR_MS)
    missing = missing_bars(bars, span, Interval.H1)
    times = {time for part in missing for time in range(part.start_ms, part.end_ms, HOUR_MS)}
    inside = {hour * HOUR_MS for hour in hours if low <= hour < high}
    assert times | inside == set(range(span.start_ms, span.end_ms, HOUR_MS))
    assert not times & inside
    assert all(left.end_ms < right.start_ms for left, right in pairwise(missing))


@given(st.sets(st.integers(0, 30)), st.integers(0, 15), st.integers(16, 31))
def test_cut_keeps_the_rows_of_the_span(hours: set[int], low: int, high: int) -> None:
    cut = cut_klines(bars_at(*sorted(hours)), Span(low * HOUR_MS, high * HOUR_MS))
    expected = np.array(sorted(hour * HOUR_MS for hour in hours if low <= hour < high), dtype=np.int64)
    assert np.array_equal(open_times_ms(cut).to_numpy(), expected)
