"""Which bulk files of klines OKX publishes, where and when; pure.

Source: "Get historical market data" of the OKX API v5 guide: minutes only, a file a day of UTC+8, out two
days later. How far back they go is disputed (2021 or 2023), so the earlier is taken: what is not in the index
is missing, no more. There are files of months as well; they begin at 16:00 UTC of the last day of the month
before, so none lies within a calendar month of ours.
"""

from datetime import UTC, datetime

from markethub.domain.calendar import DAY_MS, days
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import from_ms, to_ms
from markethub.ports.venue import ArchiveFile
from markethub.venues.okx.names import join_name

UTC8_MS = 8 * 3_600_000
"""How much earlier than at midnight UTC the day of UTC+8 begins."""

_FIRST_MS = to_ms(datetime(2021, 1, 1, tzinfo=UTC)) - UTC8_MS
_PUBLISHED_AFTER_MS = 2 * DAY_MS


def list_files(series: Series, span: Span, now_ms: int) -> list[ArchiveFile]:
    """The files of days that should be out by ``now_ms`` and touch ``span``, ascending."""
    if series.interval is not Interval.M1:
        return []
    return [
        _file(series, day)
        for day in days(span, UTC8_MS)
        if day.start_ms >= _FIRST_MS and now_ms >= day.end_ms + _PUBLISHED_AFTER_MS
    ]


def file_name(file: ArchiveFile) -> str:
    """``BTC-USDT-candlesticks-2024-05-17.zip``, by which the index knows it."""
    return file.path.rpartition("/")[2]


def _file(series: Series, day: Span) -> ArchiveFile:
    date = from_ms(day.start_ms + UTC8_MS)
    # The folder is where files have been seen; what counts is the address in the index.
    folder = f"/cdn/okex/traderecords/candlesticks/daily/{date:%Y%m%d}"
    return ArchiveFile(f"{folder}/{join_name(series.symbol)}-candlesticks-{date:%Y-%m-%d}.zip", series, day)
