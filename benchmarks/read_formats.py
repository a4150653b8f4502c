"""GET of klines in each format and size, beside the same work in process and a plain FastAPI route."""

import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args
from urllib.parse import urlencode, urlsplit

import duckdb
import psutil

from benchmarks.processes import HubAddress, running_hub
from benchmarks.report import Row
from benchmarks.rounds import Contestant, take_turns
from benchmarks.store_bars import (
    CHUNKS_PER_YEAR,
    YEAR,
    YEAR_ROWS,
    chunk_of,
    series_of,
)
from markethub.api.table_streams import stream_table
from markethub.domain.times import format_time
from markethub.ports.store import SeriesStore
from markethub.stores.duckdb.opening import open_duckdb_store
from markethub.wire.series import TableFormat

_ROUNDS = {1_000: 30, 50_000: 8, YEAR_ROWS: 3}
_FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
_SERIES = series_of(0)
_START_S = 30.0
_IN_PROCESS = "store read + encoding in process"
_PLAIN = "FastAPI returning dicts"


def run() -> list[Row]:
    """Store a year of one-minute bars, then read it in every way."""
    with TemporaryDirectory(prefix="markethub-bench-") as name:
        folder = Path(name)
        market, copy, plain = (
            folder / "hub" / "market.duckdb",
            folder / "copy.duckdb",
            folder / "plain.duckdb",
        )
        _store_year(market)
        shutil.copy(market, copy)  # a store is held by one process
        with (
            closing(open_duckdb_store(copy)) as store,
            _running_plain(store, plain) as plain_port,
            running_hub(market.parent, "http://127.0.0.1:1") as hub,
        ):
            return [row for size in _ROUNDS for row in _measure_size(store, hub, plain_port, size)]


def _store_year(path: Path) -> None:
    with closing(open_duckdb_store(path)) as store:
        for chunk in range(CHUNKS_PER_YEAR):
            store.upsert(_SERIES, chunk_of(0, chunk)).result()
        store.compact()


def _measure_size(store: SeriesStore, hub: HubAddress, plain_port: int, size: int) -> list[Row]:
    reads: dict[str, Callable[[], object]] = {"plain": partial(_ask_plain, plain_port, size)}
    for name in _FORMATS:
        reads[name] = partial(_ask_hub, hub, name, size)
        reads[f"{name} in process"] = partial(_encode, store, name, size)
    spent = take_turns({name: _ready(read) for name, read in reads.items()}, _ROUNDS[size])
    rows = []
    for name in _FORMATS:
        size_bytes, peak_bytes = _measure_peak(hub, name, size)
        title, wall_s = f"{name} of {size:,} bars", spent[name].wall_s
        rows += [
            Row(title, wall_s * 1000, "ms", _IN_PROCESS, spent[f"{name} in process"].wall_s * 1000),
            Row(f"{title}, throughput", size_bytes / wall_s / 1e6, "MB/s"),
            Row(f"{title}, peak memory of the hub", peak_bytes / 1e6, "MB", "the answer", size_bytes / 1e6),
        ]
    plain_ms = spent["plain"].wall_s * 1000
    return [*rows, Row(f"json of {size:,} bars", spent["json"].wall_s * 1000, "ms", _PLAIN, plain_ms)]


def _ready(read: Callable[[], object]) -> Contestant:
    return lambda: nullcontext(read)


def _encode(store: SeriesStore, name: TableFormat, size: int) -> bytes:
    bars = store.read(_SERIES, YEAR, limit=size)
    return b"".join(stream_table(bars, name, {"symbol": str(_SERIES.symbol), "interval": "1m"}))


def _measure_peak(hub: HubAddress, name: str, size: int) -> tuple[int, int]:
    """The answer's bytes, and how far the hub's memory rose above where it was before."""
    before_bytes = psutil.Process(hub.pid).memory_info().rss
    Path(f"/proc/{hub.pid}/clear_refs").write_text("5")  # the high-water mark starts anew
    size_bytes = len(_ask_hub(hub, name, size))
    status = Path(f"/proc/{hub.pid}/status").read_text()
    [peak_kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return size_bytes, max(0, int(peak_kib) * 1024 - before_bytes)


def _ask_hub(hub: HubAddress, name: str, size: int) -> bytes:
    query = {"symbol": str(_SERIES.symbol), "interval": "1m", "format": name, "limit": size}
    path = f"/api/v1/klines?{urlencode({**query, 'start': format_time(YEAR.start_ms)})}"
    return _read(urlsplit(hub.url).port, path, {"Authorization": f"Bearer {hub.token}"})


def _ask_plain(port: int, size: int) -> bytes:
    return _read(port, f"/klines?limit={size}", {})


def _read(port: int | None, path: str, headers: dict[str, str]) -> bytes:
    # A connection each: one that idles while others take their turn would be closed.
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        content = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path} was answered with {response.status}: {content[:200]!r}")
    return content


@contextmanager
def _running_plain(store: SeriesStore, path: Path) -> Iterator[int]:
    """The port of a plain route over the same bars in a table of their own."""
    with duckdb.connect(str(path)) as connection:
        connection.register("found", store.read(_SERIES, YEAR))
        connection.execute("CREATE TABLE bars AS SELECT * FROM found")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.plain_reader", str(path), str(port)])
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    end_s = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.05)
        else:
            return
