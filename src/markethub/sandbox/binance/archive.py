"""Binance's bulk files of klines: which exist when, and their bytes.

Source: github.com/binance/binance-public-data, README. Zips of one headerless CSV; times in milliseconds
before 2025-01-01 and in microseconds from then on; daily files the next day and from 2021-03-01 only, monthly
files on the first Monday of the next month.
"""

import asyncio
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from markethub.domain.span import Span
from markethub.domain.times import to_ms
from markethub.sandbox.binance.names import Pair, PairNames
from markethub.sandbox.byte_cache import ByteCache
from markethub.sandbox.intervals import WIDTHS_MS
from markethub.sandbox.market import Market
from markethub.sandbox.rows import CSV_ROWS, print_rows
from markethub.sandbox.settings import SandboxSettings

_MICROSECONDS_FROM: Final = date(2025, 1, 1)
_DAILY_FROM: Final = date(2021, 3, 1)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_MONDAY: Final = 0


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """A file that may exist: the bars of ``pair`` that open from ``first_day`` up to ``next_day``."""

    pair: Pair
    interval: str
    stem: str
    first_day: date
    next_day: date


@dataclass(frozen=True, slots=True)
class PackedFile:
    """The zip, and its sha256 in hex."""

    content: bytes
    sha256: str

    @property
    def size_bytes(self) -> int:
        return len(self.content)


class KlineArchive:
    """Builds files on demand, off the event loop, and each one once however many ask for it together.

    The same file has the same bytes in every process with the same settings.
    """

    def __init__(self, market: Market, settings: SandboxSettings) -> None:
        self._market = market
        self._names = PairNames(market.catalog)
        self._clock = settings.clock
        self._hour = settings.archive_hour_utc
        self._packed: ByteCache[str, PackedFile] = ByteCache(settings.archive_cache_bytes)
        self._packing: dict[str, asyncio.Task[PackedFile | None]] = {}

    def find(self, period: str, symbol: str, interval: str, stem: str) -> ArchiveName | None:
        """The name, if such a file would be out by now; ``period`` is ``monthly`` or ``daily``."""
        now_ms = self._clock()
        pair = self._names.find(symbol, now_ms)
        prefix = f"{symbol}-{interval}-"
        if pair is None or interval not in WIDTHS_MS or not stem.startswith(prefix):
            return None
        days = _read_days(period, stem.removeprefix(prefix))
        if days is None:
            return None
        first_day, next_day = days
        published_on = next_day if period == "daily" else first_monday(next_day)
        if now_ms < _midnight_ms(published_on) + self._hour * 3_600_000:
            return None
        return ArchiveName(pair, interval, stem, first_day, next_day)

    async def fetch(self, name: ArchiveName) -> PackedFile | None:
        """The file, or None where not a single bar lies in its days."""
        if (packed := self._packed.find(name.stem)) is not None:
            return packed
        if (task := self._packing.get(name.stem)) is None:
            task = asyncio.create_task(asyncio.to_thread(self._pack, name))
            self._packing[name.stem] = task
            task.add_done_callback(lambda done: self._finish(name, done))
        # Shielded: that one client hangs up must not end the work the others wait for.
        return await asyncio.shield(task)

    def _finish(self, name: ArchiveName, done: "asyncio.Task[PackedFile | None]") -> None:
        del self._packing[name.stem]
        if not done.cancelled() and done.exception() is None and (packed := done.result()) is not None:
            self._packed.keep(name.stem, packed)

    def _pack(self, name: ArchiveName) -> PackedFile | None:
        span = Span(_midnight_ms(name.first_day), _midnight_ms(name.next_day))
        bars = self._market.bars(name.pair.listing, name.interval, span)
        if not len(bars):
            return None
        rows = print_rows(
            bars, WIDTHS_MS[name.interval], CSV_ROWS, microseconds=name.first_day >= _MICROSECONDS_FROM
        )
        content = _zip(f"{name.stem}.csv", rows.text, name.next_day)
        return PackedFile(content, hashlib.sha256(content).hexdigest())


def first_monday(month: date) -> date:
    """The first Monday on or after the first of the month."""
    return month + timedelta(days=(_MONDAY - month.weekday()) % 7)


def _read_days(period: str, text: str) -> tuple[date, date] | None:
    match = (_DAY if period == "daily" else _MONTH).fullmatch(text)
    if match is None:
        return None
    try:
        first_day = date(int(match[1]), int(match[2]), int(match[3]) if period == "daily" else 1)
    except ValueError:
        return None
    if period == "daily":
        return None if first_day < _DAILY_FROM else (first_day, first_day + timedelta(days=1))
    return first_day, (first_day + timedelta(days=31)).replace(day=1)


def _midnight_ms(day: date) -> int:
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _zip(member: str, text: bytes, stamped: date) -> bytes:
    """Fast compression: the sandbox packs files while someone waits for them."""
    packed = io.BytesIO()
    info = zipfile.ZipInfo(member, date_time=(stamped.year, stamped.month, stamped.day, 0, 0, 0))
    info.external_attr = 0o644 << 16
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(info, text, compress_type=zipfile.ZIP_DEFLATED, compresslevel=1)
    return packed.getvalue()
