"""When schedules are due, told a second time and in another way: by looking at every minute there is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)
_NAMES = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}


def cron_moments(expression: str, zone: str, start_ms: int, end_ms: int) -> list[int]:
    """All due moments of five fields (numbers, names of days, ``*``, ``-``, ``/`` and ``,``), ascending."""
    fields = expression.split()
    ticks = fields[0].startswith("*") or fields[1].startswith("*")
    walk = _every_minute if ticks else _every_time_of_day
    return sorted({ms for ms in walk(fields, ZoneInfo(zone), start_ms, end_ms) if start_ms < ms <= end_ms})


def interval_moments(seconds: int, start_ms: int, end_ms: int) -> list[int]:
    """All multiples of the interval since 1970, ascending."""
    first = start_ms // 1000 // seconds + 1
    return [n * seconds * 1000 for n in range(first, end_ms // 1000 // seconds + 1)]


def _every_minute(fields: list[str], zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[int]:
    for ms in range(start_ms - start_ms % 60_000, end_ms + 1, 60_000):
        if _matches(fields, datetime.fromtimestamp(ms // 1000, UTC).astimezone(zone)):
            yield ms


def _every_time_of_day(fields: list[str], zone: ZoneInfo, start_ms: int, end_ms: int) -> Iterator[int]:
    moment = datetime.fromtimestamp(start_ms // 60_000 * 60, UTC).astimezone(zone).replace(tzinfo=None)
    moment -= timedelta(days=1)
    last = datetime.fromtimestamp(end_ms // 1000, UTC).astimezone(zone).replace(tzinfo=None)
    while moment <= last + timedelta(days=1):
        if _matches(fields, moment):
            real = moment
            while not _exists(real, zone):
                real += _MINUTE
            yield round(real.replace(tzinfo=zone).timestamp()) * 1000  # the first of two
        moment += _MINUTE


def _exists(moment: datetime, zone: ZoneInfo) -> bool:
    return moment.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment


def _matches(fields: list[str], moment: datetime) -> bool:
    minute, hour, day, month, weekday = fields
    if not (_has(minute, moment.minute, 0, 59) and _has(hour, moment.hour, 0, 23)):
        return False
    on_day = _has(day, moment.day, 1, 31)
    on_weekday = _has(weekday, moment.isoweekday() % 7, 0, 6)
    starred = day.startswith("*") or weekday.startswith("*")
    on_date = (on_day and on_weekday) if starred else (on_day or on_weekday)
    return on_date and _has(month, moment.month, 1, 12)


def _has(field: str, value: int, least: int, most: int) -> bool:
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, _, last = ("", "", "") if span == "*" else span.partition("-")
        low = _number(first) if first else least
        high = _number(last) if last else (most if span == "*" or step else low)
        if low <= value <= high and (value - low) % int(step or 1) == 0:
            return True
    return False


def _number(text: str) -> int:
    return _NAMES[text] if text in _NAMES else int(text)
