"""A bulk file's bytes as a table; pure. Any bytes give a table or one ArchiveError."""

import hashlib
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import ArchiveError, VenueProtocolError
from markethub.ports.venue import ArchivedBars, ArchiveFile
from markethub.tables.klines import KLINES, sort_out_klines
from markethub.venues.okx.names import join_name
from markethub.venues.transport.bulk_files import order_rows, read_csv, read_header, unpack_zip

# By the names in the header. Of a spot pair `vol` is in the base currency, `vol_quote` in the quote currency,
# as the fields of the candle endpoints are.
_NAMES = {
    "open_time": "open_time",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "vol",
    "quote_volume": "vol_quote",
}
_TYPES = dict.fromkeys(_NAMES.values(), pa.float64()) | {
    "open_time": pa.int64(),
    "instrument_name": pa.string(),
    "confirm": pa.string(),
}
_ROW_BYTES = 512  # a real row has 100


def largest_bytes(file: ArchiveFile) -> int:
    """A bound on the size of ``file``, packed or not: anything larger is no file of klines."""
    rows = file.span.width_ms // file.series.interval.width_ms
    return (2 * rows + 8) * _ROW_BYTES


def read_archive(file: ArchiveFile, packed: bytes) -> ArchivedBars:
    """Read the bars of a file that open in its span.

    Rows whose numbers make no sense are set apart, and those sent twice are one: that has happened. Rows of
    other days are left out, so that a file cut at another midnight brings fewer bars, not wrong ones.
    ``confirm`` may be 0 as well as 1, though the day is long over: both have been seen in whole files.
    ArchiveError when the file is not as expected, or has two different bars for one time.
    """
    text = unpack_zip(packed, largest_bytes(file), file.path)
    header = read_header(text, list(_TYPES), file.path)
    rows = read_csv(text, header, _TYPES, file.path, has_header=True)
    _check_owner(file, rows)
    order = order_rows(rows, "open_time", file.path)
    opens_ms = rows.column("open_time").to_numpy()[order]
    order = order[(opens_ms >= file.span.start_ms) & (opens_ms < file.span.end_ms)]
    if not len(order):
        raise ArchiveError(f"{file.path}: holds no bar of {file.span}")
    lines = lru_cache(text.splitlines)
    try:
        found = sort_out_klines(
            _to_table(rows.take(order)),
            file.series.interval,
            file.path,
            lambda position: lines()[1 + int(order[position])].decode("utf-8", errors="replace"),
        )
    except VenueProtocolError as error:
        raise ArchiveError(str(error)) from error
    return ArchivedBars(found.bars, hashlib.sha256(packed).hexdigest(), found.rejected)


def _check_owner(file: ArchiveFile, rows: pa.Table) -> None:
    name = join_name(file.series.symbol)
    owners = pc.unique(rows.column("instrument_name")).to_pylist()
    if owners != [name]:
        raise ArchiveError(f"{file.path}: holds {str(owners)[:200]} instead of {name}")
    confirms = set(pc.unique(rows.column("confirm")).to_pylist())
    if not confirms <= {"0", "1"}:
        raise ArchiveError(f"{file.path}: confirm is neither 0 nor 1: {str(sorted(confirms))[:200]}")


def _to_table(rows: pa.Table) -> pa.Table:
    columns = {ours: rows.column(theirs) for ours, theirs in _NAMES.items()}
    opens_ms: np.ndarray[tuple[int], np.dtype[np.int64]] = columns["open_time"].to_numpy()
    columns["open_time"] = pa.array(opens_ms).cast(KLINES.field("open_time").type)
    return pa.Table.from_arrays(
        [columns.get(field.name, pa.nulls(len(rows), field.type)) for field in KLINES], schema=KLINES
    )
