"""Bars of many symbols as bytes: every format tells the same, whatever is read and however it is cut."""

import csv
import io
import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.api.dms import bar_streams, json_bars
from markethub.api.dms.bar_streams import ARROW_BARS, PARQUET_BARS, stream_bars
from markethub.api.dms.bar_texts import write_times, write_volumes
from markethub.api.table_streams import Part
from markethub.domain.errors import StoreError
from markethub.domain.times import format_time, from_ms
from markethub.services.dms_reads import BAR_COLUMNS, BarReading
from markethub.tables.klines import KLINES, PLACE
from markethub.wire.series import TableFormat

BATCH_SCHEMA = pa.schema([PLACE, *(KLINES.field(name) for name in BAR_COLUMNS)])
SYMBOLS = ("US.AAPL", "BTC_USDT.BNC", "US.BRK.B", "币安_USDT.BNC", "HK.00700")

Bar = tuple[int, int, float, float, float, float, float]
"""Place, open time, and five numbers."""


def batch_of(bars: list[Bar]) -> pa.RecordBatch:
    columns = zip(*bars, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, BATCH_SCHEMA, strict=True)],
        schema=BATCH_SCHEMA,
    )


def read(bars: list[Bar], batch_rows: int = 4, symbols: tuple[str, ...] = SYMBOLS) -> BarReading:
    def batches() -> Generator[pa.RecordBatch]:
        for start in range(0, len(bars), batch_rows):
            yield batch_of(bars[start : start + batch_rows])

    return BarReading(symbols, batches())


def write(reading: BarReading, format_name: TableFormat, *, is_single: bool = False) -> bytes:
    return b"".join(stream_bars(reading, format_name, is_single=is_single))


@dataclass
class Told:
    """What an answer says, by symbol: naive times, and five numbers a bar."""

    times: dict[str, list[str]]
    numbers: dict[str, list[list[float]]]


def expect(bars: list[Bar], symbols: tuple[str, ...] = SYMBOLS) -> Told:
    told = Told({name: [] for name in symbols}, {name: [] for name in symbols})
    for place, time_ms, *numbers in bars:
        told.times[symbols[place]].append(format_time(time_ms).removesuffix("Z"))
        told.numbers[symbols[place]].append(list(numbers))
    return told


NUMBERS = ("Open", "High", "Low", "Close", "Volume")
prices = st.floats(1e-300, 1e12, exclude_min=True)
volumes = st.one_of(st.floats(0, 1e18), st.integers(0, 10**18).map(float), st.just(0.0))
minutes = st.integers(-62_135_596_800 // 60, 253_402_300_799 // 60).map(lambda minute: minute * 60_000)
some_bars = st.lists(
    st.tuples(st.sampled_from([0, 1, 3, 4]), minutes, prices, prices, prices, prices, volumes),
    max_size=25,
    unique_by=lambda bar: bar[:2],
).map(sorted)


@pytest.fixture(scope="module", autouse=True)
def _small_slices() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bar_streams, "_SLICE_ROWS", 3)
        patch.setattr(bar_streams, "_PART_BYTES", 50)
        patch.setattr(bar_streams, "PARQUET_GROUP_ROWS", 6)
        patch.setattr(json_bars, "_INDEX_ROWS", 2)
        yield


@settings(max_examples=40, deadline=None)
@given(some_bars, st.integers(1, 10))
def test_every_format_tells_the_same(bars: list[Bar], batch_rows: int) -> None:
    expected = expect(bars)
    answer = json.loads(write(read(bars, batch_rows), "json"))
    assert list(answer) == list(SYMBOLS)
    for name in SYMBOLS:
        rows = answer[name]["data"]
        assert list(answer[name]) == ["data", "index"]
        assert all(list(row) == ["time", *NUMBERS] for row in rows)
        assert answer[name]["index"] == [row["time"] for row in rows] == expected.times[name]
        assert [[row[number] for number in NUMBERS] for row in rows] == expected.numbers[name]

    lines = list(csv.DictReader(io.StringIO(write(read(bars, batch_rows), "csv").decode())))
    assert [(line["symbol"], line["time"]) for line in lines] == [
        (name, time) for name in SYMBOLS for time in expected.times[name]
    ]
    assert [[float(line[number]) for number in NUMBERS] for line in lines] == [
        numbers for name in SYMBOLS for numbers in expected.numbers[name]
    ]

    rows = [
        {"symbol": SYMBOLS[place], "time": from_ms(time_ms)} | dict(zip(NUMBERS, numbers, strict=True))
        for place, time_ms, *numbers in bars
    ]
    with pa.ipc.open_stream(write(read(bars, batch_rows), "arrow")) as reader:
        table = reader.read_all()
    assert table.schema.equals(ARROW_BARS)
    assert table.to_pylist() == rows
    table = pq.read_table(io.BytesIO(write(read(bars, batch_rows), "parquet")))
    assert table.schema.equals(PARQUET_BARS)
    assert table.to_pylist() == rows


