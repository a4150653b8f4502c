"""The same bars in plain DuckDB and in ArcticDB, each as its own documentation would have it."""

from collections.abc import Iterable
from pathlib import Path

import arcticdb
import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.store_bars import series_of
from markethub.tables.klines import KLINES

_SQL_TYPES = {"timestamp[ms, tz=UTC]": "TIMESTAMP_MS", "double": "DOUBLE", "int64": "BIGINT"}

RAW_COLUMNS = ", ".join(f'"{name}"' for name in KLINES.names)


def open_raw(path: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB file with one table ``bars``: series, the columns of KLINES, revision; no key."""
    connection = duckdb.connect(path)
    columns = ", ".join(f'"{field.name}" {_SQL_TYPES[str(field.type)]}' for field in KLINES)
    connection.execute(f"CREATE TABLE bars (series INTEGER, {columns}, revision BIGINT)")
    return connection


def insert_raw(connection: duckdb.DuckDBPyConnection, numbered: Iterable[tuple[int, pa.Table]]) -> None:
    """One plain INSERT .. SELECT of all the tables given, in one transaction."""
    tables = [
        bars.set_column(0, "open_time", bars["open_time"].cast(pa.timestamp("ms"))).add_column(
            0, "series", pa.array(np.full(len(bars), number, np.int32))
        )
        for number, bars in numbered
    ]
    connection.register("incoming", pa.concat_tables(tables))
    connection.execute("INSERT INTO bars SELECT *, 1 FROM incoming")
    connection.unregister("incoming")


def read_raw(connection: duckdb.DuckDBPyConnection, number: int, start_ms: int, end_ms: int) -> pa.Table:
    """What a reader would write by hand, in no order."""
    return connection.sql(
        f"SELECT {RAW_COLUMNS} FROM bars WHERE series = ? "  # noqa: S608 - no outside text
        "AND open_time >= make_timestamp_ms(?)::TIMESTAMP_MS "
        "AND open_time < make_timestamp_ms(?)::TIMESTAMP_MS",
        params=[number, start_ms, end_ms],
    ).to_arrow_table()


def open_arctic(folder: Path) -> arcticdb.library.Library:
    """An ArcticDB library on LMDB that answers in Arrow."""
    arctic = arcticdb.Arctic(f"lmdb://{folder}?map_size=8GB")
    return arctic.get_library("bars", create_if_missing=True)


def to_frame(bars: pa.Table) -> pd.DataFrame:
    """What ArcticDB writes: a frame with the time as its index."""
    frame: pd.DataFrame = bars.to_pandas()
    return frame.set_index("open_time")


def arctic_name(number: int) -> str:
    """The symbol under which ArcticDB keeps a series."""
    return str(series_of(number).symbol)
