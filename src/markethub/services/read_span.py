"""The time range of a read."""

from markethub.domain.errors import InputError
from markethub.domain.span import Span
from markethub.domain.times import format_time

_FIRST_MS = -62_135_596_800_000  # the year 1
_LAST_MS = 253_402_300_800_000  # the year 10000


def read_span(start_ms: int | None, end_ms: int | None) -> Span:
    """``[start, end)``, without a bound where none is given; InputError when it would be empty."""
    low_ms = _FIRST_MS if start_ms is None else start_ms
    high_ms = _LAST_MS if end_ms is None else end_ms
    if low_ms >= high_ms:
        raise InputError(f"start {format_time(low_ms)} must be before end {format_time(high_ms)}")
    return Span(low_ms, high_ms)
