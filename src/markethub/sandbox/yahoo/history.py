"""What each stock did, as Yahoo would show it at a given moment: recorded days, made-up ones after them.

Yahoo's prices are divided by the splits known at that moment. Recorded prices are as they were traded, so
they are divided here; made-up ones are in the shares after all splits, so those still to come are undone.
"""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from markethub.domain.span import Span
from markethub.sandbox.bars import CLOSE, E8, OPEN, VOLUME, Bars, aggregate, join_bars, no_bars
from markethub.sandbox.synthetic import MINUTE_MS, minute_bars, seed_of
from markethub.sandbox.yahoo.recorded import ADJUSTED_UP_TO, RecordedDays, recorded_days
from markethub.sandbox.yahoo.stocks import Split, Stock
from markethub.sandbox.yahoo.trading_days import NEW_YORK, TradingDay, trading_days

Floats = NDArray[np.float64]

_FIELDS: Final = 5
_THIN_EVERY: Final = 10


class Rows(NamedTuple):
    """Rows of a chart: times in Unix seconds; open, high, low, close and volume by row (NaN for a null)."""

    times_s: list[int]
    values: Floats
    adj_close: Floats


def no_rows() -> Rows:
    return Rows([], np.empty((_FIELDS, 0)), np.empty(0))


def splits_known(stock: Stock, now_ms: int) -> list[tuple[int, Split]]:
    """The splits up to a moment, each with the instant its session opens."""
    zone = ZoneInfo(stock.place.zone)
    dated = [
        (int(datetime.combine(split.date, stock.place.open, zone).timestamp()) * 1000, split)
        for split in stock.splits
    ]
    return [(open_ms, split) for open_ms, split in dated if open_ms <= now_ms]


