"""Half-open time ranges and their arithmetic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markethub.domain.errors import InputError
from markethub.domain.times import format_time


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """``[start_ms, end_ms)`` in Unix milliseconds UTC; never empty, never reversed."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.start_ms >= self.end_ms:
            raise InputError(
                f"start {format_time(self.start_ms)} must be before end {format_time(self.end_ms)}"
            )

    @property
    def width_ms(self) -> int:
        return self.end_ms - self.start_ms

    def __contains__(self, time_ms: int) -> bool:
        return self.start_ms <= time_ms < self.end_ms

    def intersect(self, other: "Span") -> "Span | None":
        """The common part, or None when the two only touch or are apart."""
        return span_or_none(max(self.start_ms, other.start_ms), min(self.end_ms, other.end_ms))

    def __str__(self) -> str:
        return f"[{format_time(self.start_ms)}, {format_time(self.end_ms)})"


def span_or_none(start_ms: int, end_ms: int) -> Span | None:
    """The span, or None where it would be empty or reversed."""
    return Span(start_ms, end_ms) if start_ms < end_ms else None


def merge(spans: Iterable[Span]) -> list[Span]:
    """The same instants in the fewest spans, ascending; touching spans become one."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start_ms <= merged[-1].end_ms:
            merged[-1] = Span(merged[-1].start_ms, max(merged[-1].end_ms, span.end_ms))
        else:
            merged.append(span)
    return merged


def subtract(span: Span, taken: Iterable[Span]) -> list[Span]:
    """What of ``span`` no span of ``taken`` covers, ascending."""
    rest: list[Span] = []
    cursor = span.start_ms
    for hole in merge(taken):
        if hole.end_ms <= cursor:
            continue
        if hole.start_ms >= span.end_ms:
            break
        if hole.start_ms > cursor:
            rest.append(Span(cursor, hole.start_ms))
        cursor = max(cursor, hole.end_ms)
    if cursor < span.end_ms:
        rest.append(Span(cursor, span.end_ms))
    return rest


def describe_spans(spans: Sequence[Span]) -> str:
    """The first three in words, and how many more there are."""
    told = ", ".join(str(span) for span in spans[:3])
    return told + (f" and {len(spans) - 3} more spans" if len(spans) > 3 else "")
