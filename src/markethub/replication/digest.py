"""Digests of stored bars that are equal on any engine exactly where the bars are equal.

Revisions and coverage do not count: two stores that got the same bars in another order, in other pieces or
more than once have equal digests. The unit is a series and a UTC calendar month, so that a difference can be
found and fetched again in small parts.

A month's digest is BLAKE2b-256 over its bars, ascending by time: their number as a 64-bit integer, then per
column of KLINES in schema order one byte per row (1 where null) if the column may be null, then 8 bytes per
row: Unix milliseconds, the integer, or the IEEE double. All little-endian; nulls count as zero, -0.0 as 0.0,
and every NaN as one NaN.
"""

import hashlib
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import from_ms, to_ms
from markethub.ports.store import SeriesStore
from markethub.tables.klines import KLINES, open_times_ms

_DIGEST_BYTES = 32
_MONTHS_PER_READ = 12


def digest_series(store: SeriesStore, series: Series) -> dict[str, str]:
    """Hex digest by month (``2021-03``), ascending; months without a bar are left out.

    Reads a year at a time; a write in between may show in one month and not in another.
    """
    digests: dict[str, str] = {}
    first = store.read(series, columns=["open_time"], limit=1)
    last = store.read(series, columns=["open_time"], limit=1, newest=True)
    if not len(first) or not len(last):
        return digests
    starts = list(_month_starts(_only_time_ms(first), _only_time_ms(last)))
    for place in range(0, len(starts) - 1, _MONTHS_PER_READ):
        part = starts[place : place + _MONTHS_PER_READ + 1]
        bars = store.read(series, Span(part[0], part[-1]))
        cuts = open_times_ms(bars).to_numpy().searchsorted(part)
        for start_ms, (low, high) in zip(part, pairwise(cuts), strict=False):
            if low < high:
                digests[_name_month(start_ms)] = _digest_bars(bars.slice(low, high - low))
    return digests


def digest_store(store: SeriesStore) -> str:
    """One hex digest over all bars of all series; series without bars do not count."""
    whole = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for summary in sorted(store.summaries(), key=lambda summary: str(summary.series)):
        if summary.rows:
            for month, digest in digest_series(store, summary.series).items():
                whole.update(f"{summary.series} {month} {digest}\n".encode())
    return whole.hexdigest()


def _digest_bars(bars: pa.Table) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    digest.update(len(bars).to_bytes(8, "little"))
    for field in KLINES:
        column = bars.column(field.name)
        if field.nullable:
            digest.update(pc.is_null(column).cast(pa.uint8()).to_numpy().data)
        digest.update(_canonical(column, field.type).data)
    return digest.hexdigest()


def _canonical(column: pa.ChunkedArray, kind: pa.DataType) -> npt.NDArray[np.int64 | np.float64]:
    if not pa.types.is_floating(kind):
        integers = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
        return np.asarray(integers, "<i8")
    doubles = np.asarray(pc.fill_null(column, 0.0).to_numpy(), "<f8") + 0.0  # -0.0 + 0.0 is 0.0
    doubles[np.isnan(doubles)] = np.nan
    return doubles


def _name_month(start_ms: int) -> str:
    start = from_ms(start_ms)
    return f"{start.year:04d}-{start.month:02d}"  # strftime does not pad years


def _month_starts(first_ms: int, last_ms: int) -> Iterator[int]:
    """Month starts from that of ``first_ms`` to the first one after ``last_ms``."""
    start = from_ms(first_ms).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while to_ms(start) <= last_ms:
        yield to_ms(start)
        if start.year == start.max.year and start.month == 12:
            yield last_ms + 1
            return
        start = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    yield to_ms(start)


def _only_time_ms(bars: pa.Table) -> int:
    return int(open_times_ms(bars)[0].as_py())
