"""Bar widths."""

from enum import StrEnum
from typing import Self

from markethub.domain.errors import InputError

_WIDTH_MS = {
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "1d": 86_400_000,
}


class Interval(StrEnum):
    """A fixed bar width, aligned to the Unix epoch in UTC."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read '1h'; InputError that lists the allowed ones otherwise."""
        try:
            return cls(text)
        except ValueError:
            raise InputError(f"interval {text!r} is not one of {', '.join(cls)}") from None

    @property
    def width_ms(self) -> int:
        return _WIDTH_MS[self.value]

    def floor(self, time_ms: int) -> int:
        """Open time of the bar that holds ``time_ms``."""
        return time_ms - time_ms % self.width_ms

    def ceil(self, time_ms: int) -> int:
        """The first open time at or after ``time_ms``."""
        return -(-time_ms // self.width_ms) * self.width_ms


SESSION_INTERVALS = (Interval.M1, Interval.M5, Interval.M15, Interval.M30, Interval.D1)
"""Those of stock markets: sessions begin at half past, so that bars of an hour and more would open off the
grid of UTC hours."""