class StockHistory:
    """Answers for any stock and span."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def first_ms(self, stock: Stock) -> int:
        """When the first bar of the stock opens."""
        recorded = recorded_days().get(stock.ticker)
        first = recorded.dates[0] if recorded else stock.first_date
        zone = ZoneInfo(stock.place.zone)
        return int(datetime.combine(first, stock.place.open, zone).timestamp()) * 1000

    def days(self, stock: Stock, span: Span, now_ms: int) -> Rows:
        """The sessions that opened in ``span``, up to ``now_ms``; the last one may be under way.

        A session under way comes as Yahoo's live row, dated to this second.
        """
        real = self._recorded_days(stock, span, now_ms)
        first_ms = int(datetime.combine(stock.first_date, time()).timestamp()) * 1000
        times: list[int] = []
        parts: list[Bars] = []
        open_span = Span(max(span.start_ms, first_ms), max(span.end_ms, first_ms + 1))
        for session in trading_days(stock.place, open_span):
            if session.date < stock.first_date or session.open_ms not in span or session.open_ms > now_ms:
                continue
            is_live = now_ms < session.close_ms
            times.append((now_ms if is_live else session.open_ms) // 1000)
            parts.append(self._live_day(stock, session, now_ms) if is_live else self._day(stock, session))
        made_up = _print(join_bars(parts), stock, now_ms)
        return Rows(
            real.times_s + times,
            np.concatenate([real.values, made_up], axis=1),
            np.concatenate([real.adj_close, made_up[3]]),
        )

    def minutes(self, stock: Stock, span: Span, width_ms: int, now_ms: int) -> Rows:
        """Bars of ``width_ms`` that opened in ``span``, up to ``now_ms``; the last one may be a live row."""
        closed_ms = now_ms // width_ms * width_ms
        parts = [
            aggregate(_session_minutes(self._seed, stock, session, closed_ms), width_ms).cut(
                span.start_ms, span.end_ms
            )
            for session in trading_days(stock.place, span)
            if session.date >= stock.first_date
        ]
        bars = join_bars(parts)
        values = _print(bars, stock, now_ms)
        times = (bars.open_ms // 1000).tolist()
        if stock.is_thin:
            values[:, bars.open_ms // width_ms % _THIN_EVERY == 0] = np.nan
        if times and now_ms in span and any(now_ms in run for run in self._runs(stock, now_ms)):
            # The price of this second, as one more row.
            last = values[CLOSE - OPEN, -1]
            times.append(now_ms // 1000)
            values = np.concatenate([values, np.array([[last], [last], [last], [last], [0.0]])], axis=1)
        return Rows(times, values, np.full(len(times), np.nan))

    def _runs(self, stock: Stock, now_ms: int) -> Sequence[Span]:
        sessions = trading_days(stock.place, Span(now_ms, now_ms + 1))
        return sessions[0].runs if sessions else ()

    def _recorded_days(self, stock: Stock, span: Span, now_ms: int) -> Rows:
        recorded = recorded_days().get(stock.ticker)
        if recorded is None:
            return no_rows()
        zone = ZoneInfo(NEW_YORK.zone)
        opens = [int(datetime.combine(day, NEW_YORK.open, zone).timestamp()) for day in recorded.dates]
        low, high = np.array(opens).searchsorted([span.start_ms / 1000, min(span.end_ms, now_ms) / 1000])
        part = RecordedDays(
            recorded.dates[low:high], recorded.values[:, low:high], recorded.adj_close[low:high]
        )
        known = [split for _, split in splits_known(stock, now_ms)]
        factors = _factors(part.dates, known)
        told = int(np.array(opens).searchsorted(now_ms / 1000, side="right"))
        dividends = np.minimum(_dividends(stock, told, now_ms)[low:high], 1.0)
        values = part.values / factors
        values[4] = part.values[4] * factors
        return Rows(opens[low:high], values, values[3] * dividends)

    def _day(self, stock: Stock, session: TradingDay) -> Bars:
        days = _made_up_year(self._seed, stock, session.date.year)
        return days.cut(session.open_ms, session.open_ms + 1)

    def _live_day(self, stock: Stock, session: TradingDay, now_ms: int) -> Bars:
        until_ms = max(now_ms, session.open_ms + MINUTE_MS)
        return _sum_up(_session_minutes(self._seed, stock, session, until_ms), session)


def _dividends(stock: Stock, told: int, now_ms: int) -> Floats:
    """What the dividends between each recorded session and the last of the first ``told`` leave of its
    prices.

    That is what the file's adjusted closes have beside splits. They know of dividends up to ADJUSTED_UP_TO as
    well; when those after the last recorded session were paid is not recorded: all of them on that day.
    """
    recorded = recorded_days()[stock.ticker]
    embedded = _factors(recorded.dates, [one for one in stock.splits if one.date <= ADJUSTED_UP_TO])
    left: Floats = recorded.adj_close * embedded / recorded.values[3]
    up_to_ms = int(datetime.combine(ADJUSTED_UP_TO, time(), UTC).timestamp()) * 1000
    return left if now_ms >= up_to_ms or told == 0 else left / left[told - 1]


@lru_cache(maxsize=512)
def _made_up_year(seed: int, stock: Stock, year: int) -> Bars:
    """Every session of a year as one bar each; kept, as a year is made of a hundred thousand minutes."""
    start, end = (int(datetime(at, 1, 1, tzinfo=UTC).timestamp()) * 1000 for at in (year, year + 1))
    return join_bars(
        _sum_up(_session_minutes(seed, stock, session, session.close_ms), session)
        for session in trading_days(stock.place, Span(start, end))
        if session.date >= stock.first_date
    )


def _session_minutes(seed: int, stock: Stock, session: TradingDay, until_ms: int) -> Bars:
    """The minutes of a session that are over at ``until_ms``."""
    own_seed = seed_of(seed, stock.listing)
    parts: list[Bars] = []
    for run in session.runs:
        count = (min(run.end_ms, until_ms) - run.start_ms) // MINUTE_MS
        if count > 0:
            parts.append(minute_bars(own_seed, stock.listing, run.start_ms // MINUTE_MS, count))
    return join_bars(parts)


def _factors(dates: Sequence[date], splits: Sequence[Split]) -> Floats:
    """For each date the product of the ratios of all later splits."""
    factors = np.ones(len(dates))
    for split in splits:
        factors[np.array([day < split.date for day in dates], dtype=bool)] *= split.ratio
    return factors


def _sum_up(minutes: Bars, session: TradingDay) -> Bars:
    """The whole session as one bar, at the time it opens."""
    if not len(minutes):
        return no_bars()
    shifted = minutes.columns.copy()
    shifted[0] = 0
    day = aggregate(Bars(shifted), 86_400_000).columns.copy()
    day[0] = session.open_ms
    return Bars(day)


def _print(bars: Bars, stock: Stock, now_ms: int) -> Floats:
    """Open, high, low, close and volume as numbers, in the shares of this moment."""
    values = bars.columns[[*range(OPEN, CLOSE + 1), VOLUME]].astype(np.float64) / E8
    known = {split for _, split in splits_known(stock, now_ms)}
    to_come = math.prod(split.ratio for split in stock.splits if split not in known)
    values[:-1] *= to_come
    values[-1] /= to_come
    return values
