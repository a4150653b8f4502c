"""Gate's bulk files: which there are, what is in them, and that they tell the same as REST."""

import gzip
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pyarrow as pa
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import ArchiveError, ArchiveMissingError, InputError, VenueUnavailableError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge
from markethub.domain.symbol import Series
from markethub.domain.times import parse_time
from markethub.ports.venue import ArchivedBars, ArchiveFile, KlineArchive, Venue
from markethub.sandbox.server import RunningSandbox, running_sandbox
from markethub.sandbox.settings import SandboxSettings, clock_starting_at
from markethub.tables.klines import KLINES, check_klines, open_times_ms
from markethub.testing.source_contract import join_pages, read_pages
from markethub.venues.gate import create_venue
from markethub.venues.gate.archive_files import list_files, split_month
from markethub.venues.gate.archive_parse import largest_bytes, read_archive

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

HOUR = 3_600_000
NOW = parse_time("2025-06-17T15:20:30")
HOURS = Series.parse("BTC_USDT.GIO 1h")
MINUTES = Series.parse("BTC_USDT.GIO 1m")


def paths(series: Series, start: str, end: str, now: str) -> list[str]:
    files = list_files(series, Span(parse_time(start), parse_time(end)), parse_time(now))
    assert all(file.span.intersect(Span(parse_time(start), parse_time(end))) for file in files)
    return [file.path for file in files]


def test_past_months_then_days_of_the_present_one() -> None:
    assert paths(MINUTES, "2025-04-20", "2025-06-30", "2025-06-04T13:00") == [
        "/spot/candlesticks_1m/202504/BTC_USDT-202504.csv.gz",
        "/spot/candlesticks_1m/202505/BTC_USDT-202505.csv.gz",
        "/spot/candlesticks_1m/202506/BTC_USDT-20250601.csv.gz",
        "/spot/candlesticks_1m/202506/BTC_USDT-20250602.csv.gz",
        "/spot/candlesticks_1m/202506/BTC_USDT-20250603.csv.gz",
    ]


def test_a_day_is_out_12_hours_and_a_month_48_hours_after_its_end() -> None:
    month = ["/spot/candlesticks_1h/202505/BTC_USDT-202505.csv.gz"]
    days = [f"/spot/candlesticks_1h/202505/BTC_USDT-202505{day}.csv.gz" for day in ("30", "31")]
    span = ("2025-05-30", "2025-06-01")
    assert paths(HOURS, *span, "2025-06-03T00:00") == month
    assert paths(HOURS, *span, "2025-06-02T23:59") == days
    assert paths(HOURS, *span, "2025-06-01T11:59") == days[:1]


@pytest.mark.parametrize(
    ("interval", "count"), [("1m", 1), ("5m", 1), ("15m", 0), ("30m", 0), ("1h", 1), ("4h", 1), ("1d", 1)]
)
def test_intervals_that_have_files(interval: str, count: int) -> None:
    assert (
        len(paths(Series.parse(f"BTC_USDT.GIO {interval}"), "2025-01-01", "2025-02-01", "2025-06-01"))
        == count
    )


def test_nothing_is_expected_before_the_venue_was() -> None:
    assert paths(HOURS, "2009-01-01", "2017-01-02", "2025-06-01")[0].endswith(
        "/201701/BTC_USDT-201701.csv.gz"
    )


def test_a_month_splits_into_its_days() -> None:
    (month,) = list_files(HOURS, Span(parse_time("2024-02-01"), parse_time("2024-03-01")), NOW)
    days = split_month(month)
    assert len(days) == 29
    assert merge(day.span for day in days) == [month.span]
    assert days[-1].path == "/spot/candlesticks_1h/202402/BTC_USDT-20240229.csv.gz"
    assert split_month(days[0]) == []


START = parse_time("2024-05-17")
DAY = ArchiveFile(
    "/spot/candlesticks_1h/202405/BTC_USDT-20240517.csv.gz", HOURS, Span(START, START + 24 * HOUR)
)


def line(hour: int = 0, numbers: str = "12.5,8.75,9,8,8.5") -> str:
    return f"{(START + hour * HOUR) // 1000},{numbers}\n"


def read(*lines: str) -> ArchivedBars:
    return read_archive(DAY, gzip.compress("".join(lines).encode()))


def test_the_columns_are_volume_close_high_low_open_and_seconds() -> None:
    packed = gzip.compress((line(0) + line(1)).encode())
    found = read_archive(DAY, packed)
    bars = found.bars
    assert bars.schema.equals(KLINES)
    assert open_times_ms(bars).to_pylist() == [START, START + HOUR]
    assert bars.slice(0, 1).to_pylist()[0] | {"open_time": 0} == {
        "open_time": 0, "open": 8.5, "high": 9.0, "low": 8.0, "close": 8.75, "volume": 12.5,
        "quote_volume": None, "trades": None, "taker_volume": None, "taker_quote_volume": None,
    }  # fmt: skip
    assert found.sha256 == hashlib.sha256(packed).hexdigest()
    assert found.rejected == ()


