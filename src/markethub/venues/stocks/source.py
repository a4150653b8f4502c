"""What each way to get stocks' bars offers, and what they share."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

import numpy as np
import pyarrow as pa

from markethub.domain.errors import VenueRefusedError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series
from markethub.domain.times import format_time
from markethub.ports.venue import KlineSource, VenueLimits
from markethub.tables.klines import SortedBars, open_times_ms, sort_out_klines
from markethub.tables.rejects import Reject
from markethub.venues.stocks.exchanges import INTERVALS, Exchange
from markethub.venues.stocks.sessions import StockSessions


class Adjustment(StrEnum):
    """What a price means after a split or a dividend.

    ``raw``: what was paid on the day, in the shares of the day. ``adjusted``: earlier prices scaled by every
    later split and dividend, so that returns are right; each new one changes all the prices before it, so an
    adjusted series is as of the day it was fetched.
    """

    RAW = "raw"
    ADJUSTED = "adjusted"


class StockSource(KlineSource, Protocol):
    """A KlineSource with its own clock, budgets and connections."""

    async def server_time_ms(self) -> int:
        """The source's clock."""

    def limits(self) -> Sequence[VenueLimits]:
        """Every budget's present state; no I/O."""

    async def close(self) -> None:
        """Close connections; safe to call twice."""


def check_interval(exchange: Exchange, interval: Interval) -> None:
    """Raise VenueRefusedError for a width whose bars would not open on the grid of UTC hours."""
    if interval not in INTERVALS:
        raise VenueRefusedError(
            f"{exchange.code} has no {interval} bars: sessions begin at half past the hour; "
            f"there are {', '.join(INTERVALS)}"
        )


def closed_part(span: Span, interval: Interval, done_ms: int) -> Span | None:
    """What of ``span`` lies before the first bar that is not final when bars are final up to ``done_ms``."""
    return span_or_none(span.start_ms, min(span.end_ms, interval.floor(done_ms)))


def sort_out_session_bars(
    bars: pa.Table,
    series: Series,
    sessions: StockSessions,
    source: str,
    payload: Callable[[int], str],
) -> SortedBars:
    """Part the bars that may be stored from those whose numbers make no sense or that open outside sessions.

    A bar without volume outside the sessions is a filler and left out without a word. Errors as in
    ``sort_out_klines``.
    """
    interval = series.interval
    opens = open_times_ms(bars).to_numpy()
    is_inside = sessions.has_bars(interval, opens)
    is_traded = np.nan_to_num(bars.column("volume").to_numpy(), nan=1.0) > 0
    positions = np.flatnonzero(is_inside)
    kept = sort_out_klines(
        bars if len(positions) == len(bars) else bars.take(pa.array(positions)),
        interval,
        source,
        lambda position: payload(int(positions[position])),
    )
    outside = [
        Reject(
            format_time(int(opens[at])),
            Span(int(opens[at]), int(opens[at]) + interval.width_ms),
            "outside the sessions of the exchange",
            payload(int(at)),
        )
        for at in np.flatnonzero(~is_inside & is_traded)
    ]
    return kept._replace(rejected=(*kept.rejected, *outside))
