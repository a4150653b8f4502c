"""Klines over Yahoo's chart endpoint, which is public but documented nowhere."""

import asyncio
import time
from collections import OrderedDict
from typing import Final

from markethub.domain.errors import SymbolNotListedError, VenueRefusedError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time
from markethub.ports.budget import BudgetPool
from markethub.ports.venue import KlinePage, VenueLimits
from markethub.tables.klines import SortedBars, empty_klines
from markethub.venues.stocks.exchanges import US, Exchange
from markethub.venues.stocks.options import StockOptions
from markethub.venues.stocks.sessions import StockSessions
from markethub.venues.stocks.source import Adjustment, check_interval, closed_part
from markethub.venues.stocks.yahoo.bars import DailyScale, daily_bars, minute_bars
from markethub.venues.stocks.yahoo.errors import fault_table
from markethub.venues.stocks.yahoo.limits import (
    ASKED,
    CHART_PATH,
    CLOCK_GUARD_S,
    DEPTH_MARGIN_MS,
    DEPTH_MS,
    PAGE_BYTES,
    PAGE_MS,
    READER_MARGIN_MS,
    WINDOW_S,
)
from markethub.venues.stocks.yahoo.names import join_name
from markethub.venues.stocks.yahoo.parse import Asked, Chart, parse_chart
from markethub.venues.stocks.yahoo.session import YahooSession
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.caller import RetryPolicy, VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.session import Timeouts

_CONNECT_S: Final = 10.0
_LISTED_S: Final = 3600.0
_LISTED_SYMBOLS: Final = 10_000
_DAY_MS: Final = Interval.D1.width_ms


