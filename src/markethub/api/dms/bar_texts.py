"""Columns of bars as text."""

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from markethub.domain.calendar import DAY_MS

_MINUTE_MS = 60_000
_WHOLE_BELOW = 2.0**53

Bytes = npt.NDArray[np.uint8]

_CLOCK: Bytes = np.frombuffer(
    b"".join(b"T%02d:%02d:00" % divmod(minute, 60) for minute in range(1440)), np.uint8
).reshape(1440, 9)
"""The time of each minute of a day; a bar opens at a full minute, whatever its interval."""


def spell_times(times_ms: npt.NDArray[np.int64]) -> Bytes:
    """``n x 19`` characters, ``2026-01-01T00:00:00``, of open times in the years 1 to 9999."""
    # Three times as fast as a formatter: there are few days in a batch, and few minutes in a day.
    days, places = np.unique(times_ms // DAY_MS, return_inverse=True)
    dates = np.datetime_as_string(days.astype("datetime64[D]")).astype("S10")
    spelled = np.empty((len(times_ms), 19), np.uint8)
    spelled[:, :10] = dates.view(np.uint8).reshape(-1, 10)[places]
    spelled[:, 10:] = _CLOCK[times_ms % DAY_MS // _MINUTE_MS]
    return spelled


def to_texts(characters: Bytes) -> pl.Series:
    """The rows of an ``n x width`` array as strings."""
    count, width = characters.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int64)
    texts = pa.LargeStringArray.from_buffers(
        count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters))
    )
    return pl.Series(texts)


def write_times(times_ms: npt.NDArray[np.int64]) -> pl.Series:
    """``2026-01-01T00:00:00`` for each open time."""
    return to_texts(spell_times(times_ms))


def write_volumes(volumes: pl.Series) -> pl.Series:
    """Each in the shortest form that reads back to the same number, without a point where it is whole."""
    column = pl.col(volumes.name)
    is_whole = (column == column.floor()) & (column < _WHOLE_BELOW)
    whole = column.cast(pl.Int64, strict=False).cast(pl.String)
    return (
        volumes.to_frame().select(pl.when(is_whole).then(whole).otherwise(column.cast(pl.String))).to_series()
    )
