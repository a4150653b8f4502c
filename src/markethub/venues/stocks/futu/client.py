"""Klines over Futu OpenD. Its documents: "Get Historical Candlesticks" of the Futu API guide."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, Final, TypeVar

from markethub.domain.errors import (
    SymbolNotListedError,
    VenueProtocolError,
    VenueThrottledError,
    VenueUnavailableError,
)
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import from_ms
from markethub.ports.budget import BudgetPool
from markethub.ports.venue import KlinePage, VenueLimits
from markethub.tables.klines import SortedBars, cut_klines, empty_klines
from markethub.venues.stocks.exchanges import Exchange
from markethub.venues.stocks.futu.opend import (
    FREQUENCY_WINDOW_S,
    RET_OK,
    QuoteContext,
    open_context,
    translate,
)
from markethub.venues.stocks.futu.parse import KTYPES, parse_candlesticks
from markethub.venues.stocks.options import StockOptions
from markethub.venues.stocks.sessions import StockSessions
from markethub.venues.stocks.source import Adjustment, check_interval, closed_part
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.server_clock import ServerClock

T = TypeVar("T")

_REQUESTS_PER_WINDOW: Final = 60
"""In 30 seconds. Source: "Get Historical Candlesticks", "Interface Limitations"."""
_PAGE_ROWS: Final = 1000
_DAY_MS: Final = Interval.D1.width_ms
_WINDOW_MS: Final = MappingProxyType(
    {
        Interval.M1: 7 * _DAY_MS,
        Interval.M5: 35 * _DAY_MS,
        Interval.M15: 90 * _DAY_MS,
        Interval.M30: 180 * _DAY_MS,
        Interval.D1: 10 * 366 * _DAY_MS,
    }
)
"""About three pages of OpenD each: what one call of ours brings."""
_AUTYPES: Final = MappingProxyType({Adjustment.RAW: "None", Adjustment.ADJUSTED: "qfq"})
_LISTED_S: Final = 3600.0

OpenContext = Callable[[str, int, float], QuoteContext]


class FutuKlines:
    """A StockSource. OpenD counts each stock that is asked against the account's own quota of 30 days.

    ``raw`` is without any adjustment (AuType NONE); ``adjusted`` is forward-adjusted (QFQ), by splits and
    dividends up to today. How far back minute bars go depends on the account and is not documented: what
    OpenD does not have is a hole. All calls block, so one thread makes them all.
    """

    def __init__(
        self,
        exchange: Exchange,
        options: StockOptions,
        sessions: StockSessions,
        pool: BudgetPool | None = None,
        *,
        open_quotes: OpenContext = open_context,
    ) -> None:
        self.label: str = f"rest futu {options.adjustment}"
        self._exchange = exchange
        self._options = options
        self._sessions = sessions
        self._delay_ms = int(options.delay_s * 1000)
        self._open_quotes = open_quotes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"futu-{exchange.code}")
        self._quotes: QuoteContext | None = None
        self._closed = False
        self._budget = WeightBudget(
            f"{exchange.code} futu history",
            limit=_REQUESTS_PER_WINDOW,
            max_in_flight=1,
            window_s=FREQUENCY_WINDOW_S,
            pool=pool,
        )
        self._clock = ServerClock(self._ask_time, self._budget.sync)
        self._listed: dict[Symbol, tuple[float, bool]] = {}

    async def klines(self, series: Series, span: Span) -> KlinePage:
        """The first page of ``span``, about three of OpenD's, which are followed by their page_req_key.

        Where the exchange was closed all through the span, nothing is asked.
        """
        interval = series.interval
        self._exchange.check(series.symbol)
        check_interval(self._exchange, interval)
        now_ms = await self._clock.passed_ms(span.end_ms + self._delay_ms)
        closed = closed_part(span, interval, now_ms - self._delay_ms)
        if closed is None:
            return KlinePage(empty_klines(), None)
        await asyncio.to_thread(self._sessions.load)
        asked = span_or_none(interval.ceil(closed.start_ms), closed.end_ms)
        trading = self._sessions.trading(interval, asked) if asked else []
        if not trading:
            return KlinePage(empty_klines(), closed)
        window = Span(trading[0].start_ms, min(closed.end_ms, trading[0].start_ms + _WINDOW_MS[interval]))
        found = await self._ask(series, window)
        rejected = [reject for reject in found.rejected if reject.span.start_ms in window]
        return KlinePage(cut_klines(found.bars, window), Span(closed.start_ms, window.end_ms), rejected)

    async def listed(self, symbol: Symbol) -> bool:
        """Whether OpenD knows the stock, listed or delisted; an answer is kept for an hour."""
        try:
            self._exchange.check(symbol)
        except SymbolNotListedError:
            return False
        asked_s, is_listed = self._listed.get(symbol, (0.0, False))
        if symbol not in self._listed or time.monotonic() - asked_s >= _LISTED_S:
            is_listed = await self._is_listed(symbol)
            self._listed[symbol] = (time.monotonic(), is_listed)
        return is_listed

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:  # noqa: ARG002
        """No wall that is documented."""
        return None

    async def server_time_ms(self) -> int:
        """The time of Futu's servers, in whole seconds."""
        return await self._clock.measure_ms()

    def limits(self) -> list[VenueLimits]:
        return [self._budget.state()]

    async def close(self) -> None:
        await self._clock.close()
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._hang_up)
            self._thread.shutdown(wait=False)

    async def _ask(self, series: Series, window: Span) -> SortedBars:
        subject = f"{self._exchange.code} klines of {series} in {window}"
        frames: list[Any] = []
        key: bytes | None = None
        while True:
            frame, next_key = await self._ask_page(series, window, key, subject)
            frames.append(frame)
            if next_key is None:
                return parse_candlesticks(frames, series, self._exchange.zone, self._sessions, subject)
            if next_key == key:
                raise VenueProtocolError(f"{subject}: the next page is the same one again")
            key = next_key

    async def _ask_page(
        self, series: Series, window: Span, key: bytes | None, subject: str
    ) -> tuple[Any, bytes | None]:
        # Both exchanges open and close within one UTC day, which is their own: dates need no zone.
        start, end = (f"{from_ms(time_ms):%Y-%m-%d}" for time_ms in (window.start_ms, window.end_ms - 1))

        def ask(quotes: QuoteContext) -> tuple[Any, bytes | None]:
            status, rows, next_key = quotes.request_history_kline(
                str(series.symbol),
                start=start,
                end=end,
                ktype=KTYPES[series.interval],
                autype=_AUTYPES[self._options.adjustment],
                max_count=_PAGE_ROWS,
                page_req_key=key,
                extended_time=False,
            )
            if status != RET_OK:
                raise translate(rows, subject)
            return rows, next_key

        return await self._call(ask)

    async def _is_listed(self, symbol: Symbol) -> bool:
        def ask(quotes: QuoteContext) -> bool:
            status, rows = quotes.get_stock_basicinfo(self._exchange.code, "STOCK", [str(symbol)])
            if status != RET_OK:
                raise translate(rows, f"{self._exchange.code} listing of {symbol}")
            return len(rows) > 0

        try:
            return await self._call(ask)
        except SymbolNotListedError:
            return False

    async def _ask_time(self) -> int:
        def ask(quotes: QuoteContext) -> int:
            status, state = quotes.get_global_state()
            if status != RET_OK:
                raise translate(state, f"{self._exchange.code} server time")
            match state:
                case {"timestamp": str() | int() | float() as seconds}:
                    return int(float(seconds)) * 1000
            raise VenueProtocolError(f"{self._exchange.code} server time: {state!r:.200} has no timestamp")

        return await self._call(ask)

    async def _call(self, ask: Callable[[QuoteContext], T]) -> T:
        """Make one call in the thread, when the budget allows it; a refusal for load closes the gate."""
        with await self._budget.acquire(1, self._options.patience_s):
            if self._closed:
                raise VenueUnavailableError(f"{self._exchange.code}: the connection was closed on our side")
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, ask)
            except VenueThrottledError as error:
                self._budget.throttle(error.retry_after_s)
                raise

    def _run(self, ask: Callable[[QuoteContext], T]) -> T:
        if self._quotes is None:
            options = self._options
            self._quotes = self._open_quotes(options.host, options.port, options.request_timeout_s)
        try:
            return ask(self._quotes)
        except OSError as error:
            raise VenueUnavailableError(f"{self._exchange.code} OpenD: {error}") from error

    def _hang_up(self) -> None:
        if self._quotes is not None:
            self._quotes.close()
