"""The bar widths the sandbox can play: multiples of a minute that divide a day."""

from types import MappingProxyType
from typing import Final

from markethub.sandbox.synthetic import MINUTE_MS

DAY_MS: Final = 86_400_000

WIDTHS_MS: Final = MappingProxyType(
    {
        "1m": MINUTE_MS,
        "3m": 3 * MINUTE_MS,
        "5m": 5 * MINUTE_MS,
        "15m": 15 * MINUTE_MS,
        "30m": 30 * MINUTE_MS,
        "1h": 60 * MINUTE_MS,
        "2h": 120 * MINUTE_MS,
        "4h": 240 * MINUTE_MS,
        "6h": 360 * MINUTE_MS,
        "8h": 480 * MINUTE_MS,
        "12h": 720 * MINUTE_MS,
        "1d": DAY_MS,
    }
)
"""Interval names, which Binance, OKX and Gate share but for their case, to milliseconds."""
