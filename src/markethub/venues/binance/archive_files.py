"""Which bulk files Binance publishes, where and when; pure.

Source: README of Binance Public Data ("How to get", "CHECKSUM", "Daily and monthly files").
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import from_ms, to_ms
from markethub.ports.venue import ArchiveFile
from markethub.venues.binance.names import join_name

DAY_MS = 86_400_000
_HOUR_MS = 3_600_000

# The venue opened in July 2017; nothing can be older.
_FIRST_MONTH_MS = to_ms(datetime(2017, 7, 1, tzinfo=UTC))
_FIRST_DAILY_MS = to_ms(datetime(2021, 3, 1, tzinfo=UTC))

# The README names days, not hours: "daily: the next day", "monthly: the first Monday of the month".
_DAILY_MARGIN_MS = 12 * _HOUR_MS
_MONTHLY_MARGIN_MS = 24 * _HOUR_MS


def list_files(series: Series, span: Span, now_ms: int) -> list[ArchiveFile]:
    """What is published by ``now_ms`` and touches ``span``, ascending: months, and days of later months."""
    files: list[ArchiveFile] = []
    for month in _months(span):
        if now_ms >= _monthly_published_ms(month):
            files.append(_month_file(series, month))
            continue
        files += [
            _day_file(series, day)
            for day in _days(month)
            if day.intersect(span) and now_ms >= day.end_ms + _DAILY_MARGIN_MS
        ]
    return files


def split_month(file: ArchiveFile) -> list[ArchiveFile]:
    """The daily files of a monthly one; none for a daily file, nor for a month before there were any."""
    if file.span.width_ms == DAY_MS:
        return []
    return [_day_file(file.series, day) for day in _days(file.span)]


def file_stem(file: ArchiveFile) -> str:
    """``BTCUSDT-1m-2024-05`` of its path: what the one CSV inside is called as well."""
    return file.path.rpartition("/")[2].removesuffix(".zip")


def _months(span: Span) -> Iterator[Span]:
    first = from_ms(max(span.start_ms, _FIRST_MONTH_MS))
    year, month = first.year, first.month
    while True:
        start_ms = to_ms(datetime(year, month, 1, tzinfo=UTC))
        if start_ms >= span.end_ms:
            return
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        yield Span(start_ms, to_ms(datetime(year, month, 1, tzinfo=UTC)))


def _days(month: Span) -> Iterator[Span]:
    for start_ms in range(max(month.start_ms, _FIRST_DAILY_MS), month.end_ms, DAY_MS):
        yield Span(start_ms, start_ms + DAY_MS)


def _monthly_published_ms(month: Span) -> int:
    first_weekday = from_ms(month.end_ms).weekday()  # Monday is 0
    return month.end_ms + (7 - first_weekday) % 7 * DAY_MS + _MONTHLY_MARGIN_MS


def _month_file(series: Series, month: Span) -> ArchiveFile:
    return _file("monthly", series, f"{from_ms(month.start_ms):%Y-%m}", month)


def _day_file(series: Series, day: Span) -> ArchiveFile:
    return _file("daily", series, f"{from_ms(day.start_ms):%Y-%m-%d}", day)


def _file(period: str, series: Series, date: str, span: Span) -> ArchiveFile:
    name, interval = join_name(series.symbol), series.interval.value
    path = f"/data/spot/{period}/klines/{name}/{interval}/{name}-{interval}-{date}.zip"
    return ArchiveFile(path, series, span)
