"""Tables leave as bytes that read back to the same values."""

import csv
import io
import json
import math
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.api.table_streams import stream_table
from markethub.domain.times import parse_time
from markethub.tables.klines import KLINES
from markethub.wire.series import KlineList

START_MS = parse_time("2024-01-01")
_FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=0, max_value=1e300)


def bars_of(rows: int) -> pa.Table:
    columns: dict[str, list[object]] = {"open_time": [START_MS + 60_000 * row for row in range(rows)]}
    for number, name in enumerate(KLINES.names[1:], start=1):
        columns[name] = [row if name == "trades" else row / 7 + number for row in range(rows)]
    if rows:
        columns["quote_volume"][0] = columns["trades"][0] = None
    return pa.table(
        {name: pa.array(values, KLINES.field(name).type) for name, values in columns.items()}, KLINES
    )


def write(table: pa.Table, format_name: str) -> bytes:
    envelope = {"symbol": "BTC_USDT.BNC", "interval": "1m"}
    return b"".join(bytes(part) for part in stream_table(table, format_name, envelope))  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [0, 1, 16_384, 16_385, 40_000])
def test_arrow_round_trip(rows: int) -> None:
    table = bars_of(rows)
    written = write(table, "arrow")
    assert pa.ipc.open_stream(written).read_all().equals(table)
    assert written.endswith(b"\xff\xff\xff\xff" + bytes(4))  # the format's end-of-stream mark


@pytest.mark.parametrize("rows", [0, 1, 140_000])
def test_parquet_round_trip(rows: int) -> None:
    table = bars_of(rows)
    file = pq.ParquetFile(io.BytesIO(write(table, "parquet")))
    assert file.read().equals(table)
    if rows:
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("rows", [0, 1, 16_385])
def test_json_has_every_row_with_nulls_and_z_times(rows: int) -> None:
    table = bars_of(rows)
    answer = json.loads(write(table, "json"))
    assert (answer["symbol"], answer["interval"]) == ("BTC_USDT.BNC", "1m")
    expected = table.to_pylist()
    for row in expected:
        row["open_time"] = row["open_time"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert answer["data"] == expected


def test_json_is_what_the_documented_model_says() -> None:
    KlineList.model_validate_json(
        write(bars_of(2), "json")
        .replace(b'"2024-01-01T00:00:00Z"', b"1")
        .replace(b'"2024-01-01T00:01:00Z"', b"2"),
        strict=True,
        extra="forbid",
    )


@pytest.mark.parametrize("rows", [0, 1, 16_385])
def test_csv_has_one_header_and_every_row(rows: int) -> None:
    table = bars_of(rows)
    header, *lines = csv.reader(io.StringIO(write(table, "csv").decode()))
    assert header == KLINES.names
    assert len(lines) == rows
    if rows:
        assert lines[0][0] == "2024-01-01T00:00:00Z"
        assert lines[0][KLINES.names.index("trades")] == ""
        assert [float(line[1]) for line in lines] == table.column("open").to_pylist()


@settings(deadline=None)
@given(st.lists(_FLOATS, min_size=1, max_size=20))
def test_text_formats_keep_floats_exactly(values: list[float]) -> None:
    table = bars_of(len(values)).set_column(1, KLINES.field("open"), pa.array(values, pa.float64()))
    from_json = [row["open"] for row in json.loads(write(table, "json"))["data"]]
    from_csv = [float(line["open"]) for line in csv.DictReader(io.StringIO(write(table, "csv").decode()))]
    assert from_json == values
    assert from_csv == values
    assert all(
        math.copysign(1, one) == math.copysign(1, other) for one, other in zip(from_json, values, strict=True)
    )


def test_parts_come_one_by_one() -> None:
    parts = list(stream_table(bars_of(40_000), "arrow", {}))
    assert len(parts) > 3
    assert max(len(part) for part in parts) < 2_000_000


def test_other_readers_understand_the_binary_formats() -> None:
    table = bars_of(3)
    for frame in (
        pl.read_ipc_stream(write(table, "arrow")),
        pl.read_parquet(io.BytesIO(write(table, "parquet"))),
    ):
        assert frame.columns == KLINES.names
        assert frame.to_arrow().cast(KLINES).equals(table)


def test_duckdb_reads_the_parquet_file(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    file.write_bytes(write(bars_of(3), "parquet"))
    rows = duckdb.read_parquet(str(file)).project("close, trades").fetchall()
    assert rows == [(row["close"], row["trades"]) for row in bars_of(3).to_pylist()]
