"""Which bulk files of klines Gate publishes, where and when; pure.

The venue's article on downloading history shows addresses; how long after a day or a month its file is out,
how far back the files go, and which intervals there are, is documented nowhere. What stands here is what
others have seen, and could not be confirmed; a file that is not there is taken for missing, no more.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from markethub.domain.calendar import DAY_MS, days, utc_months
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import from_ms, to_ms
from markethub.ports.venue import ArchiveFile
from markethub.venues.gate.names import join_name

# Nobody has told of files for 15 and 30 minutes.
INTERVALS = frozenset({Interval.M1, Interval.M5, Interval.H1, Interval.H4, Interval.D1})

# The venue opened its spot market under this name in 2017.
_FIRST_MS = to_ms(datetime(2017, 1, 1, tzinfo=UTC))

_HOUR_MS = 3_600_000
_DAILY_MARGIN_MS = 12 * _HOUR_MS
_MONTHLY_MARGIN_MS = 48 * _HOUR_MS


def list_files(series: Series, span: Span, now_ms: int) -> list[ArchiveFile]:
    """What should be out by ``now_ms`` and touches ``span``, ascending: months, and days of later months."""
    files: list[ArchiveFile] = []
    if series.interval not in INTERVALS:
        return files
    for month in utc_months(span):
        if month.start_ms < _FIRST_MS:
            continue
        if now_ms >= month.end_ms + _MONTHLY_MARGIN_MS:
            files.append(_file(series, month, f"{from_ms(month.start_ms):%Y%m}"))
            continue
        files += [
            day
            for day in _day_files(series, month)
            if day.span.intersect(span) and now_ms >= day.span.end_ms + _DAILY_MARGIN_MS
        ]
    return files


def split_month(file: ArchiveFile) -> list[ArchiveFile]:
    """The daily files of a monthly one; none for a daily file."""
    return [] if file.span.width_ms == DAY_MS else list(_day_files(file.series, file.span))


def _day_files(series: Series, month: Span) -> Iterator[ArchiveFile]:
    for day in days(month):
        yield _file(series, day, f"{from_ms(day.start_ms):%Y%m%d}")


def _file(series: Series, span: Span, date: str) -> ArchiveFile:
    folder = f"/spot/candlesticks_{series.interval.value}/{date[:6]}"
    return ArchiveFile(f"{folder}/{join_name(series.symbol)}-{date}.csv.gz", series, span)
