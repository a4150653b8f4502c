"""Unpacking and reading bulk files: any bytes give a value or one ArchiveError."""

import gzip
import io
import tracemalloc
import zipfile

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import ArchiveError
from markethub.venues.transport.bulk_files import order_rows, read_csv, read_header, unpack_gzip, unpack_zip

PATH = "/folder/file"
TEXT = b"1,2.5\n2,3.5\n"
TYPES = {"time": pa.int64(), "price": pa.float64()}
NAMES = ["time", "price"]


def zip_of(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            # A fixed date: the bytes become names of tests, which every worker must agree on.
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def test_gzip() -> None:
    assert unpack_gzip(gzip.compress(TEXT, mtime=0), 100, PATH) == TEXT
    halves = gzip.compress(TEXT[:6], mtime=0) + gzip.compress(TEXT[6:])
    assert unpack_gzip(halves, 100, PATH) == TEXT, "several members are one file"


def test_what_the_http_client_has_unpacked_already_is_taken_as_it_is() -> None:
    assert unpack_gzip(TEXT, 100, PATH) == TEXT


@pytest.mark.parametrize(
    "packed",
    [
        b"\x1f\x8b",
        b"\x1f\x8bnonsense that is no gzip at all",
        gzip.compress(TEXT, mtime=0)[:-9],
        gzip.compress(TEXT, mtime=0)[:-8] + b"\0" * 8,  # its own CRC is wrong
        gzip.compress(TEXT, mtime=0) + b"rest",
    ],
)
def test_what_is_no_gzip_is_refused(packed: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"^/folder/file: "):
        unpack_gzip(packed, 100, PATH)


def test_bombs_are_not_unpacked() -> None:
    text = b"0" * 50_000_000
    gzipped, zipped = gzip.compress(text, mtime=0), zip_of({"a.csv": text})
    for packed, unpack in ((gzipped, unpack_gzip), (zipped, unpack_zip)):
        assert len(packed) < 100_000
        tracemalloc.start()
        with pytest.raises(ArchiveError, match="larger than 1000 bytes when unpacked"):
            unpack(packed, 1000, PATH)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak_bytes < 5_000_000
    with pytest.raises(ArchiveError, match="larger than 1000 bytes"):
        unpack_gzip(text, 1000, PATH)


def test_zip() -> None:
    assert unpack_zip(zip_of({"whatever.csv": TEXT}), 100, PATH) == TEXT


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"PK",
        zip_of({}),
        zip_of({"a.txt": TEXT}),
        zip_of({"a.csv": TEXT, "b.csv": TEXT}),
        zip_of({"a.csv": TEXT})[:-20],
        gzip.compress(TEXT, mtime=0),
    ],
)
def test_what_is_no_zip_of_one_csv_is_refused(packed: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"^/folder/file: "):
        unpack_zip(packed, 100, PATH)


@settings(deadline=None)
@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_any_damage_is_refused_or_harmless(position: int, value: int) -> None:
    gzipped, zipped = gzip.compress(TEXT, mtime=0), zip_of({"a.csv": TEXT})
    for packed, unpack in ((gzipped, unpack_gzip), (zipped, unpack_zip)):
        damaged = bytearray(packed)
        damaged[position % len(damaged)] = value
        try:
            text = unpack(bytes(damaged), 100, PATH)
        except ArchiveError:
            continue
        # A gzip that has lost its mark is taken for text, which no reader of bars will accept.
        assert text in (TEXT, bytes(damaged))


def test_columns_by_position_and_by_name() -> None:
    rows = read_csv(TEXT, NAMES, TYPES, PATH, has_header=False)
    assert rows.to_pylist() == [{"time": 1, "price": 2.5}, {"time": 2, "price": 3.5}]
    text = b"price,more,time\n2.5,x,1\r\n3.5,,2"
    header = read_header(text, NAMES, PATH)
    assert header == ["price", "more", "time"]
    assert read_csv(text, header, TYPES, PATH, has_header=True).equals(rows)


@pytest.mark.parametrize("text", [b"\xef\xbb\xbftime,price\n1,2\n", b"time,price\r\n1,2\r\n"])
def test_a_byte_order_mark_or_a_carriage_return_is_no_part_of_a_name(text: bytes) -> None:
    assert read_header(text, NAMES, PATH) == NAMES


@pytest.mark.parametrize(
    "text", [b"", b"time\n", b"time,time,price\n", b"TIME,PRICE\n", b"1,2.5\n", b"\xff,\n"]
)
def test_a_header_without_the_names_is_refused(text: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"^/folder/file: its header .* has [02] x (time|price)$"):
        read_header(text, NAMES, PATH)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"1\n",
        b"1,2.5,3\n",
        b"1,2.5\n\n2,3.5\n",
        b"1.5,2.5\n",
        b"x,2.5\n",
        b"1,\n",
        b",2.5\n",
        b"1,NULL\n",
        b'"1",2.5\n',
        b"1,2.5\n1",
        b"99999999999999999999,1\n",
        b"\0\0\0\n",
        b"<html>no</html>",
    ],
)
def test_what_is_no_csv_of_these_columns_is_refused(text: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"^/folder/file: "):
        read_csv(text, NAMES, TYPES, PATH, has_header=False)


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text("0123456789.,\n\r-einaxN\"'", max_size=60).map(str.encode))
def test_any_text_gives_rows_line_by_line_or_one_error(text: bytes) -> None:
    try:
        rows = read_csv(text, NAMES, TYPES, PATH, has_header=False)
    except ArchiveError:
        return
    assert rows.column_names == NAMES
    assert rows.num_rows == len(text.splitlines())
    for row, line in zip(rows.to_pylist(), text.splitlines(), strict=True):
        assert row["time"] == int(line.split(b",")[0])


def table(*rows: tuple[int, float]) -> pa.Table:
    return pa.table({"time": [time for time, _ in rows], "price": [price for _, price in rows]})


def test_rows_in_any_order_come_out_ascending() -> None:
    assert order_rows(table((3, 1.0), (1, 2.0), (2, 3.0)), "time", PATH).tolist() == [1, 2, 0]


def test_exact_repetitions_are_dropped() -> None:
    rows = table((1, 2.0), (2, 3.0), (1, 2.0), (2, 3.0), (2, 3.0), (3, 1.0))
    kept = order_rows(rows, "time", PATH)
    assert rows.take(kept).to_pylist() == table((1, 2.0), (2, 3.0), (3, 1.0)).to_pylist()


def test_two_different_bars_for_one_time_refuse_the_file() -> None:
    rows = table((1, 2.0), (2, 3.0), (1, 2.0), (2, 4.0))
    with pytest.raises(ArchiveError, match=r"^/folder/file: two bars for one time: .*'price': 3\.0.*4\.0"):
        order_rows(rows, "time", PATH)
