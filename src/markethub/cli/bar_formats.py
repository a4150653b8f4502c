"""Bars as CSV, JSON, Arrow or Parquet, spelled as the HTTP API spells them."""

import io
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from markethub.domain.errors import InputError


class BarFormat(StrEnum):
    """``table`` is for people; the others are for programs."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"
    PARQUET = "parquet"

    @property
    def is_binary(self) -> bool:
        return self in (BarFormat.ARROW, BarFormat.PARQUET)


def format_of_file(path: Path) -> BarFormat:
    """The format that a file's ending names; InputError lists them where it names none."""
    endings = [name for name in BarFormat if name is not BarFormat.TABLE]
    ending = path.suffix.removeprefix(".").lower()
    if ending not in endings:
        raise InputError(f"the ending of {path.name} is none of {', '.join(endings)}; name one with --format")
    return BarFormat(ending)


def encode_bars(bars: pa.Table, name: BarFormat, *, time_column: str = "open_time") -> bytes:
    """Bars as one document of a program's format; no rows give a document without rows.

    CSV has a header line, JSON is an array of objects; times are ``2026-01-01T00:00:00Z``, floats the
    shortest text that reads back to the same number. Arrow is the IPC stream format; Parquet uses zstd.
    """
    encoders: dict[BarFormat, Callable[[pa.Table], bytes]] = {
        BarFormat.CSV: lambda table: _text_frame(table, time_column).write_csv().encode(),
        BarFormat.JSON: lambda table: _text_frame(table, time_column).write_json().encode() + b"\n",
        BarFormat.ARROW: _encode_arrow,
        BarFormat.PARQUET: _encode_parquet,
    }
    return encoders[name](bars)


def _text_frame(bars: pa.Table, time_column: str) -> pl.DataFrame:
    frame = pl.from_arrow(bars)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"a table became {type(frame).__name__}")
    # Bars open on whole seconds on every grid.
    return frame.with_columns(pl.col(time_column).dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _encode_arrow(bars: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, bars.schema) as writer:
        writer.write_table(bars)
    return sink.getvalue()


def _encode_parquet(bars: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(bars, sink, compression="zstd")
    return sink.getvalue()
