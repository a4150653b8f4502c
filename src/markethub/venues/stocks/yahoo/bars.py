"""Charts as bars of our schema; pure."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import format_time
from markethub.tables.klines import KLINES, SortedBars, open_times_ms
from markethub.tables.rejects import Reject
from markethub.venues.stocks.sessions import Integers, StockSessions
from markethub.venues.stocks.source import Adjustment, sort_out_session_bars
from markethub.venues.stocks.yahoo.adjust import (
    check_same_scale,
    check_splits,
    split_factors,
    to_adjusted,
    to_raw,
)
from markethub.venues.stocks.yahoo.parse import CLOSE, FIELDS, Chart, Floats

_DAY_MS: Final = Interval.D1.width_ms
_AUCTION_MS: Final = 15 * 60_000
"""The closing auction (until 16:10 in Hong Kong) and a last row at the close itself come as bars of no
session; the daily bar has what traded in them."""


class DailyScale:
    """What turns Yahoo's prices into those wanted, for the sessions of one daily chart that ends today."""

    def __init__(self, chart: Chart, zone: str, adjustment: Adjustment, source: str) -> None:
        """VenueProtocolError where the chart contradicts itself."""
        self._adjustment = adjustment
        self._source = source
        dates = session_dates_ms(chart.times_s, zone)
        if len(dates) > 1 and dates[-1] == dates[-2]:
            # The last session may come twice, as the day and as its live state, which is the fuller one.
            kept = np.arange(len(dates)) != len(dates) - 2
            chart, dates = chart.take(kept), dates[kept]
        self.chart = chart
        self.dates_ms = dates
        split_dates = session_dates_ms(np.array([split.time_s for split in chart.splits], np.int64), zone)
        self._splits = [
            (int(date_ms), split.ratio) for date_ms, split in zip(split_dates, chart.splits, strict=True)
        ]
        with np.errstate(all="ignore"):  # absurd numbers are refused or set apart, not warned about
            check_splits(dates, chart.values[CLOSE], self._splits, source)

    def apply(self, dates_ms: Integers, values: Floats) -> Floats:
        """The values of bars of these sessions; NaN prices where the session's adjusted close is missing."""
        with np.errstate(all="ignore"):
            return self._apply(dates_ms, values)

    def _apply(self, dates_ms: Integers, values: Floats) -> Floats:
        if self._adjustment is Adjustment.RAW:
            return to_raw(values, split_factors(dates_ms, self._splits))
        ratios = np.full(len(dates_ms), np.nan)
        if len(self.dates_ms):
            at = np.minimum(self.dates_ms.searchsorted(dates_ms), len(self.dates_ms) - 1)
            closes = self.chart.values[CLOSE]
            of_day = np.divide(
                self.chart.adjclose, closes, out=np.full(len(closes), np.nan), where=closes > 0
            )
            ratios = np.where(self.dates_ms[at] == dates_ms, of_day[at], np.nan)
        return to_adjusted(values, ratios)

    def check(self, dates_ms: Integers, closes: Floats) -> None:
        """Refuse minute bars that are on another scale than the daily ones."""
        with np.errstate(all="ignore"):
            check_same_scale(dates_ms, closes, self.dates_ms, self.chart.values[CLOSE], self._source)


def session_dates_ms(times_s: Integers, zone: str) -> Integers:
    """The dates of instants on the exchange's own calendar, as midnights UTC."""
    place = ZoneInfo(zone)
    days = [datetime.fromtimestamp(time_s, place).toordinal() for time_s in times_s.tolist()]
    epoch = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001 - only its number is wanted
    return (np.array(days, dtype=np.int64) - epoch) * _DAY_MS


