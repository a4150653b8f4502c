"""OKX's bulk files: which there are, where they lie, what is in them, and that they tell the same as REST."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import (
    ArchiveError,
    ArchiveMissingError,
    InputError,
    VenueError,
    VenueProtocolError,
    VenueUnavailableError,
)
from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge
from markethub.domain.symbol import Series
from markethub.domain.times import parse_time
from markethub.ports.venue import ArchivedBars, ArchiveFile, KlineArchive, Venue
from markethub.sandbox.server import RunningSandbox, running_sandbox
from markethub.sandbox.settings import SandboxSettings, clock_starting_at
from markethub.tables.klines import KLINES, check_klines, open_times_ms
from markethub.testing.source_contract import join_pages, read_pages
from markethub.venues.okx import create_venue
from markethub.venues.okx.archive import split_url
from markethub.venues.okx.archive_files import file_name, list_files
from markethub.venues.okx.archive_index import parse_index
from markethub.venues.okx.archive_parse import largest_bytes, read_archive

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

MINUTE, DAY = 60_000, 86_400_000
NOW = parse_time("2025-06-17T15:20:30")
MINUTES = Series.parse("BTC_USDT.OKX 1m")
INDEX = "/api/v5/public/market-data-history"
HEADER = "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm"


def files_of(start: str, end: str, now: str, series: Series = MINUTES) -> list[ArchiveFile]:
    return list_files(series, Span(parse_time(start), parse_time(end)), parse_time(now))


def test_a_day_of_a_file_is_one_of_utc8() -> None:
    files = files_of("2024-05-16T15:00", "2024-05-17T17:00", "2024-06-01")
    assert [(file_name(file), str(file.span)) for file in files] == [
        ("BTC-USDT-candlesticks-2024-05-16.zip", "[2024-05-15T16:00:00Z, 2024-05-16T16:00:00Z)"),
        ("BTC-USDT-candlesticks-2024-05-17.zip", "[2024-05-16T16:00:00Z, 2024-05-17T16:00:00Z)"),
        ("BTC-USDT-candlesticks-2024-05-18.zip", "[2024-05-17T16:00:00Z, 2024-05-18T16:00:00Z)"),
    ]
    assert files[0].path.startswith("/cdn/okex/traderecords/candlesticks/daily/20240516/")


def test_a_file_is_out_two_days_after_its_end() -> None:
    for now, count in (("2024-05-19T15:59", 0), ("2024-05-19T16:00", 1)):
        assert len(files_of("2024-05-16T16:00", "2024-05-17T16:00", now)) == count


def test_only_minutes_have_files_and_only_since_2021() -> None:
    for interval in Interval:
        series = Series(MINUTES.symbol, interval)
        assert bool(files_of("2024-05-16", "2024-05-18", "2024-06-01", series)) == (interval == "1m")
    first, *_ = files_of("2019-01-01", "2021-01-05", "2024-06-01")
    assert file_name(first) == "BTC-USDT-candlesticks-2021-01-01.zip"


START = parse_time("2024-05-16T16:00")
FILE = files_of("2024-05-16T16:00", "2024-05-17T16:00", "2024-06-01")[0]


def line(minute: int = 0, numbers: str = "8.5,9,8,8.75,12.5,106,106.25", confirm: str = "1") -> str:
    return f"BTC-USDT,{numbers},{START + minute * MINUTE},{confirm}"


def zip_of(*lines: str, header: str = HEADER) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTC-USDT-candlesticks-2024-05-17.csv", "\n".join((header, *lines)) + "\n")
    return packed.getvalue()


def read(*lines: str, header: str = HEADER) -> ArchivedBars:
    return read_archive(FILE, zip_of(*lines, header=header))


def test_columns_are_read_by_their_names() -> None:
    packed = zip_of(line(0), line(1))
    found = read_archive(FILE, packed)
    assert found.bars.schema.equals(KLINES)
    assert open_times_ms(found.bars).to_pylist() == [START, START + MINUTE]
    assert found.bars.slice(0, 1).to_pylist()[0] | {"open_time": 0} == {
        "open_time": 0, "open": 8.5, "high": 9.0, "low": 8.0, "close": 8.75, "volume": 12.5,
        "quote_volume": 106.25, "trades": None, "taker_volume": None, "taker_quote_volume": None,
    }  # fmt: skip
    assert found.sha256 == hashlib.sha256(packed).hexdigest()
    moved = "open_time,confirm,instrument_name,close,low,high,open,vol_quote,vol,extra"
    other = f"{START},1,BTC-USDT,8.75,8,9,8.5,106.25,12.5,x"
    assert read(other, header=moved).bars.equals(found.bars.slice(0, 1))


def test_confirm_may_be_0_in_a_whole_file() -> None:
    assert len(read(line(0, confirm="0"), line(1, confirm="1")).bars) == 2


def test_rows_of_another_day_are_cut_off() -> None:
    found = read(line(-1), line(0), line(1439), line(1440))
    assert open_times_ms(found.bars).to_pylist() == [START, START + 1439 * MINUTE]


def test_exact_duplicates_are_dropped_and_any_order_will_do() -> None:
    assert read(line(1), line(0), line(1), line(0)).bars.equals(read(line(0), line(1)).bars)


def test_conflicting_duplicates_refuse_the_file() -> None:
    with pytest.raises(ArchiveError, match="two bars for one time"):
        read(line(0), line(1), line(0, "8.5,9,8,8.6,12.5,106,106.25"))


def test_a_bad_bar_is_set_apart_with_its_own_line() -> None:
    bad = line(5, "8.5,8,9,8.75,12.5,106,106.25")
    found = read(line(9), bad, *(line(minute) for minute in range(5)))
    assert len(found.bars) == 6
    (reject,) = found.rejected
    assert (reject.span.start_ms, reject.payload) == (START + 5 * MINUTE, bad)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [line(-1)],  # nothing of this day
        [line(0).replace("BTC-USDT", "ETH-USDT")],
        [line(0), line(1).replace("BTC-USDT", "BTC-USDT-SWAP")],
        [line(0, confirm="2")],
        [line(0, confirm="")],
        [line(0, "8.5,9,8,8.75,12.5,106,x")],
        [line(0, "8.5,9,8,8.75,12.5,106,")],
        [line(0, "8.5,9,8,8.75,12.5,106")],
        [line(0).replace(str(START), str(START + 1))],  # off the grid
        [line(0).replace(str(START), str(START // 1000))],  # seconds
        [line(0).replace(str(START), "9" * 30)],
        [line(minute, "0,0,0,0,0,0,0") for minute in range(60)],  # a format nobody told us of
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(lines: list[str]) -> None:
    with pytest.raises(ArchiveError, match=r"BTC-USDT-candlesticks-2024-05-17\.zip: "):
        read(*lines)


@pytest.mark.parametrize("header", ["", HEADER.replace("vol_quote", "turnover"), HEADER + ",vol", line(0)])
def test_a_header_without_the_names_is_refused(header: str) -> None:
    with pytest.raises(ArchiveError, match="its header"):
        read(line(0), header=header)


def test_a_file_far_too_large_is_refused() -> None:
    with pytest.raises(ArchiveError, match="larger than"):
        read(*[line(0)] * (largest_bytes(FILE) // 50))


numbers = st.floats(0.0001, 1e6).map(str) | st.sampled_from(["0", "-1", "nan", "inf", "1e400", "", "x"])


@st.composite
def almost_files(draw: st.DrawFn) -> list[str]:
    """Rows shaped like real ones, of which a few numbers and times make no sense."""
    lines = []
    for minute in draw(st.lists(st.integers(-1, 20), max_size=8)):
        low, *body, high = sorted(draw(st.lists(st.floats(0.001, 1e6), min_size=4, max_size=4)))
        cells = [str(body[0]), str(high), str(low), str(body[1]), "12.5", "106", "106"]
        if draw(st.integers(0, 4)) == 0:
            cells[draw(st.integers(0, 6))] = draw(numbers)
        lines.append(line(minute, ",".join(cells), draw(st.sampled_from(["1", "1", "0", "x"]))))
    return lines


@settings(deadline=None)
@given(almost_files() | st.lists(st.text("0123456789,.BTC-USD", max_size=80), max_size=3))
def test_any_file_gives_sound_bars_or_one_error(lines: list[str]) -> None:
    try:
        found = read(*lines)
    except ArchiveError:
        return
    assert check_klines(found.bars, Interval.M1, "again") is found.bars
    for reject in found.rejected:
        assert f",{reject.span.start_ms}," in reject.payload


def index_of(*files: object) -> dict[str, Any]:
    details = [{"instId": "BTC-USDT", "groupSizeMB": "1", "groupDetails": list(files)}]
    return {"code": "0", "msg": "", "data": [{"dateAggrType": "daily", "details": details}]}


def test_the_index() -> None:
    one = {"filename": "a.zip", "dataTs": "1", "sizeMB": "2", "url": "https://host/a.zip"}
    two = {"filename": "b.zip", "url": "https://host/b.zip"}
    assert parse_index(orjson.dumps(index_of(one, two, one)), "index") == {
        "a.zip": "https://host/a.zip",
        "b.zip": "https://host/b.zip",
    }
    for empty in (index_of(), {"code": "0", "data": []}, {"code": "0", "data": [{"details": []}]}):
        assert parse_index(orjson.dumps(empty), "index") == {}


@pytest.mark.parametrize(
    "answer",
    [
        {"code": "0", "data": {}},
        {"code": "0", "data": [[]]},
        {"code": "0", "data": [{}]},
        {"code": "0", "data": [{"details": [{}]}]},
        {"code": "0", "data": [{"details": [{"groupDetails": None}]}]},
        index_of({"filename": "a.zip"}),
        index_of({"filename": "a.zip", "url": None}),
        index_of("a.zip"),
        index_of({"filename": "a.zip", "url": "https://x/1"}, {"filename": "a.zip", "url": "https://x/2"}),
    ],
)
def test_what_is_no_index_is_refused(answer: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^index: "):
        parse_index(orjson.dumps(answer), "index")


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["details", "groupDetails", "filename", "url", "x"]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    json | st.lists(st.fixed_dictionaries({"details": json})).map(lambda data: {"code": "0", "data": data})
)
def test_any_json_gives_addresses_or_one_error(value: object) -> None:
    try:
        addresses = parse_index(orjson.dumps(value), "index")
    except VenueError as error:
        assert type(error) is VenueProtocolError
        return
    assert all(isinstance(url, str) for url in addresses.values())


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://static.okx.com/cdn/a.zip", "https://static.okx.com", "/cdn/a.zip"),
        ("https://STATIC.okx.com/a.zip?v=1", "https://static.okx.com", "/a.zip?v=1"),
        ("http://static.okx.com/a.zip", "http://static.okx.com", "/a.zip"),
        ("https://user@static.okx.com/a.zip", "https://user@static.okx.com", "/a.zip"),
        ("https://static.okx.com.evil.example/a", "https://static.okx.com.evil.example", "/a"),
        ("https://static.okx.com", "https://static.okx.com", None),
        ("https://static.okx.com/a b", "https://static.okx.com", None),
        ("https://static.okx.com/a#b", "https://static.okx.com", None),
        ("https://static.okx.com/币", "https://static.okx.com", None),
        ("https://[/a", "", None),
        ("//static.okx.com/a", "://static.okx.com", "/a"),
    ],
)
def test_hosts_of_addresses(url: str, host: str, target: str | None) -> None:
    assert split_url(url) == (host, target)


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings(clock=clock_starting_at(NOW))) as running:
        yield running


def archive_of(venue: Venue) -> KlineArchive:
    assert venue.kline_archive is not None
    return venue.kline_archive


async def test_files_tell_the_same_bars_as_rest(sandbox: RunningSandbox) -> None:
    venue = create_venue({"base_url": sandbox.url, "bulk_files": "true"})
    for series, start in (("BTC_USDT.OKX 1m", "2025-06-12"), ("ETH_BTC.OKX 1m", "2025-05-30")):
        wanted = Series.parse(series)
        span = Span(parse_time(start), parse_time(start) + DAY)
        files = archive_of(venue).files(wanted, span, NOW)
        (covered,) = merge(file.span for file in files)
        assert covered.intersect(span) == span
        for file in files:
            rest = join_pages(await read_pages(venue.klines, wanted, file.span))
            assert (await archive_of(venue).fetch(file)).bars.equals(rest)
            assert len(rest) == 1440
    await venue.close()


async def test_the_index_is_asked_once_for_20_days(sandbox: RunningSandbox) -> None:
    venue = create_venue({"base_url": sandbox.url, "bulk_files": "true"})
    span = Span(parse_time("2025-06-01"), parse_time("2025-06-10"))
    files = archive_of(venue).files(MINUTES, span, NOW)
    for file in files:
        assert len((await archive_of(venue).fetch(file)).bars) == 1440
    assert len(files) == 10
    assert sandbox.stats.requests[INDEX] <= 2
    await venue.close()


async def test_what_the_index_does_not_have_is_missing(sandbox: RunningSandbox) -> None:
    venue = create_venue({"base_url": sandbox.url, "bulk_files": "true"})
    before_listing = list_files(
        Series.parse("ENA_USDT.OKX 1m"), Span(parse_time("2024-03-01"), parse_time("2024-03-01T01:00")), NOW
    )
    unknown = list_files(Series.parse("NOSUCH_USDT.OKX 1m"), FILE.span, NOW)
    for file in (*before_listing, *unknown):
        with pytest.raises(ArchiveMissingError, match="not in the index of bulk files"):
            await archive_of(venue).fetch(file)
    await venue.close()


async def test_a_pair_with_a_chinese_name() -> None:
    now = parse_time("2026-02-17")
    async with running_sandbox(SandboxSettings(clock=clock_starting_at(now))) as later:
        venue = create_venue({"base_url": later.url, "bulk_files": "true"})
        series = Series.parse("币安人生_USDT.OKX 1m")
        span = Span(parse_time("2025-12-01T16:00"), parse_time("2025-12-02T16:00"))
        (file,) = archive_of(venue).files(series, span, now)
        assert len((await archive_of(venue).fetch(file)).bars) == 1440
        await venue.close()


class Venues:
    """A server that plays index and files as a test wishes."""

    def __init__(self) -> None:
        self.url = ""
        self.index: dict[str, Any] | None = None
        self.queries: list[dict[str, str]] = []
        self.answer: Callable[[], web.StreamResponse] = lambda: web.Response(body=zip_of(line(0)))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path != INDEX:
            return self.answer()
        self.queries.append(dict(request.query))
        file = {"filename": file_name(FILE), "url": f"{self.url}/files/x.zip"}
        return web.json_response(self.index or index_of(file))


@pytest.fixture
async def fake(serve: Serve) -> Venues:
    fake = Venues()
    fake.url = await serve(fake.handle)
    return fake


def fake_venue(fake: Venues, **options: str) -> Venue:
    return create_venue({"base_url": fake.url, "bulk_files": "true", "quick_retries": "0"} | options)


async def test_the_question_to_the_index_means_the_same_days_by_either_clock(fake: Venues) -> None:
    venue = fake_venue(fake)
    assert len((await archive_of(venue).fetch(FILE)).bars) == 1
    (query,) = fake.queries
    assert {name: query[name] for name in ("module", "instType", "instIdList", "dateAggrType")} == {
        "module": "2",
        "instType": "SPOT",
        "instIdList": "BTC-USDT",
        "dateAggrType": "daily",
    }
    begin_ms, end_ms = int(query["begin"]), int(query["end"])
    assert end_ms - begin_ms == 19 * DAY
    for time_ms in (begin_ms, end_ms):
        assert time_ms // DAY == (time_ms + 8 * 3_600_000) // DAY
    assert begin_ms < FILE.span.end_ms <= end_ms + DAY
    await venue.close()


async def test_no_other_host_is_asked_whatever_the_index_says(fake: Venues, serve: Serve) -> None:
    asked: list[str] = []

    async def stranger(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(body=zip_of(line(0)))

    elsewhere = await serve(stranger)
    fake.index = index_of({"filename": file_name(FILE), "url": f"{elsewhere}/x.zip"})
    venue = fake_venue(fake)
    with pytest.raises(
        ArchiveError, match=r"is not on https://static\.okx\.com or http://127.*bulk_url"
    ) as caught:
        await archive_of(venue).fetch(FILE)
    assert type(caught.value) is ArchiveError
    assert asked == []
    await venue.close()
    allowed = fake_venue(fake, bulk_url=elsewhere)
    assert len((await archive_of(allowed).fetch(FILE)).bars) == 1
    assert asked == ["/x.zip"]
    await allowed.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, ArchiveMissingError), (403, ArchiveMissingError), (302, ArchiveError), (400, ArchiveError)],
)
async def test_statuses_of_a_file(fake: Venues, status: int, error: type[ArchiveError]) -> None:
    fake.answer = lambda: web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})
    venue = fake_venue(fake)
    with pytest.raises(ArchiveError) as caught:
        await archive_of(venue).fetch(FILE)
    assert type(caught.value) is error
    await venue.close()


async def test_network_trouble_is_told_apart_from_a_bad_file(fake: Venues) -> None:
    venue = fake_venue(fake)
    fake.answer = lambda: web.Response(status=500)
    with pytest.raises(VenueUnavailableError):
        await archive_of(venue).fetch(FILE)
    fake.answer = lambda: web.Response(body=b"<html>")
    with pytest.raises(ArchiveError, match="not a zip file"):
        await archive_of(venue).fetch(FILE)
    fake.index = {"code": "51001", "msg": "Instrument ID doesn't exist", "data": []}
    fresh = fake_venue(fake)
    with pytest.raises(ArchiveError, match="51001"):
        await archive_of(fresh).fetch(FILE)
    await venue.close()
    await fresh.close()


async def test_bulk_files_are_off_by_default() -> None:
    venue = create_venue({})
    assert venue.kline_archive is None
    assert not any(limits.name.endswith("bulk files") for limits in venue.limits())
    await venue.close()
    venue = create_venue({"bulk_files": "true"})
    names = [limits.name for limits in venue.limits()]
    assert {"OKX bulk files", "OKX public/market-data-history"} <= set(names)
    await venue.close()


@pytest.mark.parametrize("options", [{"bulk_files": "on"}, {"bulk_url": "static.okx.com"}])
def test_wrong_options_are_named(options: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        create_venue(options)
