"""Pages of klines by Binance's window rules, cut from printed blocks."""

from dataclasses import dataclass
from typing import Final

from markethub.domain.span import Span
from markethub.sandbox.binance.names import Pair
from markethub.sandbox.byte_cache import ByteCache
from markethub.sandbox.intervals import DAY_MS, WIDTHS_MS
from markethub.sandbox.market import Market
from markethub.sandbox.rows import JSON_ROWS, RowText, print_rows

_BLOCK_BARS: Final = 2048
# Wide bars are added up from minutes: a block of a thousand days would cost 1.4 million of them.
_LONGEST_BLOCK_MS: Final = 32 * DAY_MS


@dataclass(frozen=True, slots=True)
class Window:
    """Which klines were asked for. Both bounds are inclusive and compared with open times.

    Without ``start_ms`` the newest ``limit`` bars up to ``end_ms`` (or now) are meant, with it the oldest.
    """

    start_ms: int | None
    end_ms: int | None
    limit: int


class KlinePages:
    """Answers windows. Rows come out ascending; a page jumps over holes, so it may start later than asked.

    The bar still forming is the last row of a window that reaches now.
    """

    def __init__(self, market: Market, cache_bytes: int) -> None:
        self._market = market
        self._blocks: ByteCache[tuple[str, str, bool, int], RowText] = ByteCache(cache_bytes)

    def page(self, pair: Pair, interval: str, window: Window, now_ms: int, *, microseconds: bool) -> bytes:
        """The JSON body: a list of rows, perhaps empty."""
        width_ms = WIDTHS_MS[interval]
        forming_ms = now_ms // width_ms * width_ms
        first_ms = pair.listing.listed_ms // width_ms * width_ms
        low_ms = first_ms if window.start_ms is None else max(first_ms, window.start_ms)
        high_ms = forming_ms if window.end_ms is None else min(forming_ms, window.end_ms + 1)
        if pair.listing.delisted_ms is not None:
            high_ms = min(high_ms, pair.listing.delisted_ms)

        reaches_now = low_ms <= forming_ms and (window.end_ms is None or window.end_ms >= forming_ms)
        read = _Reader(self, pair, interval, microseconds)
        if window.start_ms is None:
            last = self._forming(pair, interval, now_ms, microseconds) if reaches_now else b""
            pieces = read.newest(low_ms, high_ms, window.limit - (1 if last else 0))
            pieces.append(last)
        else:
            pieces = read.oldest(low_ms, high_ms, window.limit)
            if reaches_now and read.rows < window.limit:
                pieces.append(self._forming(pair, interval, now_ms, microseconds))
        return b"[" + b"".join(pieces)[:-1] + b"]"

    def _forming(self, pair: Pair, interval: str, now_ms: int, microseconds: bool) -> bytes:
        bar = self._market.open_bar(pair.listing, interval, now_ms)
        return print_rows(bar, WIDTHS_MS[interval], JSON_ROWS, microseconds=microseconds).text

    def block(self, pair: Pair, interval: str, number: int, *, microseconds: bool) -> RowText:
        """The printed bars of one block, whatever the clock says; ``number`` counts blocks from the epoch."""
        width_ms = block_width_ms(interval)

        def print_block() -> RowText:
            span = Span(number * width_ms, (number + 1) * width_ms)
            bars = self._market.bars(pair.listing, interval, span)
            return print_rows(bars, WIDTHS_MS[interval], JSON_ROWS, microseconds=microseconds)

        return self._blocks.find_or_make((pair.name, interval, microseconds, number), print_block)


def block_width_ms(interval: str) -> int:
    return min(_BLOCK_BARS * WIDTHS_MS[interval], _LONGEST_BLOCK_MS)


class _Reader:
    """Collects rows of one series from block after block until the limit is reached."""

    def __init__(self, pages: KlinePages, pair: Pair, interval: str, microseconds: bool) -> None:
        self._pages = pages
        self._pair = pair
        self._interval = interval
        self._microseconds = microseconds
        self._width_ms = block_width_ms(interval)
        self.rows = 0

    def oldest(self, low_ms: int, high_ms: int, limit: int) -> list[bytes]:
        """The text of the first ``limit`` rows that open in ``[low_ms, high_ms)``."""
        pieces: list[bytes] = []
        number = low_ms // self._width_ms
        while self.rows < limit and number * self._width_ms < high_ms:
            block, low, high = self._find(number, low_ms, high_ms)
            high = min(high, low + limit - self.rows)
            pieces.append(block.rows(low, high))
            self.rows += max(0, high - low)
            number += 1
        return pieces

    def newest(self, low_ms: int, high_ms: int, limit: int) -> list[bytes]:
        """The text of the last ``limit`` rows that open in ``[low_ms, high_ms)``, ascending."""
        pieces: list[bytes] = []
        number = (high_ms - 1) // self._width_ms
        while self.rows < limit and (number + 1) * self._width_ms > low_ms:
            block, low, high = self._find(number, low_ms, high_ms)
            low = max(low, high - (limit - self.rows))
            pieces.append(block.rows(low, high))
            self.rows += max(0, high - low)
            number -= 1
        pieces.reverse()
        return pieces

    def _find(self, number: int, low_ms: int, high_ms: int) -> tuple[RowText, int, int]:
        block = self._pages.block(self._pair, self._interval, number, microseconds=self._microseconds)
        low, high = block.open_ms.searchsorted([low_ms, high_ms])
        return block, int(low), int(high)
