"""What Yahoo's prices mean, and how they become raw or adjusted ones; pure.

Yahoo divides prices by every later split and multiplies volumes by it, up to the day of the answer
("Close price adjusted for splits" below its tables); ``adjclose`` takes dividends into account as well.

* raw: price x factor, volume / factor, where the factor is the product of all splits after the session. Spin-
  offs that Yahoo lists as splits (IBM 1046:1000 in 2021) are undone like any other.
* adjusted: all four prices x adjclose / close; the volume stays as Yahoo tells it, in today's shares.

Yahoo prints single-precision numbers: what was a price of 77.5875 reads 77.5875015258789. Raw prices are
rounded to the decimals that single precision can bear, which brings the traded price back. Above 80,000 it
cannot bear cents, and prices stay as they come.
"""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from markethub.domain.errors import VenueProtocolError
from markethub.domain.times import format_time
from markethub.venues.stocks.sessions import Integers
from markethub.venues.stocks.yahoo.parse import CLOSE, VOLUME, Floats

_ROOM: Final = 1.000001 * 2.0**-23
"""Twice the error of a number in single precision, relative to it: the smallest unit one may round to."""
_CENTS: Final = 2
_CLEAR_SPLIT: Final = math.log(1.9)
"""Below this a split cannot be told from a day's move."""
_CLEAR_STEP: Final = 0.7


def split_factors(dates_ms: Integers, splits: Iterable[tuple[int, float]]) -> Floats:
    """For each session date the product of the ratios of all later splits; ``splits`` are (date, ratio)."""
    factors = np.ones(len(dates_ms))
    for date_ms, ratio in splits:
        factors[dates_ms < date_ms] *= ratio
    return factors


def to_raw(values: Floats, factors: Floats) -> Floats:
    """Prices and volumes of a chart as they were traded; NaN stays NaN."""
    raw = values * factors
    raw[VOLUME] = np.rint(values[VOLUME] / factors)
    prices = raw[: CLOSE + 1]
    highest = np.where(np.isfinite(prices).any(axis=0), np.fmax.reduce(np.abs(prices)), 1.0)
    # One unit for all four prices of a bar: rounding keeps low <= open, close <= high.
    decimals = np.clip(np.floor(-np.log10(np.maximum(highest, 1e-12) * _ROOM)), 0, 12)
    units = 10.0**decimals
    raw[: CLOSE + 1] = np.where(decimals >= _CENTS, np.rint(prices * units) / units, prices)
    return raw


def to_adjusted(values: Floats, ratios: Floats) -> Floats:
    """Prices of a chart times adjclose / close of their sessions; volumes as they are."""
    adjusted = values.copy()
    adjusted[: CLOSE + 1] *= ratios
    return adjusted


def check_splits(
    dates_ms: Integers, closes: Floats, splits: Iterable[tuple[int, float]], source: str
) -> None:
    """Refuse prices that a listed split has not reached yet, as Yahoo's have been seen.

    Across a split its prices must go on as on any day; VenueProtocolError where they jump by most of what
    the split would explain. Only splits of about two to one and more are told from a day's move.
    """
    sound = np.isfinite(closes) & (closes > 0)
    dates_ms, closes = dates_ms[sound], closes[sound]
    for date_ms, ratio in splits:
        at = int(dates_ms.searchsorted(date_ms))
        if not 0 < at < len(dates_ms) or abs(math.log(ratio)) < _CLEAR_SPLIT:
            continue
        step = math.log(closes[at - 1] / closes[at]) / math.log(ratio)
        if step > _CLEAR_STEP:
            raise VenueProtocolError(
                f"{source}: a split of {ratio:g} to 1 on {format_time(date_ms)[:10]} is listed, but the "
                "prices before it are not divided yet; ask again later"
            )


def check_same_scale(
    dates_ms: Integers, closes: Floats, daily_dates_ms: Integers, daily_closes: Floats, source: str
) -> None:
    """Refuse minute bars whose scale is not that of their session's daily bar: a split came between."""
    for date_ms in np.unique(dates_ms):
        at = int(daily_dates_ms.searchsorted(date_ms))
        if at == len(daily_dates_ms) or daily_dates_ms[at] != date_ms:
            continue
        with_price = closes[(dates_ms == date_ms) & np.isfinite(closes) & (closes > 0)]
        if len(with_price) and not 0.7 < with_price[-1] / daily_closes[at] < 1.4:
            raise VenueProtocolError(
                f"{source}: minute bars of {format_time(int(date_ms))[:10]} end at {with_price[-1]:g}, but "
                f"the day closed at {daily_closes[at]:g}: a split is being applied; ask again later"
            )
