"""Bulk files of bars: unpacked within bounds, read as columns, repeated rows settled; pure.

Any bytes give a value or one ArchiveError that begins with the file's path.
"""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv

from markethub.domain.errors import ArchiveError

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Positions = np.ndarray[tuple[int], np.dtype[np.int64]]


def unpack_gzip(packed: bytes, limit_bytes: int, path: str) -> bytes:
    """What is inside; ``packed`` itself when it is no gzip.

    A server that calls its file gzip-*encoded* has it unpacked by every HTTP client on the way.
    """
    if not packed.startswith(_GZIP):
        return _bound(packed, limit_bytes, path)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            # What the trailer says of the size means nothing: count what really comes out.
            text = stream.read(limit_bytes + 1)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise ArchiveError(f"{path}: not a gzip file: {error}") from error
    return _bound(text, limit_bytes, path)


def unpack_zip(packed: bytes, limit_bytes: int, path: str) -> bytes:
    """The one CSV file inside, whatever its name."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = archive.namelist()
            if len(names) != 1 or not names[0].endswith(".csv"):
                raise ArchiveError(f"{path}: holds {str(names)[:200]} instead of one CSV file")
            with archive.open(names[0]) as member:
                text = member.read(limit_bytes + 1)
    # zipfile answers bad input with any of these, whatever its documentation says.
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError) as error:
        raise ArchiveError(f"{path}: not a zip file: {error}") from error
    except (RuntimeError, ValueError) as error:  # encrypted, an unknown method, an odd name
        raise ArchiveError(f"{path}: cannot be unpacked: {error}") from error
    return _bound(text, limit_bytes, path)


def _bound(text: bytes, limit_bytes: int, path: str) -> bytes:
    if len(text) > limit_bytes:
        raise ArchiveError(f"{path}: larger than {limit_bytes} bytes when unpacked")
    return text


def read_header(text: bytes, wanted: Sequence[str], path: str) -> list[str]:
    """The names of a CSV's first line; ArchiveError unless each of ``wanted`` is there once."""
    line = text[:4096].partition(b"\n")[0].removeprefix(_BYTE_ORDER_MARK).rstrip(b"\r")
    names = line.decode("utf-8", errors="replace").split(",")
    for name in wanted:
        if names.count(name) != 1:
            raise ArchiveError(f"{path}: its header {str(names)[:200]} has {names.count(name)} x {name}")
    return names


def read_csv(
    text: bytes, names: Sequence[str], types: Mapping[str, pa.DataType], path: str, *, has_header: bool
) -> pa.Table:
    """The columns of ``types``, in that order, of a CSV whose columns are ``names``.

    Row ``i`` of the table is line ``i`` of ``text`` after the header. ArchiveError when it holds no row.
    """
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(text),
            # One block: the columns come out whole, and a second thread would only take a core from the loop.
            read_options=pa.csv.ReadOptions(
                use_threads=False,
                block_size=len(text) + 1,
                column_names=list(names),
                skip_rows=int(has_header),
            ),
            parse_options=pa.csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict(types), include_columns=list(types), null_values=[]
            ),
        )
    except pa.ArrowInvalid as error:
        raise ArchiveError(f"{path}: not the CSV of bars: {str(error)[:200]}") from error
    if not len(table):
        raise ArchiveError(f"{path}: holds no bar")
    return table


def order_rows(rows: pa.Table, key: str, path: str) -> Positions:
    """Positions of the rows by ascending ``key``, without exact repetitions.

    ArchiveError where two rows of one key differ: nobody can tell which one is right.
    """
    keys = rows.column(key).to_numpy()
    order: Positions = np.argsort(keys, kind="stable")
    again = np.flatnonzero(np.diff(keys[order]) == 0) + 1
    if not len(again):
        return order
    first, second = rows.take(order[again - 1]), rows.take(order[again])
    if not first.equals(second):
        pairs = zip(first.to_pylist(), second.to_pylist(), strict=True)
        one, other = next((one, other) for one, other in pairs if one != other)
        raise ArchiveError(f"{path}: two bars for one time: {one} and {other}")
    kept: Positions = np.delete(order, again)
    return kept
