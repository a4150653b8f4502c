"""The bar sizes of OKX's candles. Source: "Get candlesticks" of the OKX API v5 guide."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from markethub.domain.span import Span
from markethub.sandbox.bars import OPEN_MS, Bars, aggregate, join_bars
from markethub.sandbox.intervals import WIDTHS_MS
from markethub.sandbox.listings import Listing
from markethub.sandbox.market import Market

_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class BarSize:
    """Bars of ``width_ms`` that open at multiples of it, counted from ``shift_ms`` before the epoch.

    They are added up from bars of ``base``, whose width divides both.
    """

    base: str
    width_ms: int
    shift_ms: int

    def floor(self, time_ms: int) -> int:
        """Open time of the bar that holds ``time_ms``."""
        return time_ms - (time_ms + self.shift_ms) % self.width_ms

    def closed_bars(self, market: Market, listing: Listing, span: Span) -> Bars:
        """The finished bars that open in ``span``, which lies on their own grid."""
        return self._add_up(market.bars(listing, self.base, span))

    def open_bar(self, market: Market, listing: Listing, now_ms: int) -> Bars:
        """The bar still forming at ``now_ms``: one row, or none."""
        forming = market.open_bar(listing, self.base, now_ms)
        open_ms, base_ms = self.floor(now_ms), now_ms - now_ms % WIDTHS_MS[self.base]
        if open_ms == base_ms:
            return self._add_up(forming)
        past = market.bars(listing, self.base, Span(open_ms, base_ms))
        return self._add_up(join_bars([past, forming]))

    def _add_up(self, bars: Bars) -> Bars:
        if self.shift_ms == 0:
            return bars
        columns = bars.columns.copy()
        columns[OPEN_MS] += self.shift_ms
        whole = aggregate(Bars(columns), self.width_ms).columns
        return Bars(np.concatenate([whole[:1] - self.shift_ms, whole[1:]]))


def _plain(names: Mapping[str, str]) -> dict[str, BarSize]:
    return {name: BarSize(interval, WIDTHS_MS[interval], 0) for name, interval in names.items()}


BAR_SIZES: Final[Mapping[str, BarSize]] = MappingProxyType(
    _plain({name: name for name in ("1m", "3m", "5m", "15m", "30m")})
    | _plain({"1H": "1h", "2H": "2h", "4H": "4h", "6Hutc": "6h", "12Hutc": "12h", "1Dutc": "1d"})
    # Without "utc" these open by the clock of UTC+8: a day at 16:00 UTC.
    | {f"{hours}H": BarSize("2h", hours * _HOUR_MS, 8 * _HOUR_MS) for hours in (6, 12)}
    | {"1D": BarSize("2h", 24 * _HOUR_MS, 8 * _HOUR_MS)}
)
"""By the name in ``bar``. Weeks, months, seconds and days of several are not played."""
