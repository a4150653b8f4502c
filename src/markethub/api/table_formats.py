"""Which format a caller wants a table in."""

from collections.abc import Mapping
from typing import TypeVar

from markethub.domain.errors import InputError
from markethub.wire.series import TableFormat

Name = TypeVar("Name", bound=str)

MEDIA_TYPES: dict[TableFormat, str] = {
    "json": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
}


def choose_format(accept: str | None) -> TableFormat:
    """Return the best format for an ``Accept`` header; JSON for none, an empty one, and on equal weights.

    InputError when the header rules every format out. Source: RFC 9110, "Accept": the most specific range
    that matches a media type gives its weight.
    """
    return choose_among(accept, MEDIA_TYPES)


def choose_among(accept: str | None, offered: Mapping[Name, str]) -> Name:
    """As choose_format, among any formats by their media types; the first for who does not mind."""
    first = next(iter(offered))
    if accept is None or not accept.strip():
        return first
    ranges = [_parse_range(part) for part in accept.split(",") if part.strip()]
    # max() keeps the first of equals.
    best = max(offered, key=lambda name: _weigh(offered[name], ranges))
    if _weigh(offered[best], ranges) <= 0:
        names = ", ".join(media_type.partition(";")[0] for media_type in offered.values())
        raise InputError(f"accept {accept[:80]!r} allows none of {names}")
    return best


def _parse_range(text: str) -> tuple[str, float]:
    media_range, *parameters = (part.strip() for part in text.lower().split(";"))
    weight = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = min(max(float(value), 0.0), 1.0)
            except ValueError:
                weight = 0.0
    return media_range, weight


def _weigh(media_type: str, ranges: list[tuple[str, float]]) -> float:
    exact = media_type.partition(";")[0]
    for candidate in (exact, f"{exact.partition('/')[0]}/*", "*/*"):
        weights = [weight for media_range, weight in ranges if media_range == candidate]
        if weights:
            return max(weights)
    return 0.0
