"""Which files there are, when; and the published bytes as bars."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import ArchiveError, ChecksumMismatchError, SymbolNotListedError
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import parse_time, to_ms
from markethub.ports.venue import ArchiveFile
from markethub.tables.klines import KLINES
from markethub.venues.binance.archive_files import DAY_MS, list_files, split_month
from markethub.venues.binance.archive_parse import read_archive

Payload = Callable[[str], bytes]

MINUTES = Series.parse("BTC_USDT.BNC 1m")
HOURS = Series.parse("BTC_USDT.BNC 1h")


def at(text: str) -> int:
    return parse_time(text)


def dates(files: list[ArchiveFile]) -> list[str]:
    return [file.path.rpartition("-1m-")[2].removesuffix(".zip") for file in files]


def test_months_then_days() -> None:
    # 2024-05 appears on Monday 3 June; days appear the day after.
    span = Span(at("2024-04-10"), at("2024-07-01"))
    before = list_files(MINUTES, span, at("2024-06-03T23:59"))
    assert dates(before)[:3] == ["2024-04", "2024-05-01", "2024-05-02"]
    assert dates(before)[-2:] == ["2024-06-01", "2024-06-02"]
    after = list_files(MINUTES, span, at("2024-06-04T00:00"))
    assert dates(after) == ["2024-04", "2024-05", "2024-06-01", "2024-06-02"]
    noon = list_files(MINUTES, span, at("2024-06-04T12:00"))
    assert dates(noon)[-1] == "2024-06-03"
    assert after[0].path == "/data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-04.zip"
    assert after[2].path == "/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-06-01.zip"
    assert after[0].span == Span(at("2024-04-01"), at("2024-05-01"))


def test_a_month_whose_next_begins_on_a_monday() -> None:
    span = Span(at("2024-03-01"), at("2024-04-01"))  # 1 April 2024 was one
    assert dates(list_files(MINUTES, span, at("2024-04-02"))) == ["2024-03"]


def test_no_days_before_march_2021_and_nothing_before_the_venue() -> None:
    assert list_files(MINUTES, Span(at("2021-02-01"), at("2021-03-01")), at("2021-02-20")) == []
    everything = list_files(MINUTES, Span(at("1970-01-01"), at("2018-01-01")), at("2024-01-01"))
    assert dates(everything)[0] == "2017-07"
    assert len(everything) == 6


def test_a_month_splits_into_its_days() -> None:
    month = list_files(MINUTES, Span(at("2024-02-01"), at("2024-03-01")), at("2025-01-01"))[0]
    days = split_month(month)
    assert len(days) == 29
    assert [file.span.start_ms for file in days] == list(
        range(month.span.start_ms, month.span.end_ms, DAY_MS)
    )
    assert split_month(days[0]) == []
    old = list_files(MINUTES, Span(at("2021-02-01"), at("2021-03-01")), at("2025-01-01"))[0]
    assert split_month(old) == []


def test_another_venues_symbol_has_no_files() -> None:
    with pytest.raises(SymbolNotListedError):
        list_files(
            Series.parse("BTC_USDT.OKX 1h"), Span(at("2024-01-01"), at("2024-02-01")), at("2025-01-01")
        )


times_ms = st.integers(to_ms(datetime(2016, 1, 1, tzinfo=UTC)), to_ms(datetime(2031, 1, 1, tzinfo=UTC)))


@settings(deadline=None)
@given(start_ms=times_ms, width_ms=st.integers(1, 400 * DAY_MS), now_ms=times_ms)
def test_files_ascend_without_overlap_and_are_complete_by_now(
    start_ms: int, width_ms: int, now_ms: int
) -> None:
    span = Span(start_ms, start_ms + width_ms)
    files = list_files(HOURS, span, now_ms)
    for before, after in pairwise(files):
        assert before.span.end_ms <= after.span.start_ms
    for file in files:
        assert file.span.intersect(span) is not None
        assert file.span.end_ms < now_ms
    if files and span.start_ms >= at("2021-03-01"):
        assert files[0].span.start_ms <= span.start_ms
        for before, after in pairwise(files):
            assert before.span.end_ms == after.span.start_ms
        # Nothing published is left out: what is missing at the end is at most a day and a half old.
        assert files[-1].span.end_ms >= min(span.end_ms, now_ms - DAY_MS - DAY_MS // 2)


# --- the bytes -------------------------------------------------------------------------------------------


def month_file(name: str) -> ArchiveFile:
    start_ms = at(f"{name}-01")
    return list_files(HOURS, Span(start_ms, start_ms + 1), at("2030-01-01"))[0]


DECEMBER, JANUARY = month_file("2024-12"), month_file("2025-01")


def zip_of(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members.items():
            # A fixed date: the bytes become names of tests, which every worker must agree on.
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return packed.getvalue()


def checksum_of(zipped: bytes, name: str = "BTCUSDT-1h-2024-12.zip") -> bytes:
    return f"{hashlib.sha256(zipped).hexdigest()}  {name}\n".encode()


def read_csv(text: bytes) -> list[dict[str, object]]:
    zipped = zip_of({"BTCUSDT-1h-2024-12.csv": text})
    rows: list[dict[str, object]] = read_archive(DECEMBER, zipped, checksum_of(zipped)).bars.to_pylist()
    return rows


@pytest.mark.parametrize(("file", "per_ms"), [(DECEMBER, 1), (JANUARY, 1000)])
def test_the_recorded_files_of_both_eras(payload: Payload, file: ArchiveFile, per_ms: int) -> None:
    stem = file.path.rpartition("/")[2].removesuffix(".zip")
    text = payload(f"{stem}.csv")
    zipped = zip_of({f"{stem}.csv": text})
    archived = read_archive(file, zipped, checksum_of(zipped, f"{stem}.zip"))
    assert archived.sha256 == hashlib.sha256(zipped).hexdigest()
    assert archived.bars.schema.equals(KLINES)
    columns = list(zip(*(line.split(",") for line in text.decode().splitlines()), strict=True))
    assert len(archived.bars) == 48
    assert archived.bars["open_time"].cast("int64").to_pylist() == [
        int(cell) // per_ms for cell in columns[0]
    ]
    assert archived.bars["trades"].to_pylist() == [int(cell) for cell in columns[8]]
    for name, index in {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 7,
                        "taker_volume": 9, "taker_quote_volume": 10}.items():  # fmt: skip
        assert archived.bars[name].to_pylist() == [float(cell) for cell in columns[index]]


START = DECEMBER.span.start_ms
LINE = f"{START},8.5,9,8,8.75,1.5,{START + 3_599_999},12.75,3,0.5,4.25,0\n".encode()
HEADER = b"open_time,open,high,low,close,volume,close_time,quote_volume,count,x,y,ignore\n"


def test_a_header_row_is_tolerated_and_units_are_told_apart_by_row() -> None:
    later = (START + 3_600_000) * 1000
    micro = f"{later},8.5,9,8,8.75,1.5,{later + 3_599_999_999},12.75,3,0.5,4.25,0\n".encode()
    bars = read_csv(HEADER + LINE + micro)
    assert bars == read_csv(LINE + micro)
    assert [bar["open_time"] for bar in bars] == [
        datetime(2024, 12, 1, 0, tzinfo=UTC),
        datetime(2024, 12, 1, 1, tzinfo=UTC),
    ]


def line_at(open_time: int, width: int) -> bytes:
    return LINE.replace(str(START).encode(), str(open_time).encode()).replace(
        str(START + 3_599_999).encode(), str(open_time + width - 1).encode()
    )


def changed(old: str, new: str) -> bytes:
    assert old.encode() in LINE
    return LINE.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        HEADER,
        LINE + LINE,
        LINE + b"\n" + LINE,
        changed(str(START), str(DECEMBER.span.end_ms)),
        changed(str(START), str(START - 3_600_000)),
        line_at(DECEMBER.span.end_ms, 3_600_000),
        line_at(START - 3_600_000, 3_600_000),
        line_at(START + 60_000, 3_600_000),
        line_at(START * 1000 + 1, 3_600_000_000),  # a microsecond late
        changed(str(START), str(START + 1)),
        changed(str(START), str(START * 1000)),  # one time in each unit
        changed(str(START), ""),
        changed(str(START), "9" * 25),
        changed(str(START + 3_599_999), str(START + 3_600_000)),
        changed("8.75", ""),
        changed("12.75", ""),
        changed(",3,", ",,"),
        changed("8.75", "x"),
        changed(",3,", ",3.5,"),
        changed(",0\n", "\n"),
        changed(",0\n", ",0,0\n"),
        changed("8.5", '"8.5"'),
        LINE[:-30],
        b"\x00" * 100,
        b"<html></html>",
    ],
)
def test_a_file_with_a_wrong_row_is_refused_whole(text: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"/BTCUSDT-1h-2024-12\.zip: ") as caught:
        read_csv(text)
    assert type(caught.value) is ArchiveError
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize(
    "bad", [changed("8.75", "nan"), changed("8.75", "9.5"), changed("1.5", "-1.5"), changed(",3,", ",-3,")]
)
def test_a_row_whose_numbers_make_no_sense_is_set_apart(bad: bytes) -> None:
    text = HEADER + bad + b"\n" + line_at(START + 3_600_000, 3_600_000) + b"\n\n"
    zipped = zip_of({NAME: text})
    archived = read_archive(DECEMBER, zipped, checksum_of(zipped))
    assert archived.bars.num_rows == 1
    (reject,) = archived.rejected
    assert reject.span == Span(START, START + 3_600_000)
    assert reject.payload == bad.decode().rstrip()


NAME = "BTCUSDT-1h-2024-12.csv"


@pytest.mark.parametrize(
    "zipped",
    [
        b"",
        b"not a zip",
        zip_of({NAME: LINE})[:-10],
        zip_of({}),
        zip_of({"other.csv": LINE}),
        zip_of({NAME: LINE, "README": b""}),
        zip_of({"../" + NAME: LINE}),
        zip_of({NAME: LINE}, zipfile.ZIP_STORED).replace(b"8.75", b"8.76"),  # the zip's own checksum is wrong
    ],
)
def test_a_zip_that_is_not_what_it_should_be_is_refused(zipped: bytes) -> None:
    with pytest.raises(ArchiveError) as caught:
        read_archive(DECEMBER, zipped, checksum_of(zipped))
    assert type(caught.value) is ArchiveError


@settings(deadline=None)
@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_any_damage_that_the_checksum_blesses_is_refused_or_harmless(position: int, value: int) -> None:
    zipped = bytearray(zip_of({NAME: LINE}))
    zipped[position % len(zipped)] = value
    try:
        archived = read_archive(DECEMBER, bytes(zipped), checksum_of(bytes(zipped)))
    except ArchiveError:
        return
    assert archived.bars.to_pylist() == read_csv(LINE)


def test_a_zip_bomb_is_not_unpacked() -> None:
    zipped = zip_of({NAME: LINE * 400_000})
    assert len(zipped) < 100_000
    with pytest.raises(ArchiveError, match=r"larger than \d+ bytes when unpacked"):
        read_archive(DECEMBER, zipped, checksum_of(zipped))


GOOD = zip_of({NAME: LINE})


def test_a_wrong_checksum() -> None:
    with pytest.raises(ChecksumMismatchError, match="published is 0000"):
        read_archive(DECEMBER, GOOD, b"0" * 64 + b"  BTCUSDT-1h-2024-12.zip\n")


@pytest.mark.parametrize(
    "checksum",
    [
        b"",
        b"<html>",
        checksum_of(GOOD, "BTCUSDT-1h-2024-11.zip"),
        checksum_of(GOOD)[1:],
        checksum_of(GOOD) * 2,
        b"\xff" * 100,
    ],
)
def test_a_checksum_file_that_is_none(checksum: bytes) -> None:
    with pytest.raises(ArchiveError, match="checksum file"):
        read_archive(DECEMBER, GOOD, checksum)


def test_checksum_spellings_of_sha256sum() -> None:
    upper = checksum_of(GOOD).decode().replace("  ", " *")
    digest, _, rest = upper.partition(" ")
    for text in (upper, f"{digest.upper()} {rest}", upper.strip(), upper.replace("\n", "\r\n")):
        assert len(read_archive(DECEMBER, GOOD, text.encode()).bars) == 1
