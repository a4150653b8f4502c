"""The two candle endpoints: which one to ask, one request at a time."""

from dataclasses import dataclass

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.venues.okx.limits import CANDLES_DEPTH_BARS, PAGE_ROWS
from markethub.venues.okx.names import BARS, join_name
from markethub.venues.okx.parse import Candles, parse_candles
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question

_RECENT_PATH = "/api/v5/market/candles"
_HISTORY_PATH = "/api/v5/market/history-candles"
_PAGE_BYTES = 4 * 1024 * 1024  # a full page is 35 kB

# A question may wait for its turn while the oldest bars fall out of reach.
_DEPTH_MARGIN_BARS = 20


@dataclass(frozen=True, slots=True)
class CandleDoors:
    """Asks for candles. Sources: "Get candlesticks" and "Get candlesticks history" of the OKX API v5 guide.

    The recent endpoint allows twice the requests but forgets: what it shows is there, what it lacks may
    still be in the history.
    """

    recent: VenueCaller
    history: VenueCaller

    async def ask_window(self, series: Series, window: Span, now_ms: int) -> Candles:
        """Rows of a window of at most 300 bars, from the cheaper endpoint that reaches back far enough."""
        depth_ms = (CANDLES_DEPTH_BARS - 1 - _DEPTH_MARGIN_BARS) * series.interval.width_ms
        if window.start_ms >= series.interval.floor(now_ms) - depth_ms:
            return await self._ask(self.recent, _RECENT_PATH, series, window)
        return await self.ask_history(series, window)

    async def ask_history(self, series: Series, window: Span) -> Candles:
        """Rows of a window from the history. Where it holds more than a page, some at its end are missing."""
        return await self._ask(self.history, _HISTORY_PATH, series, window)

    async def newest_before(self, series: Series, end_ms: int) -> int | None:
        """Open time of the last bar before ``end_ms`` in the history; None when there is none at all."""
        subject = f"newest candle of {series} before {end_ms}"
        question = Question(
            path=_HISTORY_PATH,
            params={
                "instId": join_name(series.symbol),
                "bar": BARS[series.interval],
                "after": end_ms,  # exclusive: strictly older than this
                "limit": 1,
            },
            weight=1,
            subject=subject,
            max_bytes=_PAGE_BYTES,
        )
        body = await self.history.ask(question)
        return parse_candles(body, series.interval, Span(0, end_ms), f"OKX {subject}").first_ms

    async def _ask(self, caller: VenueCaller, path: str, series: Series, window: Span) -> Candles:
        subject = f"candles of {series} in {window}"
        question = Question(
            path=path,
            params={
                "instId": join_name(series.symbol),
                "bar": BARS[series.interval],
                # Both are exclusive: newer than `before`, older than `after`.
                "before": window.start_ms - 1,
                "after": window.end_ms,
                "limit": PAGE_ROWS,
            },
            weight=1,
            subject=subject,
            max_bytes=_PAGE_BYTES,
        )
        body = await caller.ask(question)
        return parse_candles(body, series.interval, window, f"OKX {subject}")


def first_window(span: Span, interval: Interval) -> Span:
    """The start of ``span`` that fits on one page."""
    return Span(span.start_ms, min(span.end_ms, span.start_ms + PAGE_ROWS * interval.width_ms))
