"""OKX's bulk files of one-minute candles: the index of them, and their bytes.

Source: OKX API v5 guide, "Get historical market data", for the index; the files as others have described
them: a zip of one CSV with a header, a day of UTC+8 each, out two days later.
"""

import io
import re
import zipfile
from datetime import date, datetime, timedelta, timezone
from typing import Final
from urllib.parse import quote

import orjson
from aiohttp import web

from markethub.domain.span import Span
from markethub.domain.times import to_ms
from markethub.sandbox.bars import CLOSE, HIGH, LOW, OPEN, QUOTE, VOLUME, Bars
from markethub.sandbox.intervals import DAY_MS
from markethub.sandbox.market import Market
from markethub.sandbox.okx.names import Pair, PairNames
from markethub.sandbox.okx.refusals import refuse_empty, refuse_wrong, reply
from markethub.sandbox.packing import Packing
from markethub.sandbox.rows import print_e8
from markethub.sandbox.settings import SandboxSettings

HEADER: Final = "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm"

_UTC8 = timezone(timedelta(hours=8))
_FIRST_DAY: Final = date(2021, 1, 1)
_PUBLISHED_AFTER_MS: Final = 2 * DAY_MS
_LONGEST_DAYS: Final = 20
_FOLDER: Final = "/cdn/okex/traderecords/candlesticks/daily"
_STEM = re.compile(r"(?P<name>.+)-candlesticks-(?P<date>\d{4}-\d{2}-\d{2})", re.ASCII)
_MILLISECONDS: Final = "[0-9]{1,16}"


class BulkFiles:
    """The files by name; the same bytes in every process with the same settings."""

    def __init__(self, market: Market, names: PairNames, settings: SandboxSettings) -> None:
        self._market = market
        self._names = names
        self._clock = settings.clock
        self._packing = Packing(settings.archive_cache_bytes)

    def exists(self, name: str, day: date) -> bool:
        """Whether there is a file with at least one bar by now."""
        return self._find(name, day) is not None

    async def fetch(self, stem: str) -> bytes | None:
        """The packed file ``BTC-USDT-candlesticks-2024-05-17``; None where there is none by now."""
        match = _STEM.fullmatch(stem)
        day = None if match is None else _read_date(match["date"])
        pair = None if match is None or day is None else self._find(match["name"], day)
        if pair is None or day is None:
            return None
        return await self._packing.fetch(stem, lambda: self._pack(pair, stem, day_of(day)))

    def _find(self, name: str, day: date) -> Pair | None:
        now_ms, span = self._clock(), day_of(day)
        pair = self._names.find(name, now_ms)
        if pair is None or day < _FIRST_DAY or now_ms < span.end_ms + _PUBLISHED_AFTER_MS:
            return None
        return pair if pair.listing.listed_ms < span.end_ms else None

    def _pack(self, pair: Pair, stem: str, span: Span) -> bytes:
        bars = self._market.bars(pair.listing, "1m", span)
        return pack_csv(f"{stem}.csv", print_csv(pair.name, bars))


class BulkIndexRoutes:
    """The index. Only daily files of module 2 and spot pairs are played."""

    def __init__(self, files: BulkFiles) -> None:
        self._files = files

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/public/market-data-history", self._index)

    async def _index(self, request: web.Request) -> web.Response:
        query = request.query
        for name in ("module", "instType", "instIdList", "dateAggrType", "begin", "end"):
            if not query.get(name):
                raise refuse_empty(name)
        for name, played in (("module", "2"), ("instType", "SPOT"), ("dateAggrType", "daily")):
            if query[name] != played:
                raise refuse_wrong(name)
        first, last = _read_day(query["begin"], "begin"), _read_day(query["end"], "end")
        if not 0 <= (last - first).days < _LONGEST_DAYS:
            raise refuse_wrong("end")
        days = [last - timedelta(days=back) for back in range((last - first).days + 1)]
        host = f"{request.scheme}://{request.host}"
        details = [self._describe(name, days, host) for name in query["instIdList"].split(",")[:10]]
        return reply([orjson.dumps({"dateAggrType": "daily", "details": details, "totalSizeMB": "0"})])

    def _describe(self, name: str, days: list[date], host: str) -> dict[str, object]:
        """One instrument's entry, its newest file first."""
        found = [day for day in days if self._files.exists(name, day)]
        return {
            "instId": name,
            "instType": "SPOT",
            "groupSizeMB": "0",
            "groupDetails": [
                {
                    "filename": f"{_stem(name, day)}.zip",
                    "dataTs": str(day_of(day).start_ms),
                    "sizeMB": "0",
                    "url": f"{host}{_FOLDER}/{day:%Y%m%d}/{quote(_stem(name, day))}.zip",
                }
                for day in found
            ],
        }


def create_bulk_app(files: BulkFiles) -> web.Application:
    """The application to mount below ``/cdn``."""

    async def get_file(request: web.Request) -> web.Response:
        packed = await files.fetch(request.match_info["stem"])
        if packed is None:
            return await get_missing(request)
        return web.Response(body=packed, content_type="application/zip")

    async def get_missing(_: web.Request) -> web.Response:
        text = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>'
        return web.Response(status=404, text=text, content_type="application/xml")

    app = web.Application()
    app.router.add_get(_FOLDER.removeprefix("/cdn") + r"/{folder:\d{8}}/{stem}.zip", get_file)
    app.router.add_get("/{unknown:.*}", get_missing)
    return app


def day_of(day: date) -> Span:
    """A day of UTC+8: from 16:00 to 16:00 UTC."""
    start_ms = to_ms(datetime(day.year, day.month, day.day, tzinfo=_UTC8))
    return Span(start_ms, start_ms + DAY_MS)


def print_csv(name: str, bars: Bars) -> bytes:
    lines = [HEADER]
    for column in bars.columns.T.tolist():
        numbers = [_print(column[field]) for field in (OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE, QUOTE)]
        lines.append(",".join((name, *numbers, str(column[0]), "1")))
    return ("\n".join(lines) + "\n").encode()


def pack_csv(member: str, text: bytes) -> bytes:
    """Fast compression, and no date of today: the same bytes whenever it is packed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(member), text, zipfile.ZIP_DEFLATED, compresslevel=1)
    return packed.getvalue()


def _stem(name: str, day: date) -> str:
    return f"{name}-candlesticks-{day:%Y-%m-%d}"


def _read_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _read_day(text: str, name: str) -> date:
    if re.fullmatch(_MILLISECONDS, text) is None:
        raise refuse_wrong(name)
    try:
        return datetime.fromtimestamp(int(text) / 1000, _UTC8).date()
    except (ValueError, OverflowError, OSError):
        raise refuse_wrong(name) from None


def _print(amount_e8: int) -> str:
    return print_e8(amount_e8).rstrip("0").rstrip(".")
