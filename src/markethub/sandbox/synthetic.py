"""Made-up bars: any minute of any pair, at once, always the same.

The price at a minute's edge is a sum of noise on nested lattices (1, 4, 16 ... 4^10 minutes, about two
years), so it wanders like a price on every scale, yet needs no walk from the start: a lattice point is a hash
of its number. Every interval is added up from the minutes, so prices and sums agree between intervals.
"""

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from markethub.sandbox.bars import (
    CLOSE,
    E8,
    HIGH,
    LOW,
    OPEN,
    OPEN_MS,
    QUOTE,
    TAKER,
    TAKER_QUOTE,
    TRADES,
    VOLUME,
    Bars,
    Integers,
)
from markethub.sandbox.listings import Listing

MINUTE_MS: Final = 60_000
# The temporaries of a piece this long stay in the processor's cache: more than twice as fast as one long run.
_CHUNK: Final = 16_384
_COARSEST: Final = 10
_MINUTE_NOISE: Final = 0.0006
_QUARTERS: Final = np.array([0.0, 0.25, 0.5, 0.75])
_BODY_SALT: Final = 101
Unsigned = NDArray[np.uint64]
Floats = NDArray[np.float64]


def seed_of(seed: int, listing: Listing) -> int:
    """A number of 64 bits that differs by pair and by sandbox seed, alike in every process."""
    return int.from_bytes(blake2b(f"{seed}:{listing.root}".encode(), digest_size=8).digest())


def minute_bars(seed: int, listing: Listing, first_minute: int, count: int) -> Bars:
    """``count`` one-minute bars from minute ``first_minute`` of the epoch on; ``seed`` is from `seed_of`."""
    bars = np.empty((10, count), dtype=np.int64)
    for start in range(0, count, _CHUNK):
        _fill(bars[:, start : start + _CHUNK], seed, listing, first_minute + start)
    return Bars(bars)


def _fill(bars: Integers, seed: int, listing: Listing, first_minute: int) -> None:
    count = bars.shape[1]
    edges = _edge_ticks(seed, listing, first_minute, count)
    opens, closes = edges[:-1], edges[1:]
    dice = _hash(seed, _BODY_SALT, first_minute, count)
    up, down, activity, buying = (_sixteen_bits(dice, shift) for shift in (0, 16, 32, 48))

    wick = opens * (_MINUTE_NOISE * listing.volatility)
    tops = np.maximum(opens, closes) + np.rint(wick * up * up).astype(np.int64)
    bottoms = np.minimum(opens, closes) - np.rint(wick * down * down).astype(np.int64)
    # Busier when the price moves; a few minutes are many times busier than the usual one.
    moved = np.abs(closes - opens) / opens / (_MINUTE_NOISE * listing.volatility)
    rare = np.square(np.square(np.square(activity)))
    pace = (0.15 + activity + 3.0 * rare) * (0.6 + 0.4 * moved)
    price_e8 = opens * float(listing.tick_e8)
    lots = 1 + (listing.turnover * pace / (price_e8 * (listing.lot_e8 / E8**2))).astype(np.int64)
    taker_lots = (lots * (0.25 + 0.5 * buying)).astype(np.int64)

    bars[OPEN_MS] = np.arange(first_minute, first_minute + count) * MINUTE_MS
    bars[OPEN] = opens * listing.tick_e8
    bars[CLOSE] = closes * listing.tick_e8
    bars[HIGH] = tops * listing.tick_e8
    bars[LOW] = np.maximum(bottoms, 1) * listing.tick_e8
    bars[VOLUME] = lots * listing.lot_e8
    bars[TAKER] = taker_lots * listing.lot_e8
    mean_price = bars[OPEN : CLOSE + 1].sum(axis=0) / (4.0 * E8)
    bars[QUOTE] = np.rint(bars[VOLUME] * mean_price)
    bars[TAKER_QUOTE] = np.rint(bars[TAKER] * mean_price)
    bars[TRADES] = np.minimum(lots, 1 + (pace * (20.0 + 80.0 * buying)).astype(np.int64))


def _edge_ticks(seed: int, listing: Listing, first_minute: int, count: int) -> Integers:
    """Prices in ticks at the ``count + 1`` edges of the minutes, never below 1 tick."""
    drift = _wander(seed, first_minute, first_minute + count) * listing.volatility
    ticks = np.rint(np.exp(drift) * (listing.price * E8 / listing.tick_e8))
    return np.maximum(ticks, 1.0).astype(np.int64)


def _wander(seed: int, first: int, last: int) -> Floats:
    """The summed noise at the points ``first`` to ``last``, both included.

    Each level is drawn on its own lattice and stretched fourfold onto the next finer one. Every operation is
    by element, so a point has the same value whatever range it was asked in.
    """
    total = np.zeros(1)
    low = 0
    for level in range(_COARSEST, -1, -1):
        step = 4**level
        start, stop = first // step, -(-last // step)
        if level == _COARSEST:
            total = np.zeros(stop - start + 1)
        else:
            total = _stretch(total)[start - 4 * low :][: stop - start + 1]
        # The spread of a random walk grows with the root of its length: 2 per level of 4.
        noise = _hash(seed, level, start, stop - start + 1).astype(np.float64) * 2.0**-63 - 1.0
        total = total + noise * (_MINUTE_NOISE * 2.0**level)
        low = start
    return total


def _stretch(values: Floats) -> Floats:
    """Lay a straight line of four steps between each two neighbours: n points become 4 (n - 1) + 1."""
    fine = np.empty(4 * len(values) - 3)
    lines = values[:-1, None] + (values[1:] - values[:-1])[:, None] * _QUARTERS
    fine[:-1] = lines.ravel()
    fine[-1] = values[-1]
    return fine


def _hash(seed: int, salt: int, first: int, count: int) -> Unsigned:
    """One random word per number from ``first`` on (the finisher of SplitMix64)."""
    start = (seed + salt * 0xD1342543DE82EF95) & 0xFFFF_FFFF_FFFF_FFFF
    words = np.arange(first, first + count).astype(np.uint64)
    words *= np.uint64(0x9E3779B97F4A7C15)
    words += np.uint64(start)
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def _sixteen_bits(words: Unsigned, shift: int) -> Floats:
    """A part of each word as a number in [0, 1)."""
    return ((words >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64) * 2.0**-16
