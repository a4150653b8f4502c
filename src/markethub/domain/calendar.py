"""Days and months of UTC as spans."""

from collections.abc import Iterator
from datetime import UTC, datetime

from markethub.domain.span import Span
from markethub.domain.times import from_ms, to_ms

DAY_MS = 86_400_000


def utc_months(span: Span) -> Iterator[Span]:
    """The calendar months that touch ``span``, whole, ascending."""
    first = from_ms(span.start_ms)
    year, month = first.year, first.month
    while (start_ms := to_ms(datetime(year, month, 1, tzinfo=UTC))) < span.end_ms:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        yield Span(start_ms, to_ms(datetime(year, month, 1, tzinfo=UTC)))


def days(span: Span, offset_ms: int = 0) -> Iterator[Span]:
    """The days that touch ``span``, whole, ascending; they begin ``offset_ms`` before midnight UTC: 8 hours
    for the days of UTC+8."""
    first_ms = (span.start_ms + offset_ms) // DAY_MS * DAY_MS - offset_ms
    for start_ms in range(first_ms, span.end_ms, DAY_MS):
        yield Span(start_ms, start_ms + DAY_MS)
