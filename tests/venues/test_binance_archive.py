"""Fetching bulk files from a server that spoils one of the two answers."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from markethub.domain.errors import (
    ArchiveError,
    ArchiveMissingError,
    ChecksumMismatchError,
    VenueError,
    VenueThrottledError,
    VenueUnavailableError,
)
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import parse_time
from markethub.ports.venue import ArchiveFile, KlineArchive
from markethub.venues.binance import create_venue

Answer = Callable[[web.Request], web.StreamResponse]
Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

START = parse_time("2024-12-01")
STEM = "BTCUSDT-1h-2024-12"
PATH = f"/data/spot/monthly/klines/BTCUSDT/1h/{STEM}.zip"
LINE = f"{START},8.5,9,8,8.75,1.5,{START + 3_599_999},12.75,3,0.5,4.25,0\n"


class FakeArchive:
    """One month of one bar, with its checksum; ``spoiled`` answers by path come first."""

    def __init__(self) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"{STEM}.csv", LINE)
        self.zipped = packed.getvalue()
        self.sha256 = hashlib.sha256(self.zipped).hexdigest()
        self.spoiled: dict[str, Answer] = {}
        self.counts: dict[str, int] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.counts[request.path] = self.counts.get(request.path, 0) + 1
        if request.path in self.spoiled:
            return self.spoiled[request.path](request)
        entry = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT"}
        answers: dict[str, Answer] = {
            PATH: lambda _: web.Response(body=self.zipped),
            PATH + ".CHECKSUM": lambda _: web.Response(text=f"{self.sha256}  {STEM}.zip\n"),
            "/api/v3/exchangeInfo": lambda _: web.json_response({"symbols": [entry]}),
        }
        answer = answers.get(request.path, text(404))
        return answer(request)


@pytest.fixture
def fake() -> FakeArchive:
    return FakeArchive()


@pytest.fixture
async def archive(fake: FakeArchive, serve: Serve) -> AsyncIterator[KlineArchive]:
    url = await serve(fake.handle)
    venue = create_venue({"base_url": url, "archive_url": url, "quick_retries": "1", "patience_s": "9"})
    assert venue.kline_archive is not None
    yield venue.kline_archive
    await venue.close()


def month_file(archive: KlineArchive, series: str = "BTC_USDT.BNC 1h") -> ArchiveFile:
    (file,) = archive.files(Series.parse(series), Span(START, START + 1), parse_time("2025-06-01"))
    return file


def text(status: int, body: str = "<Error/>", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(status=status, text=body, headers=named)


def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_a_good_file(fake: FakeArchive, archive: KlineArchive) -> None:
    archived = await archive.fetch(month_file(archive))
    assert archived.sha256 == fake.sha256
    assert archived.bars["close"].to_pylist() == [8.75]


async def test_a_file_that_is_not_there(fake: FakeArchive, archive: KlineArchive) -> None:
    with pytest.raises(ArchiveMissingError, match="404"):
        await archive.fetch(month_file(archive, "BTC_USDT.BNC 1m"))


@pytest.mark.parametrize(
    ("path", "spoil", "error_class"),
    [
        (PATH, text(404), ArchiveMissingError),
        (PATH, text(403), ArchiveError),
        (PATH, text(301, Location="http://127.0.0.1/"), ArchiveError),
        (PATH, text(200, "<html>not a zip</html>"), ChecksumMismatchError),
        (PATH, text(200, "x" * 500_000), ArchiveError),  # larger than any such file
        (PATH, text(500), VenueUnavailableError),
        (PATH, reset, VenueUnavailableError),
        (PATH, text(503, Retry_After="10"), VenueThrottledError),
        (PATH, text(429, Retry_After="10"), VenueThrottledError),
        (PATH + ".CHECKSUM", text(404), ArchiveError),
        (PATH + ".CHECKSUM", text(200, "<html>"), ArchiveError),
        (PATH + ".CHECKSUM", text(200, "x" * 5000), ArchiveError),
        (PATH + ".CHECKSUM", text(200, f"{'0' * 64}  {STEM}.zip"), ChecksumMismatchError),
        (PATH + ".CHECKSUM", text(502), VenueUnavailableError),
    ],
)
async def test_a_file_that_cannot_be_used(
    fake: FakeArchive, archive: KlineArchive, path: str, spoil: Answer, error_class: type[VenueError]
) -> None:
    fake.spoiled[path] = spoil
    with pytest.raises(error_class) as caught:
        await archive.fetch(month_file(archive))
    assert type(caught.value) is error_class
    tries = 2 if error_class is VenueUnavailableError else 1
    assert fake.counts[path] == tries


async def test_a_ban_at_the_archive_leaves_rest_alone(fake: FakeArchive, archive: KlineArchive) -> None:
    fake.spoiled[PATH] = text(429, Retry_After="100")
    file = month_file(archive)
    for _ in range(2):
        with pytest.raises(VenueThrottledError):
            await archive.fetch(file)
    assert fake.counts[PATH] == 1  # the second time the gate was closed
