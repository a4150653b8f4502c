"""What every venue shows besides bars: the last day in numbers, and a book around the last price.

Both follow from the bars, so that a ticker, a book and the bars of one moment never contradict each other.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from markethub.domain.span import Span
from markethub.sandbox.bars import CLOSE, HIGH, LOW, OPEN, QUOTE, TRADES, VOLUME, Bars, Integers, join_bars
from markethub.sandbox.intervals import DAY_MS
from markethub.sandbox.listings import Listing
from markethub.sandbox.market import Market
from markethub.sandbox.synthetic import MINUTE_MS, seed_of

DEEPEST: Final = 5_000
"""Levels a side at most; a low price may leave room for fewer bids."""

_SECOND_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class DayStats:
    """The 24 hours that end now, in units of 10^-8 but for ``trades``; the newest minute is not over.

    ``opens`` are the prices at midnight UTC and at midnight UTC+8 (16:00 UTC), in this order: the last price
    before there was one.
    """

    open_e8: int
    high_e8: int
    low_e8: int
    last_e8: int
    volume_e8: int
    quote_e8: int
    trades: int
    opens: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """Levels a side, best first: one row of prices and one of sizes, in units of 10^-8.

    ``sequence`` grows with each state of the book; there is one a second, since ``updated_ms``.
    """

    bids: Integers
    asks: Integers
    sequence: int
    updated_ms: int


class Quotes:
    """Tickers and books of one venue's market at any time; not thread-safe."""

    def __init__(self, market: Market, seed: int) -> None:
        self._market = market
        self._seed = seed
        self._closed: dict[str, tuple[int, Bars]] = {}

    def day(self, listing: Listing, now_ms: int) -> DayStats | None:
        """None for a pair that does not trade now."""
        if not _trades(listing, now_ms):
            return None
        bars = join_bars([self._past_day(listing, now_ms), self._market.open_bar(listing, "1m", now_ms)])
        columns = bars.columns
        midnight_ms = now_ms // DAY_MS * DAY_MS
        asian_ms = (now_ms + DAY_MS // 3) // DAY_MS * DAY_MS - DAY_MS // 3
        return DayStats(
            open_e8=int(columns[OPEN, 0]),
            high_e8=int(columns[HIGH].max()),
            low_e8=int(columns[LOW].min()),
            last_e8=int(columns[CLOSE, -1]),
            volume_e8=int(columns[VOLUME].sum()),
            quote_e8=int(columns[QUOTE].sum()),
            trades=int(columns[TRADES].sum()),
            opens=(_price_at(bars, midnight_ms), _price_at(bars, asian_ms)),
        )

    def book(self, listing: Listing, now_ms: int, depth: int) -> Book | None:
        """At most ``depth`` levels a side; None for a pair that does not trade now."""
        if not _trades(listing, now_ms):
            return None
        second = now_ms // _SECOND_MS
        last = int(self._market.open_bar(listing, "1m", now_ms).columns[CLOSE, -1]) // listing.tick_e8
        dice = np.random.default_rng([self._seed, seed_of(self._seed, listing), second])
        # Always drawn whole: a shallow book is the top of a deep one.
        gaps = dice.integers(1, 4, size=(2, DEEPEST)).cumsum(axis=1)
        lots = dice.geometric(0.02, size=(2, DEEPEST))
        # The last trade met either side of the book.
        best_bid = last - int(dice.integers(0, 2))
        bids = best_bid + gaps[0, 0] - gaps[0]
        asks = best_bid + gaps[1]
        return Book(
            bids=_levels(bids, lots[0], listing, depth),
            asks=_levels(asks, lots[1], listing, depth),
            sequence=second,
            updated_ms=second * _SECOND_MS,
        )

    def _past_day(self, listing: Listing, now_ms: int) -> Bars:
        """The finished minutes of the last day; the same for a whole minute, so they are kept that long."""
        minute_ms = now_ms // MINUTE_MS * MINUTE_MS
        known_ms, bars = self._closed.get(listing.root, (-1, None))
        if bars is None or known_ms != minute_ms:
            bars = self._market.bars(listing, "1m", Span(minute_ms - DAY_MS, minute_ms))
            self._closed[listing.root] = (minute_ms, bars)
        return bars


def _trades(listing: Listing, now_ms: int) -> bool:
    return listing.listed_ms <= now_ms and (listing.delisted_ms is None or now_ms < listing.delisted_ms)


def _price_at(bars: Bars, time_ms: int) -> int:
    """The open price of the first bar from ``time_ms`` on."""
    at = min(int(bars.open_ms.searchsorted(time_ms)), len(bars) - 1)
    return int(bars.columns[OPEN, at])


def _levels(ticks: Integers, lots: Integers, listing: Listing, depth: int) -> Integers:
    kept = ticks > 0
    rows = np.stack([ticks[kept] * listing.tick_e8, lots[kept] * listing.lot_e8])
    levels: Integers = rows[:, :depth].astype(np.int64)
    return levels
