"""Read one series of one-minute bars into Arrow, all ten columns: a day, and a year."""

from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import arcticdb
import pandas as pd
import pyarrow as pa

from benchmarks.report import Row
from benchmarks.rounds import take_turns
from benchmarks.store_bars import CHUNKS_PER_YEAR, DAY_MS, YEAR, chunk_of, series_of
from benchmarks.store_rivals import arctic_name, insert_raw, open_arctic, open_raw, read_raw, to_frame
from markethub.domain.span import Span
from markethub.stores.duckdb import open_duckdb_store

_SERIES = 8
_ROUNDS = 25
_DAY = Span(YEAR.start_ms + 200 * DAY_MS, YEAR.start_ms + 201 * DAY_MS)

Reader = Callable[[int, Span], object]


def run() -> list[Row]:
    """Eight series-years lie in each store; a round reads one series from each, the next round the next."""
    with TemporaryDirectory() as folder, _open_readers(Path(folder)) as readers:
        return [
            row
            for span, title in ((_DAY, "a day"), (YEAR, "a year"))
            for row in _measure(readers, span, title)
        ]


def _measure(readers: dict[str, Reader], span: Span, title: str) -> Iterator[Row]:
    minutes = span.width_ms // 60_000

    @contextmanager
    def read_next(read: Reader, numbers: Iterator[int]) -> Iterator[Callable[[], None]]:
        number = next(numbers)

        def run() -> None:
            found = read(number, span)
            if len(found) != minutes:  # type: ignore[arg-type] # a table, or a frame
                raise RuntimeError(f"{read} brought {len(found)} rows instead of {minutes}")  # type: ignore[arg-type]

        yield run

    spent = take_turns(
        {name: partial(read_next, read, cycle(range(_SERIES))) for name, read in readers.items()}, _ROUNDS
    )
    wall_ms = {name: one.wall_s * 1000 for name, one in spent.items()}
    for name in readers:
        if name != "store":
            yield Row(f"read {title}, {minutes:,} bars", wall_ms["store"], "ms", name, wall_ms[name])


@contextmanager
def _open_readers(folder: Path) -> Iterator[dict[str, Reader]]:
    store = open_duckdb_store(folder / "bars.duckdb")
    library = open_arctic(folder / "arctic")
    with open_raw(folder / "raw.duckdb") as raw:
        for number in range(_SERIES):
            chunks = [chunk_of(number, chunk) for chunk in range(CHUNKS_PER_YEAR)]
            wait([store.upsert(series_of(number), bars) for bars in chunks])
            insert_raw(raw, [(number, bars) for bars in chunks])
            library.write(arctic_name(number), to_frame(pa.concat_tables(chunks)))
        store.compact()
        raw.execute("CHECKPOINT")

        def read_arctic(number: int, span: Span, output: arcticdb.OutputFormat) -> object:
            first, last = (
                pd.Timestamp(time_ms, unit="ms", tz="UTC") for time_ms in (span.start_ms, span.end_ms - 1)
            )
            return library.read(arctic_name(number), date_range=(first, last), output_format=output).data

        yield {
            "store": lambda number, span: store.read(series_of(number), span),
            "DuckDB, SELECT to Arrow": lambda number, span: read_raw(raw, number, span.start_ms, span.end_ms),
            "ArcticDB LMDB, to Arrow": lambda number, span: read_arctic(
                number, span, arcticdb.OutputFormat.PYARROW
            ),
            "ArcticDB LMDB, to pandas": lambda number, span: read_arctic(
                number, span, arcticdb.OutputFormat.PANDAS
            ),
        }
    store.close()
