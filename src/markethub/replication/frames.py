"""Change sets, digests and rows as bytes between two nodes.

A message is a header and Arrow streams: four bytes of magic, the CRC-32 of all that follows, the header's
length in four bytes, the header as JSON, then each stream after its length in eight bytes; numbers are
little-endian. Bars of all series travel in one stream, cut by the counts in the header.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import pyarrow as pa

from markethub.domain.errors import MarketHubError, ReplicationError
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import (
    ChangeSet,
    RecordPatch,
    SeriesDigests,
    SeriesPatch,
    SnapshotPage,
    TableDigests,
)
from markethub.ports.store import Coverage
from markethub.replication.pages import Part
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.klines import KLINES
from markethub.tables.records import RecordTable

MEDIA_TYPE = "application/vnd.markethub.replication"
_MAGIC = b"MHR1"
_LENGTH = struct.Struct("<I")
_STREAM_LENGTH = struct.Struct("<Q")
_HEAD_BYTES = len(_MAGIC) + 2 * _LENGTH.size
_ALIGNMENT = 64
_SMALL_CHUNK_ROWS = 2048

Message = bytes | bytearray
"""What arrived; the tables that are read from it lie in its memory, so it must not change any more."""


def pack_changes(changes: ChangeSet, compression: str | None = None) -> list[bytes]:
    """The message of a change set, in pieces; ``compression`` is None, ``lz4`` or ``zstd``."""
    numbers = ("after", "upto", "newest", "after_ms", "upto_ms")
    told = {name: getattr(changes, name) for name in numbers}
    return _pack_patches(told, changes.series, changes.records, compression)


def unpack_changes(message: Message) -> ChangeSet:
    """Read what ``pack_changes`` wrote; ReplicationError if it is anything else, or was cut short."""
    with _explained("a change set"):
        header, series, records = _unpack_patches(message)
        return ChangeSet(
            header["after"],
            header["upto"],
            header["newest"],
            series,
            records,
            header["after_ms"],
            header["upto_ms"],
        )


def pack_snapshot(page: SnapshotPage, compression: str | None = None) -> list[bytes]:
    """The message of a page of a snapshot; ``compression`` as for change sets."""
    return _pack_patches({"cursor": page.cursor}, page.series, page.records, compression)


def unpack_snapshot(message: Message) -> SnapshotPage:
    """Read what ``pack_snapshot`` wrote; errors as ``unpack_changes``."""
    with _explained("a page of a snapshot"):
        header, series, records = _unpack_patches(message)
        return SnapshotPage(series, records, header["cursor"])


def pack_part(part: Part, compression: str | None = None) -> list[bytes]:
    """The message of some rows; ``compression`` as for change sets."""
    return _pack({"rest_ms": part.rest_ms}, [part.rows], compression)


def unpack_part(message: Message, schema: pa.Schema) -> Part:
    """Read what ``pack_part`` wrote; ReplicationError if it is anything else, or of another schema."""
    header, tables = _unpack(message)
    with _explained("rows"):
        return Part(_expect(tables[0], schema), header["rest_ms"])


def show_series_digests(digests: SeriesDigests) -> dict[str, object]:
    """The JSON of the digests of a series."""
    return {
        "series": str(digests.series),
        "revision": digests.revision,
        "months": dict(digests.months),
        "claims": _show_claims(digests.claims),
    }


def read_series_digests(told: Mapping[str, Any]) -> SeriesDigests:
    """Read what ``show_series_digests`` made."""
    return SeriesDigests(
        Series.parse(told["series"]), told["revision"], told["months"], _read_claims(told["claims"])
    )


def show_table_digests(digests: TableDigests) -> dict[str, object]:
    """The JSON of the digests of a table."""
    return {
        "table": digests.table.name,
        "revision": digests.revision,
        "months": dict(digests.months),
        "claims": _show_owner_claims(digests.claims),
    }


def read_table_digests(told: Mapping[str, Any]) -> TableDigests:
    """Read what ``show_table_digests`` made."""
    table = RECORD_TABLES[told["table"]]
    return TableDigests(table, told["revision"], told["months"], _read_owner_claims(told["claims"]))


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except ReplicationError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, MarketHubError) as error:
        raise ReplicationError(f"the other node sent {what} that cannot be read: {error}") from error


def _pack_patches(
    told: Mapping[str, object],
    series: Sequence[SeriesPatch],
    records: Sequence[RecordPatch],
    compression: str | None,
) -> list[bytes]:
    header = {
        **told,
        "series": [_series_header(one) for one in series],
        "records": [_records_header(one) for one in records],
    }
    bars = [one.bars for one in series if len(one.bars)]
    tables = [_join(bars) if bars else KLINES.empty_table()]
    for one in records:
        tables += [one.rows, one.deleted]
    return _pack(header, tables, compression)


def _join(bars: Sequence[pa.Table]) -> pa.Table:
    joined = pa.concat_tables(bars)
    # Each chunk travels as a batch of its own, and thousands of tiny ones cost more than one copy.
    is_crumbled = len(bars) > 1 and len(joined) < _SMALL_CHUNK_ROWS * len(bars)
    return joined.combine_chunks() if is_crumbled else joined


def _unpack_patches(message: Message) -> tuple[dict[str, Any], list[SeriesPatch], list[RecordPatch]]:
    header, tables = _unpack(message)
    series = list(_unpack_series(header["series"], _expect(tables[0], KLINES)))
    records = [
        _unpack_records(told, *tables[place : place + 2])
        for told, place in zip(header["records"], range(1, len(tables), 2), strict=True)
    ]
    return header, series, records


def _pack(header: object, tables: Iterable[pa.Table], compression: str | None) -> list[bytes]:
    told = orjson.dumps(header)
    # Blanks, so that columns begin where processors like it.
    told += b" " * (-(_HEAD_BYTES + len(told) + _STREAM_LENGTH.size) % _ALIGNMENT)
    pieces: list[bytes] = [_LENGTH.pack(len(told)), told]
    options = pa.ipc.IpcWriteOptions(compression=compression)
    for table in tables:
        stream = _Pieces()
        with pa.ipc.new_stream(stream, table.schema, options=options) as writer:
            writer.write_table(table)
        pieces += [_STREAM_LENGTH.pack(sum(map(len, stream.pieces))), *stream.pieces]
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
    return [_MAGIC, _LENGTH.pack(checksum), *pieces]


class _Pieces:
    """Takes what a writer writes, columns that are not compressed without a copy."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self.pieces.append(piece)


