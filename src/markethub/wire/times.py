"""Times on the wire: ISO 8601 in, ISO 8601 with a trailing Z out, Unix milliseconds between."""

from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from markethub.domain.errors import InputError
from markethub.domain.times import format_time, parse_time


def _read_time(value: object, info: ValidationInfo) -> int:
    field = info.field_name or "time"
    if not isinstance(value, str):
        # A bare number is refused: seconds and milliseconds cannot be told apart.
        raise InputError(
            f"{field} {repr(value)[:60]} is not a string with an ISO 8601 time such as 2026-01-01T00:00:00Z"
        )
    return parse_time(value, field)


def _read_optional_time(value: object, info: ValidationInfo) -> int | None:
    return None if value is None else _read_time(value, info)


LATER = "2026-01-15T00:00:00Z"
"""What an example's range ends with."""

_DATE_TIME = {"type": "string", "format": "date-time", "examples": ["2026-01-01T00:00:00Z"]}

RequestTime = Annotated[int, BeforeValidator(_read_time), WithJsonSchema(_DATE_TIME)]
"""An ISO 8601 string of a caller, naive ones read as UTC; Unix milliseconds once parsed."""

OptionalRequestTime = Annotated[
    int | None,
    BeforeValidator(_read_optional_time),
    WithJsonSchema({"anyOf": [_DATE_TIME, {"type": "null"}]}),
]
"""As RequestTime, or null."""

AnswerSecond = Annotated[
    int,
    PlainSerializer(lambda time_ms: format_time(time_ms - time_ms % 1000), return_type=str),
    WithJsonSchema(_DATE_TIME, mode="serialization"),
]
"""Unix milliseconds that are written in whole seconds, rounded down, as the pages of DMS show them."""

AnswerTime = Annotated[
    int,
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema(_DATE_TIME, mode="serialization"),
]
"""Unix milliseconds that are written as ``2026-01-01T00:00:00Z``."""
