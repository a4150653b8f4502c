"""Bars of many symbols as bytes, part by part, while they are read."""

import io
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain

import polars as pl
import pyarrow as pa

from markethub.api.dms.bar_texts import write_times, write_volumes
from markethub.api.dms.json_bars import JsonBars
from markethub.api.table_streams import PARQUET_GROUP_ROWS, Part, drain, open_parquet
from markethub.services.dms_reads import BarReading
from markethub.tables.klines import PLACE, open_times_ms
from markethub.wire.series import TableFormat

_PART_BYTES = 1_000_000
_SLICE_ROWS = 32_768

Batches = Iterable[pa.RecordBatch]

_FIELDS = [
    pa.field("time", pa.timestamp("ms", tz="UTC"), nullable=False),
    *(pa.field(name, pa.float64(), nullable=False) for name in ("Open", "High", "Low", "Close", "Volume")),
]
ARROW_BARS = pa.schema([pa.field("symbol", pa.dictionary(pa.int32(), pa.string()), nullable=False), *_FIELDS])
"""Bars of many symbols; names repeat, so each is sent once."""
PARQUET_BARS = pa.schema([pa.field("symbol", pa.string(), nullable=False), *_FIELDS])
"""The same in Parquet, which does so by itself."""


def stream_bars(reading: BarReading, format_name: TableFormat, *, is_single: bool) -> Generator[Part]:
    """Yield the bars in the named format; closes the reading at its end, or when it is closed itself.

    The first part comes after the first bars were read. JSON is an object by symbol of ``data`` and
    ``index``, of a single symbol these two beside its name; the others are one table. Times of JSON and CSV
    are naive UTC, ``2026-01-01T00:00:00``; there a volume below 2**53 without a fraction has no point.
    """
    with closing(reading.batches) as batches:
        first = next(batches, None)
        rest = batches if first is None else chain([first], batches)
        if format_name == "json":
            pieces = JsonBars(reading.symbols, is_single=is_single).write(_slices(rest))
        else:
            writers: dict[str, Callable[[Batches, Sequence[str]], Iterator[Part]]] = {
                "arrow": _write_arrow,
                "parquet": _write_parquet,
                "csv": _write_csv,
            }
            pieces = writers[format_name](rest, reading.symbols)
        yield from _gather(pieces)


def _write_arrow(batches: Batches, symbols: Sequence[str]) -> Iterator[Part]:
    sink = io.BytesIO()
    names = pa.array(symbols, pa.string())
    with pa.ipc.new_stream(sink, ARROW_BARS) as writer:
        for batch in batches:
            column = pa.DictionaryArray.from_arrays(batch.column(PLACE.name), names)
            writer.write_batch(pa.RecordBatch.from_arrays([column, *batch.columns[1:]], schema=ARROW_BARS))
            yield drain(sink)
    yield sink.getvalue()


def _write_parquet(batches: Batches, symbols: Sequence[str]) -> Iterator[Part]:
    sink = io.BytesIO()
    names = pa.array(symbols, pa.string())
    waiting: list[pa.RecordBatch] = []
    with open_parquet(sink, PARQUET_BARS) as writer:
        for batch in batches:
            column = names.take(batch.column(PLACE.name))
            waiting.append(pa.RecordBatch.from_arrays([column, *batch.columns[1:]], schema=PARQUET_BARS))
            if sum(map(len, waiting)) >= PARQUET_GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(waiting), row_group_size=PARQUET_GROUP_ROWS)
                waiting.clear()
                yield drain(sink)
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting), row_group_size=PARQUET_GROUP_ROWS)
    yield sink.getvalue()


def _write_csv(batches: Batches, symbols: Sequence[str]) -> Iterator[Part]:
    yield (",".join(PARQUET_BARS.names) + "\n").encode()
    names = pl.Series(symbols, dtype=pl.String)
    for batch in _slices(batches):
        frame = pl.DataFrame(
            {
                "symbol": names.gather(batch.column(PLACE.name).to_numpy()),
                "time": write_times(open_times_ms(batch).to_numpy()),
                **{name: pl.Series(batch.column(name)) for name in ("open", "high", "low", "close")},
                "volume": write_volumes(pl.Series(batch.column("volume"))),
            }
        )
        yield frame.write_csv(include_header=False).encode()


def _slices(batches: Batches) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, len(batch), _SLICE_ROWS):
            yield batch.slice(start, _SLICE_ROWS)


def _gather(pieces: Iterator[Part]) -> Iterator[Part]:
    """The same bytes in parts of about a megabyte: thousands of symbols are many small pieces."""
    waiting: list[Part] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PART_BYTES:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    if waiting:
        yield b"".join(waiting)
