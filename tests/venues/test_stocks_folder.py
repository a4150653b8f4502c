"""Bars out of CSV and Parquet files: where they lie, what their times mean, which rows are bad."""

import os
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import (
    ArchiveError,
    SymbolNotListedError,
    VenueProtocolError,
    VenueRefusedError,
)
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.tables.klines import open_times_ms
from markethub.venues.stocks.exchanges import US
from markethub.venues.stocks.folder.client import FolderKlines
from markethub.venues.stocks.folder.files import read_bars
from markethub.venues.stocks.options import SourceName, StockOptions
from markethub.venues.stocks.sessions import StockSessions
from markethub.venues.stocks.source import Adjustment

SESSIONS = StockSessions(US)
NOW = parse_time("2024-06-15T12:00")
DAYS = Series.parse("US.AAPL 1d")
MINUTES = Series.parse("US.AAPL 1m")
JUNE = Span(parse_time("2024-06-01"), parse_time("2024-07-01"))

HEADER = "Date,Open,High,Low,Close,Volume\n"
ROWS = "2024-06-03,10,12,9,11,1000\n2024-06-04,11,13,10,12,1100\n"


def source_of(folder: Path, now_ms: int = NOW, adjustment: Adjustment = Adjustment.RAW) -> FolderKlines:
    options = StockOptions(source=SourceName.FOLDER, path=folder, adjustment=adjustment)
    return FolderKlines(US, options, SESSIONS, lambda: now_ms)


def write(folder: Path, text: str, name: str = "US.AAPL.1d.csv") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


async def test_a_page_ends_where_the_file_does(tmp_path: Path) -> None:
    write(tmp_path, HEADER + ROWS)
    source = source_of(tmp_path, adjustment=Adjustment.ADJUSTED)
    assert source.label == "folder adjusted"
    page = await source.klines(DAYS, JUNE)
    assert [(row["open_time"].day, row["open"], row["volume"]) for row in page.bars.to_pylist()] == [
        (3, 10.0, 1000.0),
        (4, 11.0, 1100.0),
    ]
    assert page.covered == Span(JUNE.start_ms, parse_time("2024-06-05"))
    rest = await source.klines(DAYS, Span(parse_time("2024-06-05"), JUNE.end_ms))
    assert (rest.covered, len(rest.bars)) == (None, 0)


@pytest.mark.parametrize(
    "name", ["US.AAPL.1d.csv", "US/AAPL/1d.csv", "US.AAPL.1d.parquet", "US/AAPL/1d.parquet"]
)
async def test_where_a_file_may_lie(tmp_path: Path, name: str) -> None:
    if name.endswith(".csv"):
        write(tmp_path, HEADER + ROWS, name)
    else:
        csv = write(tmp_path, HEADER + ROWS, "x/bars")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa_csv.read_csv(csv), tmp_path / name)
    source = source_of(tmp_path)
    assert len((await source.klines(DAYS, JUNE)).bars) == 2
    assert await source.listed(DAYS.symbol)
    assert not await source.listed(Symbol.parse("US.IBM"))
    assert not await source.listed(Symbol.parse("HK.00700"))
    with pytest.raises(SymbolNotListedError, match=r"looked for US\.IBM\.1d\.csv"):
        await source.klines(Series.parse("US.IBM 1d"), JUNE)
    with pytest.raises(VenueRefusedError, match=r"has no 1m bars of US\.AAPL"):
        await source.klines(MINUTES, JUNE)


async def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    file = write(tmp_path, HEADER + ROWS)
    source = source_of(tmp_path)
    assert len((await source.klines(DAYS, JUNE)).bars) == 2
    write(tmp_path, HEADER + ROWS + "2024-06-05,12,14,11,13,1200\n")
    os.utime(file, ns=(1, 1))
    assert len((await source.klines(DAYS, JUNE)).bars) == 3


async def test_bars_that_have_not_closed_stay_out(tmp_path: Path) -> None:
    write(tmp_path, HEADER + ROWS)
    page = await source_of(tmp_path, now_ms=parse_time("2024-06-04T21:00")).klines(DAYS, JUNE)
    assert [row["open_time"].day for row in page.bars.to_pylist()] == [3]
    assert page.covered == Span(JUNE.start_ms, parse_time("2024-06-04"))


@pytest.mark.parametrize(
    "written",
    [
        "2024-06-03",
        "2024-06-03 00:00:00",
        "2024-06-03 00:00:00-04:00",
        "2024-06-03T00:00:00Z",
        "2024-06-03T09:30:00",
    ],
)
def test_of_a_daily_bar_the_date_counts_as_it_is_written(tmp_path: Path, written: str) -> None:
    file = write(tmp_path, HEADER + ROWS.replace("2024-06-03", written))
    found = read_bars(file, DAYS, US, SESSIONS)
    assert open_times_ms(found.bars)[0].as_py() == parse_time("2024-06-03")


@pytest.mark.parametrize(
    "written",
    ["2024-06-03T09:30:00", "2024-06-03 09:30:00-04:00", "2024-06-03T13:30:00Z", "2024-06-03T15:30:00+02:00"],
)
def test_minutes_without_a_zone_are_in_that_of_the_exchange(tmp_path: Path, written: str) -> None:
    file = write(tmp_path, f"datetime,close,open,high,low,volume,note\n{written},11,10,12,9,5,hello\n")
    found = read_bars(file, MINUTES, US, SESSIONS)
    (row,) = found.bars.to_pylist()
    assert row["open_time"] == datetime(2024, 6, 3, 13, 30, tzinfo=UTC)
    assert (row["open"], row["close"]) == (10.0, 11.0)


