"""Bars of many symbols in the JSON of the DMS page."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa

from markethub.api.dms.bar_texts import spell_times, to_texts, write_volumes
from markethub.api.table_streams import Part
from markethub.tables.klines import PLACE, open_times_ms

_INDEX_ROWS = 32_768
_QUOTE, _COMMA = ord('"'), ord(",")
_QUOTED_BYTES = 22
_Times = npt.NDArray[np.int64]


class JsonBars:
    """Writes one answer: an object by symbol, or that of a single one.

    Whole columns become text at once, each bar followed by a comma; so a symbol's bars are a slice of it
    without the last one. Its index follows its bars: it is a slice too while the batch lasts, and of batches
    before only the times are kept, eight bytes each.
    """

    def __init__(self, symbols: Sequence[str], *, is_single: bool) -> None:
        self._symbols = symbols
        self._is_single = is_single
        self._place = -1
        self._times: list[_Times] = []
        self._index: memoryview | None = None

    def write(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Part]:
        """Yield the document in pieces of any size; ``batches`` are those of a ``BarReading``."""
        for batch in batches:
            yield from self._write_batch(batch)
        yield from self._go_to(len(self._symbols))
        if not self._is_single:
            yield b"}"

    def _write_batch(self, batch: pa.RecordBatch) -> Iterator[Part]:
        places = batch.column(PLACE.name).to_numpy()
        times = open_times_ms(batch).to_numpy()
        quoted = _quote(times)
        index = memoryview(quoted.tobytes())
        text, ends = _write_rows(batch, quoted)
        starts = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
        for start, stop in pairwise(starts):
            place = int(places[start])
            if place == self._place:
                yield b","
            else:
                yield from self._go_to(place)
            yield text[ends[start] : ends[stop] - 1]
            self._index = index[start * _QUOTED_BYTES : stop * _QUOTED_BYTES]
        self._index = None
        self._times.append(times[starts[-2] :])

    def _go_to(self, place: int) -> Iterator[Part]:
        """End the symbol that is open, write those without bars in front of ``place``, and begin that one."""
        if self._place >= 0:
            yield b'],"index":['
            yield from self._write_index()
            yield b"]}"
        for passed in range(self._place + 1, place):
            yield self._head(passed)
            yield b'],"index":[]}'
        if place < len(self._symbols):
            yield self._head(place)
        self._place = place

    def _head(self, place: int) -> bytes:
        name = orjson.dumps(self._symbols[place])
        if self._is_single:
            return b'{"symbol":%b,"data":[' % name
        return b'%b%b:{"data":[' % (b"," if place else b"{", name)

    def _write_index(self) -> Iterator[Part]:
        """The times of the symbol that is open; one has bars."""
        earlier = np.concatenate(self._times) if self._times else np.empty(0, np.int64)
        self._times.clear()
        for start in range(0, len(earlier), _INDEX_ROWS):
            quoted = _quote(earlier[start : start + _INDEX_ROWS]).tobytes()
            is_last = self._index is None and start + _INDEX_ROWS >= len(earlier)
            yield quoted[:-1] if is_last else quoted
        if self._index is not None:
            yield self._index[:-1]


def _quote(times_ms: _Times) -> npt.NDArray[np.uint8]:
    """``n x 22`` characters: each time in quotes, and a comma."""
    quoted = np.empty((len(times_ms), _QUOTED_BYTES), np.uint8)
    quoted[:, 0] = quoted[:, 20] = _QUOTE
    quoted[:, 1:20] = spell_times(times_ms)
    quoted[:, 21] = _COMMA
    return quoted


def _write_rows(
    batch: pa.RecordBatch, quoted: npt.NDArray[np.uint8]
) -> tuple[memoryview, npt.NDArray[np.int64]]:
    """Every bar as an object with a comma behind it, and where in the text each begins and the last ends."""
    frame = pl.DataFrame(
        {
            "time": to_texts(quoted),
            **{name: pl.Series(batch.column(name)) for name in ("open", "high", "low", "close")},
            "volume": write_volumes(pl.Series("volume", batch.column("volume"))),
        }
    )
    # The floats' texts are the shortest that read back to the same number, always with a point or exponent.
    texts = frame.select(
        pl.concat_str(
            pl.lit('{"time":'),
            "time",
            pl.lit('"Open":'),
            pl.col("open").cast(pl.String),
            pl.lit(',"High":'),
            pl.col("high").cast(pl.String),
            pl.lit(',"Low":'),
            pl.col("low").cast(pl.String),
            pl.lit(',"Close":'),
            pl.col("close").cast(pl.String),
            pl.lit(',"Volume":'),
            "volume",
            pl.lit("},"),
        )
    ).to_series()
    rows = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, text = rows.buffers()
    return memoryview(text), np.frombuffer(ends, np.int64)[rows.offset : rows.offset + len(rows) + 1]
