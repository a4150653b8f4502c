"""Bulk files into DuckDB, beside the plain script: download, unzip, pandas, INSERT."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pandas as pd
import uvloop

from benchmarks.ingest import (
    SERIES,
    FrameTable,
    empty_frame_table,
    empty_store,
    new_fetch,
)
from benchmarks.processes import running_sandbox
from benchmarks.report import Row
from benchmarks.rounds import Contestant, Spent, take_turns
from markethub.domain.span import Span
from markethub.domain.times import parse_time
from markethub.ports.clock import system_clock
from markethub.ports.venue import ArchiveFile, KlineArchive, Venue
from markethub.stores.duckdb import DuckdbSeriesStore
from markethub.venues.binance import create_venue
from markethub.venues.binance.archive_parse import read_archive

_SPAN = Span(parse_time("2024-01-01"), parse_time("2025-01-01"))
_ROWS = _SPAN.width_ms // SERIES.interval.width_ms
_ROUNDS = 3
_WORKERS = 8  # as many chunks as a hub runs at once by its default settings
_BASELINE = "httpx2 + pandas + INSERT"
_COLUMNS = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "taker_volume",
    "taker_quote_volume",
    "ignore",
]


def run() -> list[Row]:
    """Measure the twelve monthly files of one-minute bars of 2024; all ways in turns."""
    with (
        TemporaryDirectory(prefix="markethub-bench-") as folder,
        running_sandbox(Path(folder)) as url,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        httpx2.Client(base_url=url, timeout=60.0) as http,
    ):
        venue = create_venue({"base_url": url, "archive_url": url})
        try:
            spent = take_turns(_contestants(runner, venue, http), _ROUNDS)
        finally:
            runner.run(venue.close())
    script = spent["script"]
    return [
        _rate("Monthly zips into DuckDB, one after another", spent["in order"], _BASELINE, script),
        _rate(f"Monthly zips into DuckDB, {_WORKERS} chunks at once", spent["at once"], _BASELINE, script),
        _cpu("Monthly zips into DuckDB, one after another, CPU", spent["in order"], _BASELINE, script),
        _rate(
            "Zip to checked Arrow table, sha256 included",
            spent["parse ours"],
            "zipfile + pandas.read_csv",
            spent["parse pandas"],
        ),
    ]


def _rate(title: str, ours: Spent, baseline: str, theirs: Spent) -> Row:
    return Row(title, _ROWS / ours.wall_s, "rows/s", baseline, _ROWS / theirs.wall_s)


def _cpu(title: str, ours: Spent, baseline: str, theirs: Spent) -> Row:
    scale = 1_000_000 / _ROWS
    return Row(title, ours.cpu_s * scale, "s/M rows", baseline, theirs.cpu_s * scale)


def _contestants(runner: asyncio.Runner, venue: Venue, http: httpx2.Client) -> dict[str, Contestant]:
    archive = venue.kline_archive
    if archive is None:
        raise RuntimeError(f"{venue.code} has no archive")
    files = archive.files(SERIES, _SPAN, system_clock())
    zipped = [_download(http, file) for file in files]
    published = [
        (file, content, _describe(file, content)) for file, content in zip(files, zipped, strict=True)
    ]

    def check(work: Callable[[], int]) -> None:
        if (rows := work()) != _ROWS:
            raise RuntimeError(f"{work} brought {rows} rows instead of {_ROWS}")

    @contextmanager
    def stored(spans: Sequence[Span]) -> Iterator[Callable[[], None]]:
        with empty_store() as store:
            yield partial(check, lambda: runner.run(_ingest(venue, archive, store, spans)))

    @contextmanager
    def script() -> Iterator[Callable[[], None]]:
        with empty_frame_table() as table:
            yield partial(check, lambda: _run_script(http, files, table))

    @contextmanager
    def parse(read: Callable[[], int]) -> Iterator[Callable[[], None]]:
        yield partial(check, read)

    return {
        "in order": partial(stored, [_SPAN]),
        "at once": partial(stored, [file.span for file in files]),
        "script": script,
        "parse ours": partial(parse, lambda: sum(len(read_archive(*one).bars) for one in published)),
        "parse pandas": partial(parse, lambda: sum(len(_read_frame(content)) for content in zipped)),
    }


async def _ingest(
    venue: Venue, archive: KlineArchive, store: DuckdbSeriesStore, spans: Sequence[Span]
) -> int:
    """Run one chunk a span, several at once; inside a chunk file follows file."""
    places = asyncio.Semaphore(_WORKERS)

    async def run_chunk(span: Span) -> int:
        async with places:
            fetch = new_fetch(venue.klines, archive, store)
            await fetch.fetch(span)
            return fetch.counters["inserted"]

    return sum(await asyncio.gather(*map(run_chunk, spans)))


def _run_script(http: httpx2.Client, files: Sequence[ArchiveFile], table: FrameTable) -> int:
    return sum(table.append(_read_frame(_download(http, file))) for file in files)


def _download(http: httpx2.Client, file: ArchiveFile) -> bytes:
    return http.get(file.path).raise_for_status().content


def _read_frame(content: bytes) -> pd.DataFrame:
    with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(archive.namelist()[0]) as member:
        return pd.read_csv(member, header=None, names=_COLUMNS)


def _describe(file: ArchiveFile, content: bytes) -> bytes:
    """The checksum file as it is published."""
    return f"{hashlib.sha256(content).hexdigest()}  {file.path.rpartition('/')[2]}\n".encode()
