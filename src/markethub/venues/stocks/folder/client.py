"""Klines out of a folder of CSV or Parquet files."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from markethub.domain.errors import InputError, SymbolNotListedError, VenueRefusedError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.ports.clock import Clock, system_clock
from markethub.ports.venue import KlinePage, VenueLimits
from markethub.tables.klines import SortedBars, cut_klines, empty_klines
from markethub.venues.stocks.exchanges import INTERVALS, Exchange
from markethub.venues.stocks.folder.files import candidates, read_bars
from markethub.venues.stocks.options import StockOptions
from markethub.venues.stocks.sessions import StockSessions
from markethub.venues.stocks.source import check_interval, closed_part

_KEPT_FILES: Final = 8

_Version = tuple[int, int]
"""When a file was changed, in nanoseconds, and its size in bytes."""


class FolderKlines:
    """A StockSource. What the files hold is raw or adjusted as the option ``adjustment`` says."""

    def __init__(
        self,
        exchange: Exchange,
        options: StockOptions,
        sessions: StockSessions,
        clock: Clock = system_clock,
    ) -> None:
        if options.path is None:
            raise InputError(f"{exchange.code} option path must name the folder of bars")
        self.label: str = f"folder {options.adjustment}"
        self._exchange = exchange
        self._folder = options.path
        self._sessions = sessions
        self._clock = clock
        self._lock = threading.Lock()
        self._files: OrderedDict[Path, tuple[_Version, SortedBars]] = OrderedDict()

    async def klines(self, series: Series, span: Span) -> KlinePage:
        """The bars of ``span``, all on one page.

        What lies after the file's last bar is not covered: the file may grow. SymbolNotListedError where
        there is no file of the symbol at all, ArchiveError where the file cannot be read.
        """
        self._exchange.check(series.symbol)
        check_interval(self._exchange, series.interval)
        return await asyncio.to_thread(self._read_page, series, span)

    async def listed(self, symbol: Symbol) -> bool:
        """Whether there is a file of the symbol, at any interval."""
        try:
            self._exchange.check(symbol)
        except SymbolNotListedError:
            return False
        return await asyncio.to_thread(self._has_file, symbol)

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:  # noqa: ARG002
        """No wall: files do not forget."""
        return None

    async def server_time_ms(self) -> int:
        """This machine's own clock."""
        return self._clock()

    def limits(self) -> Sequence[VenueLimits]:
        """None: files may be read at will."""
        return ()

    async def close(self) -> None:
        """Forget the files."""
        self._files.clear()

    def _read_page(self, series: Series, span: Span) -> KlinePage:
        file = self._find(series)
        bars, rejected, _, _, last_ms = self._load(file, series)
        now_ms = self._clock()
        told_ms = now_ms if last_ms is None else min(now_ms, last_ms + series.interval.width_ms)
        covered = closed_part(span, series.interval, told_ms)
        if covered is None:
            return KlinePage(empty_klines(), None)
        return KlinePage(
            cut_klines(bars, covered),
            covered,
            [reject for reject in rejected if reject.span.start_ms in covered],
        )

    def _find(self, series: Series) -> Path:
        places = candidates(self._folder, series)
        for place in places:
            if place.is_file():
                return place
        if self._has_file(series.symbol):
            raise VenueRefusedError(f"{self._folder} has no {series.interval} bars of {series.symbol}")
        looked_for = ", ".join(str(place.relative_to(self._folder)) for place in places)
        raise SymbolNotListedError(f"{self._folder} has no bars of {series.symbol}; looked for {looked_for}")

    def _has_file(self, symbol: Symbol) -> bool:
        return any(
            place.is_file()
            for interval in INTERVALS
            for place in candidates(self._folder, Series(symbol, interval))
        )

    def _load(self, file: Path, series: Series) -> SortedBars:
        """The file's bars, read again only when it has changed; one thread at a time reads."""
        with self._lock:
            status = file.stat()
            version = (status.st_mtime_ns, status.st_size)
            known = self._files.get(file)
            if known is None or known[0] != version:
                known = (version, read_bars(file, series, self._exchange, self._sessions))
                self._files[file] = known
            self._files.move_to_end(file)
            while len(self._files) > _KEPT_FILES:
                self._files.popitem(last=False)
            return known[1]