def test_a_row_as_seen_by_others() -> None:
    row = "1751328000,3128839.7,0.008892,0.009012,0.008863,0.008956"
    start_ms = 1751328000_000
    file = ArchiveFile("path", HOURS, Span(start_ms, start_ms + HOUR))
    (bar,) = read_archive(file, gzip.compress(row.encode())).bars.to_pylist()
    told = ("open", "high", "low", "close", "volume")
    assert [bar[name] for name in told] == [0.008956, 0.009012, 0.008863, 0.008892, 3128839.7]


def test_any_order_will_do_and_a_row_sent_twice_is_one() -> None:
    calm = read(line(0), line(1), line(2)).bars
    assert read(line(2), line(0), line(1), line(0)).bars.equals(calm)


def test_two_different_bars_for_one_hour_refuse_the_file() -> None:
    with pytest.raises(ArchiveError, match="two bars for one time"):
        read(line(0), line(1), line(0, "12.5,8.75,9,8,8.6"))


def test_a_bad_bar_is_set_apart_with_its_own_line() -> None:
    bad = line(1, "12.5,8.75,7,8,8.5")
    lines = [line(hour) for hour in range(24) if hour != 1]
    found = read(*lines[1:], bad, lines[0])
    assert len(found.bars) == 23
    (reject,) = found.rejected
    assert (reject.key, reject.payload) == ("2024-05-17T01:00:00Z", bad.strip())
    assert reject.span == Span(START + HOUR, START + 2 * HOUR)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        [line(24)],  # of the next day
        [line(-1)],
        [line(0).replace("1715904000", "1715904060")],  # off the grid
        [line(0).replace("1715904000", "1715904000000")],  # milliseconds
        [line(0).replace("1715904000", "9223372036854775807")],
        [line(0).replace("1715904000", "-9223372036854775808")],
        ["time,volume,close,high,low,open\n", line(0)],
        [line(0, "12.5,8.75,9,8")],
        [line(0, "12.5,8.75,9,8,8.5,106.25")],
        [line(0, "12.5,8.75,9,8,")],
        [line(0, "12.5,8.75,9,8,x")],
        [line(hour, "12.5,8.75,9,8,nan") for hour in range(24)],  # a format nobody told us of
        ["<html>not found</html>"],
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(lines: list[str]) -> None:
    with pytest.raises(ArchiveError, match=r"^/spot/candlesticks_1h/202405/BTC_USDT-20240517\.csv\.gz: "):
        read(*lines)


def test_a_file_far_too_large_is_refused() -> None:
    lines = [line(hour) for hour in range(24)] * 21
    assert len("".join(lines)) > largest_bytes(DAY)
    with pytest.raises(ArchiveError, match="larger than"):
        read(*lines)


numbers = st.floats(0.0001, 1e6).map(str) | st.sampled_from(["0", "-1", "nan", "inf", "1e400", "", "x"])


@st.composite
def almost_files(draw: st.DrawFn) -> str:
    """Rows shaped like real ones, of which a few numbers and times make no sense."""
    lines = []
    for hour in draw(st.lists(st.integers(-1, 24), max_size=8)):
        low, *body, high = sorted(draw(st.lists(st.floats(0.001, 1e6), min_size=4, max_size=4)))
        cells = ["12.5", str(body[0]), str(high), str(low), str(body[1])]
        if draw(st.integers(0, 4)) == 0:
            cells[draw(st.integers(0, 4))] = draw(numbers)
        lines.append(line(hour, ",".join(cells)))
    return "".join(lines)


