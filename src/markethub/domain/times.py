"""Time as Unix milliseconds UTC inside, ISO 8601 at the edges."""

from datetime import UTC, datetime, timedelta

from markethub.domain.errors import InputError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Unix milliseconds of a moment, rounded down; a naive one is read as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (aware - _EPOCH) // _MILLISECOND


def from_ms(time_ms: int) -> datetime:
    """The aware UTC datetime; OverflowError outside the years 1 to 9999."""
    return _EPOCH + time_ms * _MILLISECOND


def parse_time(text: str, field: str = "time") -> int:
    """Read ISO 8601 (naive means UTC) into Unix milliseconds; InputError names ``field`` otherwise."""
    try:
        return to_ms(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise InputError(
            f"{field} {text[:60]!r} is not an ISO 8601 time such as 2026-01-01T00:00:00Z"
        ) from None


def format_time(time_ms: int) -> str:
    """ISO 8601 with a trailing Z; milliseconds only where there are some."""
    try:
        moment = from_ms(time_ms)
    except OverflowError:
        return f"{time_ms} ms"
    precision = "milliseconds" if time_ms % 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
