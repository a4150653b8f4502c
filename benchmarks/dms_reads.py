"""Batch reads over HTTP beside the same bars from local Parquet files and from ArcticDB, and from a replica.

What every contestant brings is one Arrow table of symbol, time, open, high, low, close and volume in memory,
ours through the Python client; of JSON the bytes, which nobody has parsed yet.
"""

import asyncio
import http.client
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import arcticdb
import duckdb
import numpy as np
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.processes import HubAddress, running_hub
from benchmarks.report import Row
from benchmarks.rounds import Contestant, take_turns
from benchmarks.store_bars import CHUNKS_PER_YEAR, DAY_MS, YEAR, chunk_of, series_of
from markethub import DataHub
from markethub.domain.interval import Interval
from markethub.domain.selection import Selection
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time
from markethub.ports.store import SeriesWrite
from markethub.replication.follower import Follower
from markethub.replication.source import StoreSource
from markethub.services.dms_reads import BAR_COLUMNS
from markethub.stores.duckdb import DuckdbSeriesStore, open_duckdb_store
from markethub.tables.klines import KLINES

DAILY_SYMBOLS = 1_000
DAILY_YEARS = 3
MINUTE_SYMBOLS = 100
SMALL_PART = 10
"""Of the symbols of one-minute bars: so many are read as JSON, and from the replica."""

_UNLIMITED = {"MARKETHUB_DMS__MAX_READ_ROWS": "1000000000"}
_NO_VENUE = "http://127.0.0.1:1"
_PARQUET_ROWS_PER_GROUP = 131_072


@dataclass(frozen=True, slots=True)
class Question:
    """Which bars to read, and how many times."""

    title: str
    series: Sequence[Series]
    rounds: int

    @property
    def rows(self) -> int:
        """How many bars that is."""
        return len(self.series) * YEAR.width_ms // self.series[0].interval.width_ms

    @property
    def symbols(self) -> list[str]:
        """Their symbols."""
        return [str(one.symbol) for one in self.series]