def daily_bars(
    scale: DailyScale, series: Series, window: Span, sessions: StockSessions, source: str
) -> SortedBars:
    """The bars of ``window`` out of a daily chart; days of nulls are left out."""
    dates = scale.dates_ms
    wanted = (dates >= window.start_ms) & (dates < window.end_ms) & _is_told(scale.chart)
    chart, dates = scale.chart.take(wanted), dates[wanted]
    table = _tabulate(dates, scale.apply(dates, chart.values))
    return sort_out_session_bars(table, series, sessions, source, _quoter(chart))


def minute_bars(
    chart: Chart, scale: DailyScale, series: Series, window: Span, *, sessions: StockSessions, source: str
) -> SortedBars:
    """The bars of ``window`` out of a chart of minutes; a halt's nulls and the live row are left out."""
    asked = Series(series.symbol, Interval.M15) if series.interval is Interval.M30 else series
    opens = chart.times_s * 1000
    wanted = (opens >= window.start_ms) & (opens < window.end_ms) & _is_told(chart)
    if len(opens) and opens[-1] % asked.interval.width_ms:
        wanted[-1] = False  # the price of this moment, dated to the second
    wanted &= ~_is_auction(opens, asked.interval, sessions)
    chart, opens = chart.take(wanted), opens[wanted]
    # Both exchanges open and close within one UTC day, which is their own.
    dates = opens // _DAY_MS * _DAY_MS
    scale.check(dates, chart.values[CLOSE])
    table = _tabulate(opens, scale.apply(dates, chart.values))
    kept = sort_out_session_bars(table, asked, sessions, source, _quoter(chart))
    return kept if asked is series else widen(kept, series.interval)


def widen(kept: SortedBars, interval: Interval) -> SortedBars:
    """Bars of a multiple of the width; one that would hold a rejected bar is rejected with it."""
    width_ms = interval.width_ms
    spoilt = {reject.span.start_ms // width_ms * width_ms: reject for reject in kept.rejected}
    groups = open_times_ms(kept.bars).to_numpy() // width_ms * width_ms
    opens, first = np.unique(groups, return_index=True)
    last = np.append(first[1:], len(groups)) - 1
    columns = {name: kept.bars.column(name).to_numpy() for name in FIELDS}
    values = np.stack(
        [
            columns["open"][first],
            np.maximum.reduceat(columns["high"], first),
            np.minimum.reduceat(columns["low"], first),
            columns["close"][last],
            np.add.reduceat(columns["volume"], first),
        ]
        if len(groups)
        else [np.empty(0)] * len(FIELDS)
    )
    is_whole = ~np.isin(opens, np.array(list(spoilt), np.int64))
    rejected = tuple(
        Reject(format_time(at_ms), Span(at_ms, at_ms + width_ms), reject.reason, reject.payload)
        for at_ms, reject in spoilt.items()
    )
    return kept._replace(bars=_tabulate(opens[is_whole], values[:, is_whole]), rejected=rejected)


def _is_told(chart: Chart) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which bars have any price: halts and holidays are rows of nulls."""
    told = np.isfinite(chart.values[: CLOSE + 1]).any(axis=0)
    return np.asarray(told, dtype=np.bool_)


def _is_auction(
    opens: Integers, interval: Interval, sessions: StockSessions
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return ~sessions.has_bars(interval, opens) & sessions.has_bars(interval, opens - _AUCTION_MS)


def _quoter(chart: Chart) -> Callable[[int], str]:
    def quote(position: int) -> str:
        row = [int(chart.times_s[position]), *chart.values[:, position].tolist()]
        return orjson.dumps([*row, float(chart.adjclose[position])]).decode()

    return quote


def _tabulate(opens_ms: Integers, values: Floats) -> pa.Table:
    columns = {"open_time": pa.array(opens_ms, pa.int64()).cast(KLINES.field("open_time").type)}
    columns |= {name: pa.array(values[at], pa.float64()) for at, name in enumerate(FIELDS)}
    # Yahoo tells neither turnover nor trades.
    return pa.Table.from_arrays(
        [columns.get(field.name, pa.nulls(len(opens_ms), field.type)) for field in KLINES], schema=KLINES
    )
