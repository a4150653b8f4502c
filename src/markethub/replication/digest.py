"""Digests of stored bars and records that are equal on any engine exactly where the rows are equal.

Revisions and coverage do not count: two stores that got the same rows in another order, in other pieces or
more than once have equal digests. The unit of bars is a series and a UTC calendar month, so that a difference
can be found and fetched again in small parts.

A month's digest is BLAKE2b-256 over its rows, bars ascending by time, records by time and then by the
table's key (texts by code points): their number as a 64-bit integer, then per column in schema order one byte
per row (1 where null) if the column may be null, then the values. These are 8 bytes per row for Unix
milliseconds, an integer or an IEEE double; 16 bytes for an amount, the integer of its 10**-18 parts; for
texts and lists 8 bytes per row for the length (a text's in bytes of UTF-8), then the content of all rows, end
to end. All little-endian; nulls count as zero or empty, -0.0 as 0.0, and every NaN as one NaN.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import from_ms, to_ms
from markethub.ports.records import RecordQuery, RecordStore
from markethub.ports.store import SeriesStore
from markethub.tables.klines import open_times_ms
from markethub.tables.records import RecordTable, times_ms
from markethub.tables.selected import select_rows, takes_table

_DIGEST_BYTES = 32
_MONTHS_PER_READ = 12
_DAY_MS = 86_400_000
_END_MS = to_ms(datetime.max.replace(tzinfo=UTC)) + 1
"""The start of the year 10000, where time ends in Python and in the stores."""


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
                digests[_name_month(start_ms)] = _digest_rows(bars.slice(low, high - low))
    return digests


def digest_store(store: SeriesStore) -> str:
    """One hex digest over all bars of all series; series without bars do not count."""
    whole = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for summary in sorted(store.summaries(), key=lambda summary: str(summary.series)):
        if summary.rows:
            for month, digest in digest_series(store, summary.series).items():
                whole.update(f"{summary.series} {month} {digest}\n".encode())
    return whole.hexdigest()


def digest_records(store: RecordStore, table: RecordTable, owner: str | None = None) -> str:
    """One hex digest over all rows of a table, or over those of one ``owner``.

    It is over the lines ``2021-03 DIGEST``, one for each month with rows, ascending by month.
    Reads a month at a time; a write in between may show in one month and not in another.
    """
    where = {} if owner is None else {table.owner: [owner]}
    whole = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for month, rows in _read_months(store, table, where):
        whole.update(f"{_name_month(month.start_ms)} {_digest_rows(rows)}\n".encode())
    return whole.hexdigest()


def digest_months(store: RecordStore, table: RecordTable, selection: Selection) -> dict[str, str]:
    """Hex digest by month of the rows that ``selection`` takes, ascending; months without one are left out.

    Reads a month at a time, as ``digest_records``.
    """
    if not takes_table(selection, table):
        return {}
    selected = (
        (month, select_rows(selection, table, rows)) for month, rows in _read_months(store, table, {})
    )
    return {_name_month(month.start_ms): _digest_rows(rows) for month, rows in selected if len(rows)}


def month_span(name: str) -> Span:
    """The UTC month that a digest calls ``2021-03``."""
    year, month = name.split("-")
    return _month_of(to_ms(datetime(int(year), int(month), 1, tzinfo=UTC)))


def _read_months(
    store: RecordStore, table: RecordTable, where: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Span, pa.Table]]:
    first = store.read_records(table, RecordQuery(where, limit=1))
    while len(first):
        month = _month_of(int(times_ms(first, table.time)[0].as_py()))
        yield month, store.read_records(table, RecordQuery(where, span=month))
        rest = Span(month.end_ms, _END_MS + 1)
        first = store.read_records(table, RecordQuery(where, span=rest, limit=1))


def _digest_rows(rows: pa.Table) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    digest.update(len(rows).to_bytes(8, "little"))
    for field in rows.schema:
        column = rows.column(field.name)
        if field.nullable:
            digest.update(pc.is_null(column).cast(pa.uint8()).to_numpy().data)
        for part in _canonical(column, field.type):
            digest.update(part.data)
    return digest.hexdigest()


def _canonical(column: pa.ChunkedArray, kind: pa.DataType) -> Iterator[npt.NDArray[Any]]:
    if pa.types.is_floating(kind):
        doubles = np.asarray(pc.fill_null(column, 0.0).to_numpy(), "<f8") + 0.0  # -0.0 + 0.0 is 0.0
        doubles[np.isnan(doubles)] = np.nan
        yield doubles
    elif pa.types.is_list(kind):
        yield from _canonical(pc.list_value_length(column), pa.int64())
        yield from _canonical(pc.list_flatten(column), kind.value_type)
    elif pa.types.is_string(kind):
        yield from _canonical(pc.binary_length(column), pa.int64())
        yield np.frombuffer(b"".join(text.encode() for text in column.to_pylist() if text), np.uint8)
    elif pa.types.is_decimal128(kind):
        filled = pc.fill_null(column, pa.scalar(Decimal(0), kind)).combine_chunks()
        parts = np.frombuffer(filled.buffers()[1], "<u8")  # two a value, little-endian in Arrow too
        yield parts[2 * filled.offset : 2 * (filled.offset + len(filled))]
    else:
        yield np.asarray(pc.fill_null(column.cast(pa.int64()), 0).to_numpy(), "<i8")


def _name_month(start_ms: int) -> str:
    start = from_ms(start_ms)
    return f"{start.year:04d}-{start.month:02d}"  # strftime does not pad years


def _month_of(time_ms: int) -> Span:
    start = from_ms(time_ms).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    # 31 days on is the next month, unless the calendar ends there
    next_ms = to_ms(start) + 31 * _DAY_MS
    end_ms = to_ms(from_ms(next_ms).replace(day=1)) if next_ms < _END_MS else _END_MS
    return Span(to_ms(start), end_ms)


def _month_starts(first_ms: int, last_ms: int) -> Iterator[int]:
    """Month starts from that of ``first_ms`` to the first one after ``last_ms``."""
    month = _month_of(first_ms)
    yield month.start_ms
    while month.end_ms <= last_ms:
        month = _month_of(month.end_ms)
        yield month.start_ms
    yield month.end_ms


def _only_time_ms(bars: pa.Table) -> int:
    return int(open_times_ms(bars)[0].as_py())
