"""Bars as whole numbers: exact, fast to add up, and printable without rounding."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

E8: Final = 100_000_000
"""Prices and amounts are counted in units of 10^-8, the eight decimals that Binance prints."""

OPEN_MS, OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE, TRADES, TAKER, TAKER_QUOTE = range(10)
_SUMMED: Final = [VOLUME, QUOTE, TRADES, TAKER, TAKER_QUOTE]


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """``columns`` is 10 x n int64, one row per field above, ascending by open time, no time twice.

    Open times are Unix ms, trades a count, everything else units of 10^-8 of the base or quote currency.
    """

    columns: Integers

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    @property
    def open_ms(self) -> Integers:
        times: Integers = self.columns[OPEN_MS]
        return times

    def cut(self, start_ms: int, end_ms: int) -> "Bars":
        """The bars that open in ``[start_ms, end_ms)``; a view, not a copy."""
        low, high = self.open_ms.searchsorted([start_ms, end_ms])
        return Bars(self.columns[:, low:high])


def no_bars() -> Bars:
    return Bars(np.empty((10, 0), dtype=np.int64))


def join_bars(parts: Iterable[Bars]) -> Bars:
    """One run of bars out of parts that are in order and apart."""
    kept = [part.columns for part in parts if len(part)]
    if not kept:
        return no_bars()
    return Bars(kept[0] if len(kept) == 1 else np.concatenate(kept, axis=1))


def aggregate(bars: Bars, width_ms: int) -> Bars:
    """The bars of a coarser, epoch-aligned grid; a coarse bar exists where at least one finer one does."""
    if not len(bars):
        return bars
    opens = bars.open_ms // width_ms * width_ms
    starts = np.flatnonzero(np.concatenate(([True], opens[1:] != opens[:-1])))
    ends = np.concatenate((starts[1:], [len(bars)])) - 1
    coarse = np.empty((10, len(starts)), dtype=np.int64)
    coarse[OPEN_MS] = opens[starts]
    coarse[OPEN] = bars.columns[OPEN, starts]
    coarse[CLOSE] = bars.columns[CLOSE, ends]
    coarse[HIGH] = np.maximum.reduceat(bars.columns[HIGH], starts)
    coarse[LOW] = np.minimum.reduceat(bars.columns[LOW], starts)
    coarse[_SUMMED] = np.add.reduceat(bars.columns[_SUMMED], starts, axis=1)
    return Bars(coarse)


def grow(bar: Bars, fraction: float, tick_e8: int, lot_e8: int) -> Bars:
    """What a single bar looks like when ``fraction`` of its time has passed, in whole steps.

    High, low and sums only ever widen as the fraction grows, and at 1 the bar is the finished one.
    """
    final = bar.columns
    opened, closes = final[OPEN], final[CLOSE]
    close = opened + np.sign(closes - opened) * _part(np.abs(closes - opened), fraction, tick_e8)
    above = _part(final[HIGH] - np.maximum(opened, closes), fraction, tick_e8)
    below = _part(np.minimum(opened, closes) - final[LOW], fraction, tick_e8)
    grown = final.copy()
    grown[CLOSE] = close
    grown[HIGH] = np.maximum(opened, close) + above
    grown[LOW] = np.minimum(opened, close) - below
    for field, step in ((VOLUME, lot_e8), (TAKER, lot_e8), (QUOTE, 1), (TAKER_QUOTE, 1), (TRADES, 1)):
        grown[field] = _part(final[field], fraction, step)
    return Bars(grown)


def _part(amount: Integers, fraction: float, step: int) -> Integers:
    return np.floor(amount / step * fraction).astype(np.int64) * step
