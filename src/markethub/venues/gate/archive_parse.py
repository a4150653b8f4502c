"""A bulk file's bytes as a table; pure. Any bytes give a table or one ArchiveError."""

import hashlib
from functools import lru_cache

import numpy as np
import pyarrow as pa

from markethub.domain.errors import ArchiveError, VenueProtocolError
from markethub.ports.venue import ArchivedBars, ArchiveFile
from markethub.tables.klines import KLINES, sort_out_klines
from markethub.venues.transport.bulk_files import order_rows, read_csv, unpack_gzip

# As others have found them: no header, and not the order of the rows that REST sends.
_COLUMNS = {
    "open_time": pa.int64(),
    "volume": pa.float64(),
    "close": pa.float64(),
    "high": pa.float64(),
    "low": pa.float64(),
    "open": pa.float64(),
}
_LARGEST_S = 4_102_444_800  # 2100
_ROW_BYTES = 256  # a real row has 60


def largest_bytes(file: ArchiveFile) -> int:
    """A bound on the size of ``file``, packed or not: anything larger is no file of klines."""
    rows = file.span.width_ms // file.series.interval.width_ms
    return (2 * rows + 8) * _ROW_BYTES


def read_archive(file: ArchiveFile, packed: bytes) -> ArchivedBars:
    """Read the bars of a file, whose only volume is taken for that of the base currency.

    The quote volume is null. Rows whose numbers make no sense are set apart, those sent twice are one, and
    any order will do. ArchiveError when the file is not as expected.
    """
    text = unpack_gzip(packed, largest_bytes(file), file.path)
    rows = read_csv(text, list(_COLUMNS), _COLUMNS, file.path, has_header=False)
    _check_times(file, rows)
    order = order_rows(rows, "open_time", file.path)
    lines = lru_cache(text.splitlines)
    try:
        found = sort_out_klines(
            _to_table(rows.take(order)),
            file.series.interval,
            file.path,
            lambda position: lines()[order[position]].decode("utf-8", errors="replace"),
        )
    except VenueProtocolError as error:
        raise ArchiveError(str(error)) from error
    return ArchivedBars(found.bars, hashlib.sha256(packed).hexdigest(), found.rejected)


def _check_times(file: ArchiveFile, rows: pa.Table) -> None:
    opens_s = rows.column("open_time").to_numpy()
    # The range first: it keeps the product from overflowing.
    outside = (opens_s < 0) | (opens_s > _LARGEST_S)
    outside |= (np.where(outside, 0, opens_s) * 1000 < file.span.start_ms) | (
        np.where(outside, 0, opens_s) * 1000 >= file.span.end_ms
    )
    if outside.any():
        raise ArchiveError(f"{file.path}: open time {opens_s[outside.argmax()]} is not in {file.span}")


def _to_table(rows: pa.Table) -> pa.Table:
    opens_ms = pa.array(rows.column("open_time").to_numpy() * 1000)
    columns = {name: rows.column(name) for name in _COLUMNS} | {
        "open_time": opens_ms.cast(KLINES.field("open_time").type)
    }
    return pa.Table.from_arrays(
        [columns.get(field.name, pa.nulls(len(rows), field.type)) for field in KLINES], schema=KLINES
    )
