"""Gate's bulk files of klines: which exist when, and their bytes.

As others have described them: gzip of a headerless CSV of open time in seconds, volume (here of the base
currency), close, high, low, open; one file a month and one a day of UTC. When they appear is not documented;
here both do at the set hour of the next day.
"""

import gzip
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from aiohttp import web

from markethub.domain.span import Span
from markethub.domain.times import to_ms
from markethub.sandbox.bars import CLOSE, HIGH, LOW, OPEN, VOLUME, Bars
from markethub.sandbox.gate.currency_pairs import print_short
from markethub.sandbox.gate.names import PairNames
from markethub.sandbox.listings import Listing
from markethub.sandbox.market import Market
from markethub.sandbox.packing import Packing
from markethub.sandbox.rows import print_e8
from markethub.sandbox.settings import SandboxSettings

INTERVALS: Final = ("1m", "5m", "1h", "4h", "1d")
_STEM = re.compile(r"(?P<name>.+)-(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})?", re.ASCII)
_HOUR_MS: Final = 3_600_000


class BulkFiles:
    """The files by address; the same bytes in every process with the same settings."""

    def __init__(self, market: Market, names: PairNames, settings: SandboxSettings) -> None:
        self._market = market
        self._names = names
        self._clock = settings.clock
        self._hour = settings.archive_hour_utc
        self._packing = Packing(settings.archive_cache_bytes)

    async def fetch(self, interval: str, folder: str, stem: str) -> bytes | None:
        """The packed file ``stem`` of a month's folder; None where there is none by now."""
        match = _STEM.fullmatch(stem)
        span = None if match is None else _read_span(match)
        if match is None or span is None or interval not in INTERVALS:
            return None
        now_ms = self._clock()
        listing = self._names.find(match["name"], now_ms)
        if listing is None or folder != match["year"] + match["month"]:
            return None
        if now_ms < span.end_ms + self._hour * _HOUR_MS:
            return None
        return await self._packing.fetch(f"{interval}/{stem}", lambda: self._pack(listing, interval, span))

    def _pack(self, listing: Listing, interval: str, span: Span) -> bytes | None:
        bars = self._market.bars(listing, interval, span)
        return gzip.compress(print_csv(bars), compresslevel=1, mtime=0) if len(bars) else None


def create_bulk_app(files: BulkFiles) -> web.Application:
    """The application to mount below ``/spot``."""

    async def get_file(request: web.Request) -> web.Response:
        where = request.match_info
        packed = await files.fetch(where["interval"], where["folder"], where["stem"])
        if packed is None:
            return _answer_missing()
        return web.Response(body=packed, content_type="application/gzip")

    async def get_missing(_: web.Request) -> web.Response:
        return _answer_missing()

    app = web.Application()
    app.router.add_get(r"/candlesticks_{interval}/{folder:\d{6}}/{stem}.csv.gz", get_file)
    app.router.add_get("/{unknown:.*}", get_missing)
    return app


def print_csv(bars: Bars) -> bytes:
    lines: list[str] = []
    for column in bars.columns.T.tolist():
        prices = (print_short(column[field]) for field in (CLOSE, HIGH, LOW, OPEN))
        lines.append(",".join((str(column[0] // 1000), print_e8(column[VOLUME]), *prices)) + "\n")
    return "".join(lines).encode()


def _read_span(match: re.Match[str]) -> Span | None:
    try:
        first = date(int(match["year"]), int(match["month"]), int(match["day"] or 1))
    except ValueError:
        return None
    after = first + timedelta(days=1) if match["day"] else (first + timedelta(days=31)).replace(day=1)
    return Span(_midnight_ms(first), _midnight_ms(after))


def _midnight_ms(day: date) -> int:
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _answer_missing() -> web.Response:
    return web.Response(status=404, text="<html>404 Not Found</html>", content_type="text/html")
