"""Numbers that venues send as text."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


def read_numbers(texts: Sequence[str]) -> pa.Array:
    """The texts as float64; what is no number becomes NaN, for the table's check to reject that row alone."""
    column = pa.array(texts, pa.string())
    try:
        return column.cast(pa.float64())
    except pa.ArrowInvalid:
        return pa.array([_read_number(text) for text in texts], pa.float64())


def read_times_ms(texts: Sequence[str], unit_ms: int, longest: int) -> pa.Array | None:
    """Times written as counts of ``unit_ms`` since 1970, as int64 Unix milliseconds.

    None where one is anything but plain digits, at most ``longest`` of them.
    """
    digits = "".join(texts)
    lengths = set(map(len, texts))
    if not (digits.isascii() and digits.isdigit()) or 0 in lengths or max(lengths) > longest:
        return None
    return pc.multiply(pa.array(texts, pa.string()).cast(pa.int64()), unit_ms)


def _read_number(text: str) -> float:
    try:
        return float(pa.scalar(text).cast(pa.float64()).as_py())
    except pa.ArrowInvalid:
        return float("nan")