def _unpack(message: Message) -> tuple[dict[str, Any], list[pa.Table]]:
    try:
        place = _check_whole(message)
        (length,) = _LENGTH.unpack_from(message, place)
        place += _LENGTH.size
        header = orjson.loads(memoryview(message)[place : place + length])
        return header, list(_read_streams(pa.py_buffer(message), place + length))
    except (ValueError, struct.error, pa.ArrowException, OSError) as error:
        raise ReplicationError(f"the other node sent a message that cannot be read: {error}") from error


def _check_whole(message: Message) -> int:
    """Where what the checksum is about begins; ValueError if it does not fit."""
    if message[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it does not begin as a message of ours does")
    (checksum,) = _LENGTH.unpack_from(message, len(_MAGIC))
    begin = len(_MAGIC) + _LENGTH.size
    if zlib.crc32(memoryview(message)[begin:]) != checksum:
        raise ValueError("its checksum does not fit: it was cut short or changed on its way")
    return begin


def _read_streams(message: pa.Buffer, place: int) -> Iterator[pa.Table]:
    view = memoryview(message)
    while place < len(view):
        (length,) = _STREAM_LENGTH.unpack_from(view, place)
        place += _STREAM_LENGTH.size
        if place + length > len(view):
            raise ValueError(f"it ends {place + length - len(view)} bytes too early")
        with pa.ipc.open_stream(message.slice(place, length)) as reader:
            yield reader.read_all()
        place += length


def _expect(table: pa.Table, schema: pa.Schema) -> pa.Table:
    if not table.schema.equals(schema):
        raise ReplicationError(
            f"the other node sent columns {', '.join(table.schema.names)} instead of "
            f"{', '.join(schema.names)}; run the same version on all nodes"
        )
    return table


def _series_header(patch: SeriesPatch) -> dict[str, object]:
    return {
        "series": str(patch.series),
        "bars": len(patch.bars),
        "claims": _show_claims(patch.claims),
        "cleared": _show_spans(patch.cleared),
        "unclaimed": _show_spans(patch.unclaimed),
    }


def _unpack_series(headers: Sequence[Mapping[str, Any]], bars: pa.Table) -> Iterator[SeriesPatch]:
    place = 0
    for told in headers:
        count = int(told["bars"])
        yield SeriesPatch(
            Series.parse(told["series"]),
            bars.slice(place, count),
            _read_claims(told["claims"]),
            _read_spans(told["cleared"]),
            _read_spans(told["unclaimed"]),
        )
        place += count
    if place != len(bars):
        raise ValueError(f"{len(bars)} bars where its header counts {place}")


def _records_header(patch: RecordPatch) -> dict[str, object]:
    return {
        "table": patch.table.name,
        "claims": _show_owner_claims(patch.claims),
        "unclaimed": list(patch.unclaimed),
    }


def _unpack_records(told: Mapping[str, Any], rows: pa.Table, deleted: pa.Table) -> RecordPatch:
    table: RecordTable = RECORD_TABLES[told["table"]]
    keys = pa.schema([table.schema.field(name) for name in table.key])
    return RecordPatch(
        table,
        _expect(rows, table.schema),
        _expect(deleted, keys),
        _read_owner_claims(told["claims"]),
        [str(owner) for owner in told["unclaimed"]],
    )


def _show_claims(claims: Iterable[Coverage]) -> list[tuple[int, int, str, int]]:
    return [(one.span.start_ms, one.span.end_ms, one.source, one.checked_ms) for one in claims]


def _read_claims(told: Iterable[Sequence[Any]]) -> list[Coverage]:
    return [
        Coverage(Span(start_ms, end_ms), source, checked_ms) for start_ms, end_ms, source, checked_ms in told
    ]


def _show_owner_claims(claims: Iterable[OwnerClaims]) -> list[tuple[str, list[tuple[int, int, str, int]]]]:
    return [(one.owner, _show_claims(one.claims)) for one in claims]


def _read_owner_claims(told: Iterable[Sequence[Any]]) -> list[OwnerClaims]:
    return [OwnerClaims(owner, _read_claims(claims)) for owner, claims in told]


def _show_spans(spans: Iterable[Span]) -> list[tuple[int, int]]:
    return [(span.start_ms, span.end_ms) for span in spans]


def _read_spans(told: Iterable[Sequence[int]]) -> list[Span]:
    return [Span(start_ms, end_ms) for start_ms, end_ms in told]