@settings(max_examples=15, deadline=None)
@given(some_bars.map(lambda bars: [(0, *bar[1:]) for bar in bars if bar[0] == 0]))
def test_one_symbol_is_an_object_with_its_name(bars: list[Bar]) -> None:
    answer = json.loads(write(read(bars, symbols=("US.AAPL",)), "json", is_single=True))
    expected = expect(bars, ("US.AAPL",))
    assert list(answer) == ["symbol", "data", "index"]
    assert (answer["symbol"], answer["index"]) == ("US.AAPL", expected.times["US.AAPL"])
    assert [[row[number] for number in NUMBERS] for row in answer["data"]] == expected.numbers["US.AAPL"]


def test_the_exact_text() -> None:
    bars: list[Bar] = [
        (1, 0, 150.0, 155.0, 149.0, 154.25, 1000000.0),
        (1, 60_000, 1e-7, 1e12, 0.1, 2.0, 0.5),
    ]
    assert write(read(bars), "json").decode() == (
        '{"US.AAPL":{"data":[],"index":[]},"BTC_USDT.BNC":{"data":['
        '{"time":"1970-01-01T00:00:00","Open":150.0,"High":155.0,"Low":149.0,"Close":154.25,"Volume":1000000},'
        '{"time":"1970-01-01T00:01:00","Open":1e-7,"High":1000000000000.0,"Low":0.1,"Close":2.0,"Volume":0.5}'
        '],"index":["1970-01-01T00:00:00","1970-01-01T00:01:00"]},"US.BRK.B":{"data":[],"index":[]},'
        '"币安_USDT.BNC":{"data":[],"index":[]},"HK.00700":{"data":[],"index":[]}}'
    )
    assert write(read(bars), "csv").decode() == (
        "symbol,time,Open,High,Low,Close,Volume\n"
        "BTC_USDT.BNC,1970-01-01T00:00:00,150.0,155.0,149.0,154.25,1000000\n"
        "BTC_USDT.BNC,1970-01-01T00:01:00,1e-7,1000000000000.0,0.1,2.0,0.5\n"
    )


def test_volumes_are_whole_numbers_where_they_are() -> None:
    told = write_volumes(pl.Series("v", [0.0, 1.0, 0.5, 2.0**53 - 1, 2.0**53, 1e18, 1e-300, 12.0]))
    assert told.to_list()[:4] == ["0", "1", "0.5", "9007199254740991"]
    # From there on not every whole number is a float: the point says so.
    assert [type(json.loads(text)) for text in told.to_list()[4:6]] == [float, float]
    assert [json.loads(text) for text in told.to_list()[4:]] == [2.0**53, 1e18, 1e-300, 12]


def test_times_of_the_first_and_the_last_year() -> None:
    first, last = -62_135_596_800_000, 253_402_300_740_000
    told = write_times(np.array([last, first, -60_000, 86_399_999 // 60_000 * 60_000]))
    assert told.to_list() == [
        "9999-12-31T23:59:00", "0001-01-01T00:00:00", "1969-12-31T23:59:00", "1970-01-01T23:59:00",
    ]  # fmt: skip


def test_no_symbol_needs_all_of_the_answer_at_once() -> None:
    """Parts come while bars are read; a symbol's index is the only thing that waits for its end."""
    bars: list[Bar] = [(0, minute * 60_000, 1.0, 1.0, 1.0, 1.0, 1.0) for minute in range(40)]
    reading = read(bars, batch_rows=4)
    taken = []

    def counted() -> Generator[pa.RecordBatch]:
        for number, batch in enumerate(reading.batches):
            taken.append(number)
            yield batch

    parts = stream_bars(BarReading(SYMBOLS, counted()), "json", is_single=False)
    next(parts)
    assert taken == [0]
    sizes = [len(part) for part in parts]
    assert max(sizes) < 1000


@pytest.mark.parametrize("format_name", ["json", "arrow", "parquet", "csv"])
def test_an_error_in_the_middle_ends_no_document(format_name: TableFormat) -> None:
    whole = write(read([(0, 0, 1.0, 1.0, 1.0, 1.0, 1.0)], symbols=("US.AAPL",)), format_name)
    closed = []

    def broken() -> Generator[pa.RecordBatch]:
        try:
            yield batch_of([(0, 0, 1.0, 1.0, 1.0, 1.0, 1.0)])
            raise StoreError("the disk is gone")
        finally:
            closed.append(True)

    parts: list[Part] = []
    stream = stream_bars(BarReading(("US.AAPL",), broken()), format_name, is_single=False)
    with pytest.raises(StoreError, match="the disk is gone"):
        parts.extend(stream)  # what came before the error stays in it
    assert closed == [True]
    if format_name != "csv":  # which has no end of its own: HTTP's is missing
        assert len(b"".join(parts)) < len(whole)


def test_who_stops_taking_parts_closes_the_reading() -> None:
    reading = read([(0, minute * 60_000, 1.0, 1.0, 1.0, 1.0, 1.0) for minute in range(40)])
    parts = stream_bars(reading, "json", is_single=False)
    next(parts)
    parts.close()
    assert next(reading.batches, None) is None