@settings(deadline=None)
@given(almost_files() | st.text("0123456789,.\n-e", max_size=80))
def test_any_file_gives_sound_bars_or_one_error(text: str) -> None:
    try:
        found = read_archive(DAY, gzip.compress(text.encode()))
    except ArchiveError:
        return
    assert check_klines(found.bars, Interval.H1, "again") is found.bars
    keys = {reject.span.start_ms for reject in found.rejected}
    assert keys.isdisjoint(open_times_ms(found.bars).to_pylist())
    for reject in found.rejected:
        assert reject.payload.startswith(str(reject.span.start_ms // 1000) + ",")


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    settings = SandboxSettings(clock=clock_starting_at(NOW), gate_requests_per_10_s=None)
    async with running_sandbox(settings) as running:
        yield running


def bulk_venue(url: str, **options: str) -> Venue:
    base = {"base_url": url + "/api/v4", "bulk_url": url, "bulk_files": "true", "bulk_volume": "base"}
    return create_venue(base | {"quick_retries": "0"} | options)


def archive_of(venue: Venue) -> KlineArchive:
    assert venue.kline_archive is not None
    return venue.kline_archive


@pytest.mark.parametrize(
    ("series", "start", "end"),
    [
        ("BTC_USDT.GIO 1m", "2025-06-14", "2025-06-16"),
        ("BTC_USDT.GIO 1h", "2025-04-01", "2025-06-16"),
        ("SOL_BTC.GIO 1d", "2024-11-01", "2025-06-01"),
        ("WAVES_USDT.GIO 4h", "2024-06-01", "2024-07-01"),  # delisted on the 17th
    ],
)
async def test_files_tell_the_same_bars_as_rest(
    sandbox: RunningSandbox, series: str, start: str, end: str
) -> None:
    venue = bulk_venue(sandbox.url)
    wanted = Series.parse(series)
    span = Span(parse_time(start), parse_time(end))
    files = archive_of(venue).files(wanted, span, NOW)
    assert merge(file.span for file in files) == [span]
    tables = [(await archive_of(venue).fetch(file)).bars for file in files]
    rest = join_pages(await read_pages(venue.klines, wanted, span))
    told = ["open_time", "open", "high", "low", "close", "volume"]
    assert pa.concat_tables(tables).select(told).equals(rest.select(told))
    assert len(rest) > 10
    await venue.close()


async def test_a_pair_with_a_chinese_name(sandbox: RunningSandbox) -> None:
    settings = SandboxSettings(clock=clock_starting_at(parse_time("2026-02-17")))
    async with running_sandbox(settings) as later:
        venue = bulk_venue(later.url)
        series = Series.parse("币安人生_USDT.GIO 1d")
        span = Span(parse_time("2025-12-01"), parse_time("2026-01-01"))
        (file,) = archive_of(venue).files(series, span, parse_time("2026-02-17"))
        assert len((await archive_of(venue).fetch(file)).bars) == 31
        await venue.close()


async def test_what_is_not_published_is_missing(sandbox: RunningSandbox) -> None:
    venue = bulk_venue(sandbox.url)
    early = list_files(HOURS, Span(parse_time("2017-01-01"), parse_time("2017-02-01")), NOW)
    unknown = list_files(Series.parse("NOSUCH_USDT.GIO 1h"), Span(START, START + 1), NOW)
    for file in (*early, *unknown):
        with pytest.raises(ArchiveMissingError, match="HTTP 404"):
            await archive_of(venue).fetch(file)
    await venue.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, ArchiveMissingError), (403, ArchiveMissingError), (302, ArchiveError), (400, ArchiveError)],
)
async def test_statuses(serve: Serve, status: int, error: type[ArchiveError]) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    venue = bulk_venue(await serve(answer))
    with pytest.raises(ArchiveError) as caught:
        await archive_of(venue).fetch(DAY)
    assert type(caught.value) is error
    await venue.close()


async def test_network_trouble_is_told_apart_from_a_bad_file(serve: Serve) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    venue = bulk_venue(await serve(answer))
    with pytest.raises(VenueUnavailableError):
        await archive_of(venue).fetch(DAY)
    await venue.close()


@pytest.mark.parametrize("encoding", [None, "gzip"])
async def test_a_file_that_the_server_calls_encoded_is_read_as_well(
    serve: Serve, encoding: str | None
) -> None:
    packed = gzip.compress(line(0).encode())

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=packed, headers={} if encoding is None else {"Content-Encoding": encoding})

    venue = bulk_venue(await serve(answer))
    assert len((await archive_of(venue).fetch(DAY)).bars) == 1
    await venue.close()


async def test_bulk_files_are_off_by_default() -> None:
    venue = create_venue({})
    assert venue.kline_archive is None
    assert not any(limits.name.endswith("bulk files") for limits in venue.limits())
    await venue.close()
    venue = bulk_venue("http://127.0.0.1:1")
    assert any(limits.name == "GIO bulk files" for limits in venue.limits())
    await venue.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"bulk_files": "true"},
            "bulk_files needs bulk_volume: which volume the files hold",
        ),
        ({"bulk_files": "true", "bulk_volume": "quote"}, "such files cannot be used"),
        ({"bulk_volume": "both"}, "bulk_volume 'both' is neither base nor quote"),
        ({"bulk_files": "on"}, "bulk_files 'on' is neither true nor false"),
        ({"bulk_url": "ftp://host"}, "bulk_url"),
    ],
)
def test_nobody_guesses_the_unit_of_the_volume(options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_venue(options)
