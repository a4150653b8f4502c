"""A bulk file's bytes as a table; pure. Any bytes give a table or one ArchiveError.

Source: README of Binance Public Data ("Klines", "CHECKSUM").
"""

import hashlib
import io
import re
import struct
import zipfile
import zlib
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.csv

from markethub.domain.errors import ArchiveError, ChecksumMismatchError, VenueProtocolError
from markethub.ports.venue import ArchivedBars, ArchiveFile
from markethub.tables.klines import KLINES, sort_out_klines
from markethub.venues.binance.archive_files import file_stem

_COLUMNS = {
    "open_time": pa.int64(),
    "open": pa.float64(),
    "high": pa.float64(),
    "low": pa.float64(),
    "close": pa.float64(),
    "volume": pa.float64(),
    "close_time": pa.int64(),
    "quote_volume": pa.float64(),
    "trades": pa.int64(),
    "taker_volume": pa.float64(),
    "taker_quote_volume": pa.float64(),
    "ignore": pa.string(),
}
_USED = [name for name in _COLUMNS if name != "ignore"]

# Times are microseconds since 2025 and milliseconds before. As milliseconds this is the year 5138,
# as microseconds 1973: a row's own magnitude decides.
_MICROSECONDS_FROM = 10**14

_ROW_BYTES = 512  # the longest real row is 240 bytes
_CHECKSUM = re.compile(rb"\s*([0-9a-fA-F]{64})[ \t]+\*?(\S+)\s*")


def largest_bytes(file: ArchiveFile) -> int:
    """A bound on the size of ``file``'s CSV, and of its zip: anything larger is no kline file."""
    rows = file.span.width_ms // file.series.interval.width_ms
    return (rows + 8) * _ROW_BYTES


def read_archive(file: ArchiveFile, zipped: bytes, checksum: bytes) -> ArchivedBars:
    """Verify ``zipped`` against the published checksum file and read the bars inside.

    ChecksumMismatchError when the sha256 differs; ArchiveError when anything else is not as published.
    """
    sha256 = _verify(file, zipped, checksum)
    text = _unzip(file, zipped)
    try:
        bars = _to_table(file, _read_csv(file, text))
        lines = lru_cache(lambda: [line for line in text.splitlines() if line])
        found = sort_out_klines(
            bars,
            file.series.interval,
            file.path,
            lambda position: lines()[position - len(bars)].decode("utf-8", errors="replace"),
        )
    except VenueProtocolError as error:
        raise ArchiveError(str(error)) from error
    return ArchivedBars(found.bars, sha256, found.rejected)


def _verify(file: ArchiveFile, zipped: bytes, checksum: bytes) -> str:
    match = _CHECKSUM.fullmatch(checksum)
    if match is None or match[2] != (file_stem(file) + ".zip").encode():
        raise ArchiveError(f"{file.path}: its checksum file reads {checksum[:200]!r}")
    promised = match[1].decode().lower()
    found = hashlib.sha256(zipped).hexdigest()
    if found != promised:
        raise ChecksumMismatchError(f"{file.path}: sha256 is {found}, published is {promised}")
    return found


def _unzip(file: ArchiveFile, zipped: bytes) -> bytes:
    wanted = file_stem(file) + ".csv"
    limit_bytes = largest_bytes(file)
    try:
        with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
            names = archive.namelist()
            if names != [wanted]:
                raise ArchiveError(f"{file.path}: holds {str(names)[:200]} instead of one {wanted}")
            # The size that the directory claims means nothing: count what really comes out.
            with archive.open(wanted) as member:
                text = member.read(limit_bytes + 1)
    # zipfile answers bad input with any of these, whatever its documentation says.
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError) as error:
        raise ArchiveError(f"{file.path}: not a zip file: {error}") from error
    except (RuntimeError, ValueError) as error:  # encrypted, an unknown method, an odd name
        raise ArchiveError(f"{file.path}: cannot be unpacked: {error}") from error
    if len(text) > limit_bytes:
        raise ArchiveError(f"{file.path}: larger than {limit_bytes} bytes when unpacked")
    return text


def _read_csv(file: ArchiveFile, text: bytes) -> pa.Table:
    has_header = not text[:1].isdigit()  # spot files have none, futures files do
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(text),
            # One block: the columns come out whole, and a second thread would only take a core from the loop.
            read_options=pa.csv.ReadOptions(
                use_threads=False,
                block_size=len(text) + 1,
                column_names=list(_COLUMNS),
                skip_rows=int(has_header),
            ),
            parse_options=pa.csv.ParseOptions(quote_char=False),
            convert_options=pa.csv.ConvertOptions(
                column_types=_COLUMNS, include_columns=_USED, null_values=[], check_utf8=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise ArchiveError(f"{file.path}: not the CSV of klines: {str(error)[:200]}") from error
    if not len(table):
        raise ArchiveError(f"{file.path}: holds no bar")
    return table


def _to_table(file: ArchiveFile, table: pa.Table) -> pa.Table:
    opens, closes = table["open_time"].to_numpy(), table["close_time"].to_numpy()
    scale = np.where(opens >= _MICROSECONDS_FROM, 1000, 1)
    opens_ms, below_ms = np.divmod(opens, scale)
    outside = (opens_ms < file.span.start_ms) | (opens_ms >= file.span.end_ms)
    if outside.any():
        raise ArchiveError(f"{file.path}: open time {opens[outside.argmax()]} is not in {file.span}")
    # A bar cut short by an outage may close early, as long as it closes inside its own width.
    wrong = (below_ms != 0) | (closes < opens) | (closes - opens >= file.series.interval.width_ms * scale)
    if wrong.any():
        row = table.slice(int(wrong.argmax()), 1).to_pylist()[0]
        raise ArchiveError(f"{file.path}: times are not those of a {file.series.interval}: {row}")
    times = pa.array(opens_ms).cast(KLINES.field("open_time").type)
    columns = [times, *(table[name] for name in KLINES.names[1:])]
    return pa.Table.from_arrays(columns, schema=KLINES)
