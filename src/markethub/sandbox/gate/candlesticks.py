"""Pages of candlesticks by Gate's window rules, cut from printed blocks."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from markethub.domain.span import Span
from markethub.sandbox.bars import CLOSE, HIGH, LOW, OPEN, QUOTE, VOLUME, Bars, Integers
from markethub.sandbox.byte_cache import ByteCache
from markethub.sandbox.gate.currency_pairs import print_short
from markethub.sandbox.gate.refusals import refuse_long_range, refuse_old_range
from markethub.sandbox.intervals import DAY_MS, WIDTHS_MS
from markethub.sandbox.listings import Listing
from markethub.sandbox.market import Market
from markethub.sandbox.rows import print_e8

PLAYED_MS: Final = MappingProxyType(
    {name: WIDTHS_MS[name] for name in ("1m", "5m", "15m", "30m", "1h", "4h", "8h", "1d")}
)
"""By the name in ``interval``, the width. Gate has 10s, 7d and 30d as well; those are not played."""

MAX_POINTS: Final = 1_000
_DEFAULT_POINTS: Final = 100
_DEPTH_BARS: Final = 10_000
_BLOCK_BARS: Final = 512
# Wide bars are added up from minutes: a block of hundreds of days would cost half a million of them.
_LONGEST_BLOCK_MS: Final = 32 * DAY_MS


@dataclass(frozen=True, slots=True)
class Window:
    """Which candlesticks were asked for; both bounds are inclusive and compared with open times.

    ``limit`` is only given where neither bound is: the newest so many are meant.
    """

    from_ms: int | None
    to_ms: int | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class _Block:
    """Printed rows, ascending."""

    open_ms: Integers
    rows: list[bytes]

    @property
    def size_bytes(self) -> int:
        return int(self.open_ms.nbytes) + sum(map(len, self.rows))


class CandlestickPages:
    """Answers windows. Rows come out oldest first, as JSON; the bar still forming is the last, not closed."""

    def __init__(self, market: Market, cache_bytes: int) -> None:
        self._market = market
        self._blocks: ByteCache[tuple[str, str, int], _Block] = ByteCache(cache_bytes)

    def page(self, listing: Listing, interval: str, window: Window, now_ms: int) -> list[bytes]:
        """The rows, perhaps none; raises the venue's refusals of a range."""
        width_ms = PLAYED_MS[interval]
        forming_ms = now_ms // width_ms * width_ms
        low_ms, high_ms = _bounds(window, width_ms, now_ms)
        if (high_ms // width_ms - low_ms // width_ms) >= MAX_POINTS:
            raise refuse_long_range()
        if low_ms <= forming_ms - _DEPTH_BARS * width_ms:
            raise refuse_old_range()
        first_ms = listing.listed_ms // width_ms * width_ms
        rows = self._closed(listing, interval, max(low_ms, first_ms), min(high_ms + 1, forming_ms))
        if low_ms <= forming_ms <= high_ms:
            rows += _print(self._market.open_bar(listing, interval, now_ms), is_closed=False)
        return rows

    def _closed(self, listing: Listing, interval: str, low_ms: int, end_ms: int) -> list[bytes]:
        """The finished bars that open in ``[low_ms, end_ms)``."""
        block_ms = min(_BLOCK_BARS * PLAYED_MS[interval], _LONGEST_BLOCK_MS)
        found: list[bytes] = []
        if low_ms >= end_ms:
            return found
        for number in range(low_ms // block_ms, (end_ms - 1) // block_ms + 1):
            block = self._block(listing, interval, number, block_ms)
            low, high = block.open_ms.searchsorted([low_ms, end_ms])
            found += block.rows[low:high]
        return found

    def _block(self, listing: Listing, interval: str, number: int, block_ms: int) -> _Block:
        """The printed bars of one block, whatever the clock says; blocks count from the epoch."""

        def print_block() -> _Block:
            bars = self._market.bars(listing, interval, Span(number * block_ms, (number + 1) * block_ms))
            return _Block(bars.open_ms, _print(bars, is_closed=True))

        return self._blocks.find_or_make((listing.root, interval, number), print_block)


def _bounds(window: Window, width_ms: int, now_ms: int) -> tuple[int, int]:
    """First and last open time meant; without a ``from`` the newest points up to ``to``."""
    high_ms = now_ms if window.to_ms is None else window.to_ms
    if window.from_ms is not None:
        return window.from_ms, high_ms
    points = window.limit or _DEFAULT_POINTS
    return (high_ms // width_ms - points + 1) * width_ms, high_ms


def _print(bars: Bars, *, is_closed: bool) -> list[bytes]:
    """Open time in seconds, quote volume, close, high, low, open, base volume, whether it is closed."""
    flag = "true" if is_closed else "false"
    rows: list[bytes] = []
    for column in bars.columns.T.tolist():
        prices = (print_short(column[field]) for field in (CLOSE, HIGH, LOW, OPEN))
        items = (str(column[0] // 1000), print_e8(column[QUOTE]), *prices, print_e8(column[VOLUME]), flag)
        rows.append(("[" + ",".join(f'"{item}"' for item in items) + "]").encode())
    return rows
