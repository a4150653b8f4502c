"""How far back Yahoo's chart endpoint answers, and how much of it at once.

Yahoo documents none of it. The numbers are those of its own refusals: "Only 7 days worth of 1m granularity
data are allowed to be fetched per request" and "The requested range must be within the last 30 days" (60 for
5m and 15m), as users have quoted them (yfinance issues 356, 383 and 1029).
"""

from types import MappingProxyType
from typing import Final

from markethub.domain.interval import Interval

_DAY_MS: Final = 86_400_000

CHART_PATH: Final = "/v8/finance/chart"
WINDOW_S: Final = 10.0
CLOCK_GUARD_S: Final = 1.25
"""The venue's clock is read from a header of whole seconds."""

ASKED: Final = MappingProxyType(
    {
        Interval.M1: Interval.M1,
        Interval.M5: Interval.M5,
        Interval.M15: Interval.M15,
        # Yahoo's own 30m bars are broken (yfinance issue 1029): they are added up from 15m here.
        Interval.M30: Interval.M15,
        Interval.D1: Interval.D1,
    }
)
"""By the interval wanted, the one that Yahoo is asked for."""

DEPTH_MS: Final = MappingProxyType(
    {
        Interval.M1: 30 * _DAY_MS,
        Interval.M5: 60 * _DAY_MS,
        Interval.M15: 60 * _DAY_MS,
        Interval.M30: 60 * _DAY_MS,
    }
)
"""How old the start of a question may be; daily bars go back to the listing."""

DEPTH_MARGIN_MS: Final = 600_000
"""A question may wait for its turn while the oldest bars fall out of reach."""

READER_MARGIN_MS: Final = 3_000_000
"""What is told to be within reach must still be when someone comes to ask for it."""

PAGE_MS: Final = MappingProxyType({Interval.M1: 7 * _DAY_MS})
"""How long one question's span may be, where that is less than the depth."""

PAGE_BYTES: Final = 32 * 1024 * 1024
"""Sixty years of days are 2 MB."""
