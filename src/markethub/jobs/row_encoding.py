"""Rows as JSON lines and as Parquet, part by part, for exports of any length."""

import io
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from markethub.domain.times import format_time

Row = Mapping[str, Any]


class RowFormat(StrEnum):
    """How exported rows are written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


class ColumnKind(StrEnum):
    """What a column holds; null is always possible. Times are Unix milliseconds, JSON is any JSON value.

    JSON lines have times as ``2026-01-01T00:00:00Z`` and JSON as it is; Parquet has timestamps in UTC, and
    JSON as text.
    """

    TEXT = "text"
    INT = "int"
    TIME = "time"
    JSON = "json"


Columns = Mapping[str, ColumnKind]

EXECUTION_COLUMNS: Columns = {
    "id": ColumnKind.TEXT,
    "job_id": ColumnKind.TEXT,
    "job_name": ColumnKind.TEXT,
    "status": ColumnKind.TEXT,
    "started_at": ColumnKind.TIME,
    "completed_at": ColumnKind.TIME,
    "duration_ms": ColumnKind.INT,
    "result": ColumnKind.JSON,
    "error": ColumnKind.TEXT,
    "trace_id": ColumnKind.TEXT,
    "worker_id": ColumnKind.TEXT,
    "parameters_snapshot": ColumnKind.JSON,
    "created_at": ColumnKind.TIME,
}
CHUNK_COLUMNS: Columns = {
    "execution_id": ColumnKind.TEXT,
    "trace_id": ColumnKind.TEXT,
    "key": ColumnKind.TEXT,
    "status": ColumnKind.TEXT,
    "attempts": ColumnKind.INT,
    "error": ColumnKind.TEXT,
    "parameters": ColumnKind.JSON,
    "finished_at": ColumnKind.TIME,
}
LOG_COLUMNS: Columns = {
    "id": ColumnKind.TEXT,
    "timestamp": ColumnKind.TIME,
    "level": ColumnKind.TEXT,
    "message": ColumnKind.TEXT,
    "trace_id": ColumnKind.TEXT,
    "job_id": ColumnKind.TEXT,
    "execution_id": ColumnKind.TEXT,
    "worker_id": ColumnKind.TEXT,
}
AUDIT_COLUMNS: Columns = {
    "id": ColumnKind.TEXT,
    "at": ColumnKind.TIME,
    "token_id": ColumnKind.TEXT,
    "token_name": ColumnKind.TEXT,
    "address": ColumnKind.TEXT,
    "action": ColumnKind.TEXT,
    "target": ColumnKind.TEXT,
    "details": ColumnKind.JSON,
}

_ARROW_TYPES: Mapping[ColumnKind, pa.DataType] = {
    ColumnKind.TEXT: pa.string(),
    ColumnKind.INT: pa.int64(),
    ColumnKind.TIME: pa.timestamp("ms", tz="UTC"),
    ColumnKind.JSON: pa.string(),
}
_GROUP_ROWS = 20_000


class RowEncoder(Protocol):
    """Turns rows into the bytes of one file; the parts in order, and at last the end, are the whole of it."""

    def encode(self, rows: Sequence[Row]) -> bytes:
        """The next part; it may be empty while rows are gathered."""
        ...

    def finish(self) -> bytes:
        """What is left, and the file's end; without any row it is still a file."""
        ...


def create_encoder(format_name: RowFormat, columns: Columns) -> RowEncoder:
    """The encoder of one file of rows with these columns."""
    return JsonLinesEncoder(columns) if format_name is RowFormat.JSONL else ParquetEncoder(columns)


class JsonLinesEncoder:
    """One JSON object a line."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def encode(self, rows: Sequence[Row]) -> bytes:
        lines = (
            orjson.dumps({name: _spell(row[name], kind) for name, kind in self._columns.items()})
            for row in rows
        )
        return b"".join(line + b"\n" for line in lines)

    def finish(self) -> bytes:
        return b""


class ParquetEncoder:
    """Parquet with zstd, in row groups of 20,000 rows."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._schema = pa.schema([pa.field(name, _ARROW_TYPES[kind]) for name, kind in columns.items()])
        self._sink = io.BytesIO()
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def encode(self, rows: Sequence[Row]) -> bytes:
        self._rows += rows
        if len(self._rows) < _GROUP_ROWS:
            return b""
        self._write_group()
        return self._drain()

    def finish(self) -> bytes:
        if self._rows:
            self._write_group()
        self._writer.close()
        return self._sink.getvalue()

    def _write_group(self) -> None:
        arrays = [
            pa.array([_flatten(row[name], kind) for row in self._rows], self._schema.field(name).type)
            for name, kind in self._columns.items()
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), len(self._rows))
        self._rows = []

    def _drain(self) -> bytes:
        part = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return part


def _spell(value: object, kind: ColumnKind) -> object:
    return format_time(value) if kind is ColumnKind.TIME and isinstance(value, int) else value


def _flatten(value: object, kind: ColumnKind) -> object:
    return orjson.dumps(value).decode() if kind is ColumnKind.JSON and value is not None else value