class YahooKlines:
    """A StockSource. Every answer is scaled by a daily chart that reaches to today, asked at the same time:
    whatever is split later than a bar must be known to tell what the bar was."""

    def __init__(
        self,
        exchange: Exchange,
        options: StockOptions,
        sessions: StockSessions,
        pool: BudgetPool | None = None,
    ) -> None:
        self.label: str = f"rest yahoo {options.adjustment}"
        self._exchange = exchange
        self._adjustment: Adjustment = options.adjustment
        self._sessions = sessions
        self._delay_ms = int(options.delay_s * 1000)
        self._budget = WeightBudget(
            f"{exchange.code} yahoo chart",
            limit=options.requests_per_10_s,
            max_in_flight=options.connections,
            window_s=WINDOW_S,
            pool=pool,
            guard_s=CLOCK_GUARD_S,
        )
        connect_s = min(_CONNECT_S, options.request_timeout_s)
        self._session = YahooSession(
            exchange.code,
            options.base_url,
            Timeouts(connect_s, options.request_timeout_s, options.request_timeout_s),
            options.user_agent,
        )
        policy = RetryPolicy(quick_retries=options.quick_retries, patience_s=options.patience_s)
        self._caller = VenueCaller(self._session, self._budget, fault_table(exchange.code), policy)
        self._clock = ServerClock(self._ask_time, self._budget.sync)
        self._listed: OrderedDict[Symbol, tuple[float, bool]] = OrderedDict()

    async def klines(self, series: Series, span: Span) -> KlinePage:
        """The first page of ``span``; daily bars come all at once, minute bars a week or two months a page.

        Where the exchange was closed all through the span, nothing is asked. VenueRefusedError for widths of
        an hour and more, and where the span begins further back than Yahoo answers; the message says from
        when on. A bar of a session that Yahoo does not have is a hole that the venue has.
        """
        interval = series.interval
        ticker = join_name(self._exchange, series.symbol)
        check_interval(self._exchange, interval)
        now_ms = await self._clock.passed_ms(span.end_ms + self._delay_ms)
        closed = closed_part(span, interval, now_ms - self._delay_ms)
        if closed is None:
            return KlinePage(empty_klines(), None)
        await self._load_sessions()
        asked = span_or_none(interval.ceil(closed.start_ms), closed.end_ms)
        trading = self._sessions.trading(interval, asked) if asked else []
        if not trading:
            return KlinePage(empty_klines(), closed)
        start_ms = trading[0].start_ms
        self._check_depth(series, start_ms, now_ms)
        window = Span(start_ms, min(closed.end_ms, start_ms + PAGE_MS.get(interval, closed.width_ms)))
        found = await self._ask_bars(ticker, series, window, now_ms)
        return KlinePage(found.bars, Span(closed.start_ms, window.end_ms), found.rejected)

    async def listed(self, symbol: Symbol) -> bool:
        """Whether Yahoo has a chart of the symbol; an answer is kept for an hour."""
        try:
            ticker = join_name(self._exchange, symbol)
        except SymbolNotListedError:
            return False
        asked_s, is_listed = self._listed.get(symbol, (0.0, False))
        if symbol not in self._listed or time.monotonic() - asked_s >= _LISTED_S:
            is_listed = await self._is_listed(ticker)
            self._listed[symbol] = (time.monotonic(), is_listed)
            self._listed.move_to_end(symbol)
            while len(self._listed) > _LISTED_SYMBOLS:
                self._listed.popitem(last=False)
        return is_listed

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:
        """30 days back for 1m, 60 for other minutes, without end for days."""
        first_ms = _first_answered_ms(interval, now_ms)
        return None if first_ms is None else interval.ceil(first_ms + READER_MARGIN_MS)

    async def server_time_ms(self) -> int:
        """The ``Date`` of an answer that was asked for now, in whole seconds."""
        return await self._clock.measure_ms()

    def limits(self) -> list[VenueLimits]:
        return [self._budget.state()]

    async def close(self) -> None:
        await self._clock.close()
        await self._session.close()

    def _check_depth(self, series: Series, start_ms: int, now_ms: int) -> None:
        first_ms = _first_answered_ms(series.interval, now_ms)
        if first_ms is not None and start_ms < first_ms:
            days = DEPTH_MS[series.interval] // _DAY_MS
            reach_ms = series.interval.ceil(first_ms + READER_MARGIN_MS)
            raise VenueRefusedError(
                f"{self._exchange.code} klines of {series} from {format_time(start_ms)}: Yahoo answers only "
                f"for the last {days} days; {series.interval} bars can be had from {format_time(reach_ms)} on"
            )

    async def _ask_bars(self, ticker: str, series: Series, window: Span, now_ms: int) -> SortedBars:
        source = f"{self._exchange.code} klines of {series} in {window}"
        if series.interval is Interval.D1:
            # A day early: the session's date begins before midnight UTC in Hong Kong.
            daily = Span(window.start_ms - _DAY_MS, now_ms + _DAY_MS)
            scale = self._scale(await self._ask(ticker, Interval.D1, daily), source)
            return daily_bars(scale, series, window, self._sessions, source)
        chart = await self._ask(ticker, ASKED[series.interval], window)
        # Asked after the minutes: then no split they know of can be missing in it.
        daily = Span(window.start_ms - 2 * _DAY_MS, now_ms + _DAY_MS)
        scale = self._scale(await self._ask(ticker, Interval.D1, daily), source)
        return minute_bars(chart, scale, series, window, sessions=self._sessions, source=source)

    def _scale(self, chart: Chart, source: str) -> DailyScale:
        return DailyScale(chart, self._exchange.zone, self._adjustment, source)

    async def _ask(self, ticker: str, interval: Interval, span: Span) -> Chart:
        subject = f"{interval} chart of {ticker} in {span}"
        body = await self._caller.ask(
            Question(
                path=f"{CHART_PATH}/{ticker}",
                params={
                    # In seconds; bars that open at period1 are in, those at period2 are not.
                    "period1": -(-span.start_ms // 1000),
                    "period2": -(-span.end_ms // 1000),
                    "interval": interval.value,
                    "events": "split",
                    "includePrePost": "false",
                },
                weight=1,
                subject=subject,
                max_bytes=PAGE_BYTES,
            )
        )
        asked = Asked(ticker, interval.value, self._exchange.zone)
        return parse_chart(body, asked, f"{self._exchange.code} {subject}")

    async def _is_listed(self, ticker: str) -> bool:
        now_ms = await self._clock.passed_ms(0)
        try:
            await self._ask(ticker, Interval.D1, Span(now_ms - 10 * _DAY_MS, now_ms))
        except SymbolNotListedError:
            return False
        return True

    async def _ask_time(self) -> int:
        # There is no endpoint for the time; a stock that is always there is the smallest question.
        ticker = "SPY" if self._exchange is US else "2800.HK"
        question = Question(
            path=f"{CHART_PATH}/{ticker}",
            params={"range": "1d", "interval": "1d"},
            weight=1,
            subject="server time",
            max_bytes=PAGE_BYTES,
        )
        await self._caller.ask(question)
        return self._session.date_ms()

    async def _load_sessions(self) -> None:
        await asyncio.to_thread(self._sessions.load)


def _first_answered_ms(interval: Interval, now_ms: int) -> int | None:
    depth_ms = DEPTH_MS.get(interval)
    return None if depth_ms is None else now_ms - depth_ms + DEPTH_MARGIN_MS
