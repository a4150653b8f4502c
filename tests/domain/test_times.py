"""ISO 8601 at the edges."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.times import format_time, from_ms, parse_time, to_ms

moments_ms = st.integers(to_ms(datetime(1, 1, 1)), to_ms(datetime(9999, 12, 31)))  # noqa: DTZ001  (naive means UTC)


@given(moments_ms)
def test_time_survives_its_text(time_ms: int) -> None:
    assert parse_time(format_time(time_ms)) == time_ms
    assert to_ms(from_ms(time_ms)) == time_ms


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T08:00:00+08:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00.123456Z", datetime(2026, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)),
    ],
)
def test_what_is_read(text: str, moment: datetime) -> None:
    assert parse_time(text) == to_ms(moment)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-13-01", "1767225600000", "2026-01-01T25:00:00Z", "0000-01-01"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(InputError, match="start_time"):
        parse_time(text, "start_time")


def test_milliseconds_are_shown_only_where_there_are_some() -> None:
    assert format_time(0) == "1970-01-01T00:00:00Z"
    assert format_time(5) == "1970-01-01T00:00:00.005Z"


@given(st.sampled_from(Interval), st.integers(-(10**12), 10**13))
def test_floor_and_ceil_enclose_on_the_grid(interval: Interval, time_ms: int) -> None:
    low, high = interval.floor(time_ms), interval.ceil(time_ms)
    assert low <= time_ms <= high
    assert low % interval.width_ms == high % interval.width_ms == 0
    assert high - low in (0, interval.width_ms)


@pytest.mark.parametrize("text", ["", "1H", "2h", "1M", "60"])
def test_what_is_no_interval(text: str) -> None:
    with pytest.raises(InputError, match="1m, 5m, 15m, 30m, 1h, 4h, 1d"):
        Interval.parse(text)