def test_times_of_parquet_files_follow_the_same_rule(tmp_path: Path) -> None:
    moment = datetime(2024, 6, 3, 9, 30)  # noqa: DTZ001 - that it has no zone is the point
    aware = moment.replace(tzinfo=ZoneInfo("America/New_York"))
    cases = [
        (MINUTES, pa.array([moment], pa.timestamp("us"))),
        (MINUTES, pa.array([aware], pa.timestamp("ns", tz="America/New_York"))),
        (MINUTES, pa.array(["2024-06-03T09:30:00"])),
        (DAYS, pa.array([date(2024, 6, 3)], pa.date32())),
        (DAYS, pa.array([aware], pa.timestamp("ms", tz="America/New_York"))),
    ]
    for at, (series, times) in enumerate(cases):
        file = tmp_path / f"{at}.parquet"
        numbers = {name: pa.array([10], pa.int32()) for name in ("open", "high", "low", "close", "volume")}
        pq.write_table(pa.table({"Time": times, **numbers, "quote_volume": pa.array([99.5])}), file)
        (row,) = read_bars(file, series, US, SESSIONS).bars.to_pylist()
        wanted = (
            moment.replace(hour=13, tzinfo=UTC) if series is MINUTES else datetime(2024, 6, 3, tzinfo=UTC)
        )
        assert (row["open_time"], row["quote_volume"]) == (wanted, 99.5)


def test_bad_rows_are_set_apart_with_their_lines(tmp_path: Path) -> None:
    text = (
        HEADER
        + "2024-06-05,12,14,11,,1200\n"  # no close
        + ROWS
        + "\n"
        + "2024-06-06,12,14,13,12.5,1200\n"  # low above the open
        + "2024-06-08,12,14,11,13,1200\n"  # a Saturday
        + "2024-06-07,12,14,11,x,1200\n"
    )
    found = read_bars(write(tmp_path, text), DAYS, US, SESSIONS)
    assert [row["open_time"].day for row in found.bars.to_pylist()] == [3, 4]
    told = {reject.key[:10]: reject.payload for reject in found.rejected}
    assert {key: payload.split(":")[0] for key, payload in told.items()} == {
        "2024-06-05": "US.AAPL.1d.csv line 2",
        "2024-06-06": "US.AAPL.1d.csv line 6",
        "2024-06-07": "US.AAPL.1d.csv line 8",
        "2024-06-08": "US.AAPL.1d.csv line 7",
    }
    assert (
        "outside the sessions" in {reject.key[:10]: reject.reason for reject in found.rejected}["2024-06-08"]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "wanted are one column of date, time"),
        ("Date,Open,High,Low,Close\n", "wanted are one column of date"),
        ("Date,Time,Open,High,Low,Close,Volume\n", "wanted are one column of date"),
        (HEADER + "2024-06-03,1,2,3\n", "line 2: 4 columns, the header has 6"),
        (HEADER + ROWS + "June,1,1,1,1,1\n", "line 4: 'June' is no time such as 2024-01-02"),
        (HEADER + ROWS + ROWS, "line 2 and line 4 hold the same bar"),
        (HEADER + "2024-06-03,1\x00", "line 2"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        read_bars(write(tmp_path, text), DAYS, US, SESSIONS)


def test_a_date_is_no_time_of_a_minute(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="line 2: '2024-06-03' is no time such as 2024-01-02T09:30:00"):
        read_bars(write(tmp_path, HEADER + ROWS), MINUTES, US, SESSIONS)


def test_a_file_of_nothing_but_nonsense_is_refused(tmp_path: Path) -> None:
    days = [f"2024-06-{day:02d},x,x,x,x,1\n" for day in (3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 17)]
    with pytest.raises(VenueProtocolError, match="11 of 11 bars make no sense"):
        read_bars(write(tmp_path, HEADER + "".join(days)), DAYS, US, SESSIONS)


def test_files_that_are_not_what_they_seem(tmp_path: Path) -> None:
    for name in ("US.AAPL.1d.parquet", "US.AAPL.1d.csv"):
        file = tmp_path / name
        file.write_bytes(b"\xff\xfe\x00PAR1")
        with pytest.raises(ArchiveError, match=name):
            read_bars(file, DAYS, US, SESSIONS)


async def test_hours_would_open_off_the_grid(tmp_path: Path) -> None:
    write(tmp_path, HEADER + ROWS)
    with pytest.raises(VenueRefusedError, match="no 1h bars"):
        await source_of(tmp_path).klines(Series(DAYS.symbol, Interval.H1), JUNE)
    assert source_of(tmp_path).reach_ms(Interval.M1, NOW) is None


cells = st.sampled_from(["2024-06-03", "2024-06-04T09:30", "1", "2.5", "-1", "nan", "inf", "", "x", '"', "é"])


@given(st.lists(st.lists(cells, min_size=5, max_size=7).map(",".join), max_size=6))
def test_any_rows_give_bars_or_one_error(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    file = write(folder, HEADER + "\n".join(lines) + "\n")
    try:
        found = read_bars(file, DAYS, US, SESSIONS)
    except (ArchiveError, VenueProtocolError):
        return
    assert found.rows >= len(found.bars)
