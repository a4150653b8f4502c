"""Pages of candles by OKX's cursor rules, cut from printed blocks."""

from dataclasses import dataclass
from typing import Final

from markethub.domain.span import Span
from markethub.sandbox.bars import CLOSE, HIGH, LOW, OPEN, QUOTE, VOLUME, Bars, Integers
from markethub.sandbox.byte_cache import ByteCache
from markethub.sandbox.intervals import DAY_MS
from markethub.sandbox.market import Market
from markethub.sandbox.okx.bar_sizes import BAR_SIZES
from markethub.sandbox.okx.names import Pair
from markethub.sandbox.rows import print_e8

_RECENT_BARS: Final = 1440
_BLOCK_BARS: Final = 512
# Wide bars are added up from minutes: a block of hundreds of days would cost half a million of them.
_LONGEST_BLOCK_MS: Final = 32 * DAY_MS


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which candles were asked for: newer than ``before_ms``, older than ``after_ms``, both exclusive.

    The newest ``limit`` of them are meant, whichever bounds are given.
    """

    before_ms: int | None
    after_ms: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Printed rows, ascending."""

    open_ms: Integers
    rows: list[bytes]

    @property
    def size_bytes(self) -> int:
        return int(self.open_ms.nbytes) + sum(map(len, self.rows))


class CandlePages:
    """Answers cursors. Rows come out newest first, as JSON."""

    def __init__(self, market: Market, cache_bytes: int) -> None:
        self._market = market
        self._blocks: ByteCache[tuple[str, str, int], _Block] = ByteCache(cache_bytes)

    def recent(self, pair: Pair, bar: str, cursor: Cursor, now_ms: int) -> list[bytes]:
        """Rows among the newest 1440 bars; the first of all is still forming and not confirmed."""
        size = BAR_SIZES[bar]
        forming_ms = size.floor(now_ms)
        oldest_ms = forming_ms - (_RECENT_BARS - 1) * size.width_ms
        newer_than_ms = oldest_ms - 1 if cursor.before_ms is None else max(cursor.before_ms, oldest_ms - 1)
        rows: list[bytes] = []
        if newer_than_ms < forming_ms and (cursor.after_ms is None or cursor.after_ms > forming_ms):
            rows = _print(size.open_bar(self._market, pair.listing, now_ms), confirm=0)
        return rows + self.history(
            pair, bar, Cursor(newer_than_ms, cursor.after_ms, cursor.limit - len(rows)), now_ms
        )

    def history(self, pair: Pair, bar: str, cursor: Cursor, now_ms: int) -> list[bytes]:
        """Rows of finished bars only."""
        size = BAR_SIZES[bar]
        low_ms = size.floor(pair.listing.listed_ms)
        if cursor.before_ms is not None:
            low_ms = max(low_ms, cursor.before_ms + 1)
        high_ms = size.floor(now_ms)
        if cursor.after_ms is not None:
            high_ms = min(high_ms, cursor.after_ms)
        width_ms = min(_BLOCK_BARS * size.width_ms, _LONGEST_BLOCK_MS)
        found: list[bytes] = []
        number = (high_ms - 1 + size.shift_ms) // width_ms
        while len(found) < cursor.limit and (number + 1) * width_ms - size.shift_ms > low_ms:
            block = self._block(pair, bar, number)
            low, high = block.open_ms.searchsorted([low_ms, high_ms])
            found += reversed(block.rows[low:high])
            number -= 1
        return found[: cursor.limit]

    def _block(self, pair: Pair, bar: str, number: int) -> _Block:
        """The printed bars of one block, whatever the clock says; blocks count from where the grid does."""
        size = BAR_SIZES[bar]
        width_ms = min(_BLOCK_BARS * size.width_ms, _LONGEST_BLOCK_MS)

        def print_block() -> _Block:
            start_ms = number * width_ms - size.shift_ms
            bars = size.closed_bars(self._market, pair.listing, Span(start_ms, start_ms + width_ms))
            return _Block(bars.open_ms, _print(bars, confirm=1))

        return self._blocks.find_or_make((pair.name, bar, number), print_block)


def _print(bars: Bars, *, confirm: int) -> list[bytes]:
    rows: list[bytes] = []
    for column in bars.columns.T.tolist():
        prices = (_print_number(column[field]) for field in (OPEN, HIGH, LOW, CLOSE))
        volume, quote = _print_number(column[VOLUME]), _print_number(column[QUOTE])
        # volCcy and volCcyQuote are both the quote volume of a spot pair.
        items = (str(column[0]), *prices, volume, quote, quote, str(confirm))
        rows.append(("[" + ",".join(f'"{item}"' for item in items) + "]").encode())
    return rows


def _print_number(amount_e8: int) -> str:
    return print_e8(amount_e8).rstrip("0").rstrip(".")