def run() -> list[Row]:
    """Store the bars everywhere, then read them in turns."""
    daily = Question(
        f"{DAILY_SYMBOLS:,} symbols x 1 year of 1d",
        [Series(Symbol.parse(f"US.S{number}"), Interval.D1) for number in range(DAILY_SYMBOLS)],
        rounds=7,
    )
    minutes = Question(
        f"{MINUTE_SYMBOLS} symbols x 1 year of 1m", [series_of(n) for n in range(MINUTE_SYMBOLS)], rounds=1
    )
    part = Question(f"{SMALL_PART} symbols x 1 year of 1m", minutes.series[:SMALL_PART], rounds=3)
    with TemporaryDirectory(prefix="markethub-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        library = open_arctic_of(folder / "arctic")
        master, slave = folder / "master" / "market.duckdb", folder / "slave" / "market.duckdb"
        with closing(open_duckdb_store(master)) as store:
            _store_days(store, library, folder, daily)
            _store_minutes(store, library, folder, minutes)
            store.compact()
            with closing(open_duckdb_store(slave)) as replica:
                asyncio.run(_replicate(store, replica, [*daily.symbols, *part.symbols]))
                replica.compact()
        hubs = {
            path.parent.name: stack.enter_context(running_hub(path.parent, _NO_VENUE, _UNLIMITED))
            for path in (master, slave)
        }
        rows: list[Row] = []
        for question in (daily, minutes):
            rows += _beside_files(hubs["master"], library, folder, question)
        for question in (daily, part):
            rows += _beside_replica(hubs, question)
        return [*rows, *_as_json(hubs["master"], folder, part)]


def open_arctic_of(folder: Path) -> arcticdb.library.Library:
    """An ArcticDB library on LMDB with room for all of it."""
    arctic = arcticdb.Arctic(f"lmdb://{folder}?map_size=40GB")
    return arctic.get_library("bars", create_if_missing=True)


def _store_days(
    store: DuckdbSeriesStore, library: arcticdb.library.Library, folder: Path, daily: Question
) -> None:
    count = DAILY_YEARS * 365
    times = pa.array(YEAR.start_ms + np.arange(-count, 365) * DAY_MS, KLINES.types[0])
    for start in range(0, len(daily.series), 100):
        writes = []
        for number, series in enumerate(daily.series[start : start + 100], start):
            values = chunk_of(number, 0).slice(number, len(times))
            writes.append(SeriesWrite(series, values.set_column(0, KLINES.field(0), times)))
        store.upsert_many(writes).result()
        for write in writes:
            _write_rivals(library, folder, write.series, write.bars)


def _store_minutes(
    store: DuckdbSeriesStore, library: arcticdb.library.Library, folder: Path, minutes: Question
) -> None:
    for number, series in enumerate(minutes.series):
        chunks = [chunk_of(number, chunk) for chunk in range(CHUNKS_PER_YEAR)]
        wait([store.upsert(series, bars) for bars in chunks])
        _write_rivals(library, folder, series, pa.concat_tables(chunks))


def _write_rivals(library: arcticdb.library.Library, folder: Path, series: Series, bars: pa.Table) -> None:
    chosen = bars.select(BAR_COLUMNS)
    pq.write_table(
        chosen, _parquet_of(folder, series), compression="lz4", row_group_size=_PARQUET_ROWS_PER_GROUP
    )
    library.write(str(series.symbol), chosen.to_pandas().set_index("open_time"))


async def _replicate(source: DuckdbSeriesStore, store: DuckdbSeriesStore, symbols: Sequence[str]) -> None:
    """Fill ``store`` as a slave's is filled."""
    selection = Selection.parse({"symbols": symbols})
    await Follower(StoreSource(source, lambda: 1), store, selection).catch_up()


def _beside_files(
    hub: HubAddress, library: arcticdb.library.Library, folder: Path, question: Question
) -> Iterator[Row]:
    files = {one: _parquet_of(folder, one) for one in question.series}
    readers: dict[str, Callable[[], pa.Table]] = {
        "hub": partial(_read_hub, hub, question),
        "Parquet, polars": partial(_read_polars, files),
        "Parquet, pyarrow": partial(_read_pyarrow, files),
        "Parquet, DuckDB": partial(_read_duckdb, files),
        "ArcticDB LMDB, read_batch": partial(_read_arctic, library, question),
    }
    spent = take_turns({name: _counted(read, question) for name, read in readers.items()}, question.rounds)
    wall_s = {name: one.wall_s for name, one in spent.items()}
    fastest = min((name for name in readers if name.startswith("Parquet")), key=wall_s.__getitem__)
    title = f"{question.title} as Arrow over HTTP"
    for rival in (fastest, "ArcticDB LMDB, read_batch"):
        yield Row(title, wall_s["hub"] * 1000, "ms", rival, wall_s[rival] * 1000)
    yield Row(f"{title}, throughput", question.rows / wall_s["hub"], "bars/s")
    yield Row(f"{title}, peak memory of the hub", _peak_mib(hub, partial(_read_hub, hub, question)), "MiB")


def _beside_replica(hubs: Mapping[str, HubAddress], question: Question) -> Iterator[Row]:
    spent = take_turns(
        {name: _counted(partial(_read_hub, hub, question), question) for name, hub in hubs.items()},
        question.rounds,
    )
    wall_ms = {name: one.wall_s * 1000 for name, one in spent.items()}
    yield Row(
        f"{question.title} as Arrow from a slave's store",
        wall_ms["slave"],
        "ms",
        "the master's",
        wall_ms["master"],
    )


def _as_json(hub: HubAddress, folder: Path, part: Question) -> Iterator[Row]:
    files = {one: _parquet_of(folder, one) for one in part.series}
    ask = partial(_ask_json, hub, part)
    spent = take_turns(
        {"hub": lambda: nullcontext(ask), "polars": lambda: nullcontext(partial(_write_polars, files))},
        part.rounds,
    )
    title = f"{part.title} as JSON over HTTP"
    wall_s = spent["hub"].wall_s
    yield Row(title, wall_s * 1000, "ms", "Parquet, polars write_json", spent["polars"].wall_s * 1000)
    yield Row(f"{title}, throughput", part.rows / wall_s, "bars/s")
    yield Row(f"{title}, peak memory of the hub", _peak_mib(hub, ask), "MiB")


def _counted(read: Callable[[], pa.Table], question: Question) -> Contestant:
    @contextmanager
    def prepare() -> Iterator[Callable[[], object]]:
        def run() -> None:
            found = len(read())
            if found != question.rows:
                raise RuntimeError(f"{read} brought {found} rows instead of {question.rows}")

        yield run

    return prepare


def _range() -> tuple[str, str]:
    return format_time(YEAR.start_ms), format_time(YEAR.end_ms)


def _ask_json(hub: HubAddress, question: Question) -> bytes:
    start, end = _range()
    body = {
        "symbols": question.symbols,
        "interval": question.series[0].interval.value,
        "start_date": start,
        "end_date": end,
    }
    headers = {"Authorization": f"Bearer {hub.token}", "Content-Type": "application/json"}
    path = "/api/dms/read/batch"
    with closing(http.client.HTTPConnection("127.0.0.1", urlsplit(hub.url).port, timeout=600)) as connection:
        connection.request("POST", path, orjson.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path} was answered with {response.status}: {content[:200]!r}")
    return content


def _read_hub(hub: HubAddress, question: Question) -> pa.Table:
    with DataHub(hub.url, hub.token, timeout_s=600) as client:
        return client.read_bars(question.symbols, question.series[0].interval.value, *_range())


def _parquet_of(folder: Path, series: Series) -> Path:
    return folder / f"{series.symbol}.parquet"


def _bounds() -> tuple[pd.Timestamp, pd.Timestamp]:
    first, last = (pd.Timestamp(time_ms, unit="ms", tz="UTC") for time_ms in (YEAR.start_ms, YEAR.end_ms - 1))
    return first, last


def _read_polars(files: Mapping[Series, Path]) -> pa.Table:
    return _scan_polars(files).collect().to_arrow()


def _scan_polars(files: Mapping[Series, Path]) -> pl.LazyFrame:
    first, last = _bounds()
    scanned = pl.scan_parquet(list(files.values()), include_file_paths="symbol")
    return scanned.filter(pl.col("open_time").is_between(first, last))


def _write_polars(files: Mapping[Series, Path]) -> str:
    return _scan_polars(files).collect().write_json()


def _read_pyarrow(files: Mapping[Series, Path]) -> pa.Table:
    first, last = _bounds()
    inside = [("open_time", ">=", first), ("open_time", "<=", last)]
    tables = []
    for series, path in files.items():
        table = pq.read_table(path, filters=inside)
        names = pa.DictionaryArray.from_arrays(np.zeros(len(table), np.int32), [str(series.symbol)])
        tables.append(table.append_column("symbol", names))
    return pa.concat_tables(tables)


def _read_duckdb(files: Mapping[Series, Path]) -> pa.Table:
    with duckdb.connect() as connection:
        return connection.sql(
            "SELECT filename, * FROM read_parquet(?, filename = true) "
            "WHERE open_time >= make_timestamp_ms(?) AND open_time < make_timestamp_ms(?)",
            params=[[str(path) for path in files.values()], YEAR.start_ms, YEAR.end_ms],
        ).to_arrow_table()


def _read_arctic(library: arcticdb.library.Library, question: Question) -> pa.Table:
    requests = [arcticdb.ReadRequest(symbol, date_range=_bounds()) for symbol in question.symbols]
    found = library.read_batch(requests, output_format=arcticdb.OutputFormat.PYARROW)
    return pa.concat_tables([one.data for one in found])


def _peak_mib(hub: HubAddress, ask: Callable[[], object]) -> float:
    """The most memory that the hub's process had while it answered."""
    Path(f"/proc/{hub.pid}/clear_refs").write_text("5")  # the high-water mark starts anew
    ask()
    status = Path(f"/proc/{hub.pid}/status").read_text()
    [peak_kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak_kib) / 1024
