"""Klines as text, thousands at a time.

Rows are laid out as one matrix of bytes with fixed columns, where leading zeros become NUL bytes; dropping
the NULs turns it into text. No number passes through a Python object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from markethub.sandbox.bars import (
    CLOSE,
    E8,
    HIGH,
    LOW,
    OPEN,
    QUOTE,
    TAKER,
    TAKER_QUOTE,
    TRADES,
    VOLUME,
    Bars,
    Integers,
)

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class RowText:
    """Rows as text; row ``i`` is ``text[ends[i - 1]:ends[i]]``, its separator included."""

    open_ms: Integers
    text: bytes
    ends: Integers

    @property
    def size_bytes(self) -> int:
        return len(self.text) + self.ends.nbytes + self.open_ms.nbytes

    def rows(self, low: int, high: int) -> bytes:
        """The text of rows ``low`` to ``high``, the latter not included."""
        if low >= high:
            return b""
        return self.text[int(self.ends[low - 1]) if low else 0 : int(self.ends[high - 1])]


def _digit_table() -> NDArray[np.uint32]:
    """Four characters per entry: 0 to 9999 with NUL in place of leading zeros, then again with zeros.

    One table for both, so that a single lookup serves rows with and without digits further left.
    """
    numbers = np.arange(10_000)
    digits = np.stack([numbers // place % 10 for place in (1000, 100, 10, 1)], axis=1)
    full = (digits + ord("0")).astype(np.uint8)
    bare = full.copy()
    bare[np.maximum.accumulate(digits, axis=1) == 0] = 0
    # Four characters move as one word: several times faster than as four bytes.
    return np.ascontiguousarray(np.concatenate([bare, full])).view(np.uint32).ravel()


_DIGITS: Final = _digit_table()


def _put_four(matrix: Bytes, left: int, entries: Integers) -> None:
    matrix[:, left : left + 4].view(np.uint32)[:, 0] = np.take(_DIGITS, entries)


def _put_whole(matrix: Bytes, values: Integers) -> None:
    """Print non-negative whole numbers into all columns, right-aligned, without leading zeros."""
    groups = matrix.shape[1] // 4
    above = np.zeros(len(values), dtype=np.int64)
    for group in range(groups):
        rest = values // 10_000 ** (groups - 1 - group)
        _put_four(matrix, 4 * group, rest - above * 10_000 + 10_000 * (above > 0))
        above = rest
    matrix[values == 0, -1] = ord("0")


def _put_decimals(matrix: Bytes, parts: Integers) -> None:
    """Print numbers below 10^8 as eight digits, zeros included."""
    upper = parts // 10_000
    _put_four(matrix, 0, upper + 10_000)
    _put_four(matrix, 4, parts - upper * 10_000 + 10_000)


def _whole_width(values: Integers) -> int:
    """Columns for the largest number, a multiple of four."""
    return -(-len(str(int(values.max()))) // 4) * 4


@dataclass(frozen=True, slots=True)
class RowStyle:
    """What stands before a row, around a decimal, and after a row."""

    start: bytes
    quote: bytes
    end: bytes


JSON_ROWS: Final = RowStyle(b"[", b'"', b'"0"],')
CSV_ROWS: Final = RowStyle(b"", b"", b"0\n")


class _Number:
    """One printed column: a whole number, or one with eight decimals."""

    def __init__(self, values: Integers, *, is_decimal: bool) -> None:
        self._values = values
        self._is_decimal = is_decimal
        self._whole = values // E8 if is_decimal else values
        self._whole_width = _whole_width(self._whole)
        self.width = self._whole_width + (9 if is_decimal else 0)

    def put(self, matrix: Bytes) -> None:
        _put_whole(matrix[:, : self._whole_width], self._whole)
        if self._is_decimal:
            matrix[:, self._whole_width] = ord(".")
            _put_decimals(matrix[:, self._whole_width + 1 :], self._values - self._whole * E8)


def print_rows(bars: Bars, width_ms: int, style: RowStyle, *, microseconds: bool = False) -> RowText:
    """Print Binance's twelve columns: open time, o, h, l, c, volume, close time, quote volume, trades,
    taker volume, taker quote volume, and a 0 that means nothing.

    Times are Unix milliseconds or microseconds; the close time is one unit before the next open time.
    Decimals have eight places. Source: Binance Spot REST API, "Kline/Candlestick data".
    """
    if not len(bars):
        return RowText(bars.open_ms, b"", np.empty(0, dtype=np.int64))
    unit = 1000 if microseconds else 1
    opens = bars.open_ms * unit
    pieces: list[bytes | _Number] = [style.start, _Number(opens, is_decimal=False), b","]
    pieces += _decimals(bars, (OPEN, HIGH, LOW, CLOSE, VOLUME), style)
    pieces += [_Number(opens + (width_ms * unit - 1), is_decimal=False), b","]
    pieces += _decimals(bars, (QUOTE,), style)
    pieces += [_Number(bars.columns[TRADES], is_decimal=False), b","]
    pieces += _decimals(bars, (TAKER, TAKER_QUOTE), style)
    pieces.append(style.end)
    matrix = _lay_out(pieces, len(bars))
    ends = np.cumsum(np.count_nonzero(matrix, axis=1))
    return RowText(bars.open_ms, matrix.tobytes().translate(None, b"\0"), ends)


def _decimals(bars: Bars, fields: Sequence[int], style: RowStyle) -> list[bytes | _Number]:
    pieces: list[bytes | _Number] = []
    for field in fields:
        pieces += [style.quote, _Number(bars.columns[field], is_decimal=True), style.quote + b","]
    return pieces


def _lay_out(pieces: Sequence[bytes | _Number], rows: int) -> Bytes:
    widths = [len(piece) if isinstance(piece, bytes) else piece.width for piece in pieces]
    matrix = np.empty((rows, sum(widths)), dtype=np.uint8)
    left = 0
    for piece, width in zip(pieces, widths, strict=True):
        columns = matrix[:, left : left + width]
        if isinstance(piece, bytes):
            columns[:] = np.frombuffer(piece, dtype=np.uint8)
        else:
            piece.put(columns)
        left += width
    return matrix


def print_e8(amount_e8: int) -> str:
    """One non-negative amount with eight decimals."""
    return f"{amount_e8 // E8}.{amount_e8 % E8:08d}"
