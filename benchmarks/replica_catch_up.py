"""A slave ten million bars behind catches up with its master; both are processes of their own, on loopback.

The plain way to the same end is beside it: the bars as a Parquet file, over HTTP, into a DuckDB table.
"""

import os
import secrets
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import orjson
import psutil

from benchmarks.processes import running_hub
from benchmarks.report import Row
from benchmarks.store_bars import CHUNKS_PER_YEAR, YEAR_ROWS, chunk_of, series_of
from markethub.stores.duckdb import open_duckdb_store

_SERIES = 20
_ROWS = _SERIES * YEAR_ROWS
_LEAST_RATE = 1_000_000
_MOST_MB = 1024
_QUIET = "SET enable_progress_bar = false"
_NOWHERE = "http://127.0.0.1:9"
_TITLES = {
    "snapshot": "from nothing, by snapshot",
    "changes": f"{_ROWS / 1e6:.1f} M bars of changes",
}


def run() -> list[Row]:
    """Catch up once in either way; the last checkpoint of the slave's file counts too."""
    with TemporaryDirectory() as text:
        folder = Path(text)
        data_dir = folder / "master"
        _fill(data_dir / "market.duckdb")
        rows = []
        plain = _ROWS / _copy_parquet(data_dir / "market.duckdb", folder)
        for mode, title in _TITLES.items():
            rows += _catch_up(folder, data_dir, mode, title, plain)
        return rows


def _fill(path: Path) -> None:
    store = open_duckdb_store(path)
    for number in range(_SERIES):
        wait([store.upsert(series_of(number), chunk_of(number, part)) for part in range(CHUNKS_PER_YEAR)])
    store.close()


def _catch_up(folder: Path, data_dir: Path, mode: str, title: str, plain: float) -> list[Row]:
    token = secrets.token_urlsafe(32)
    settings = {"MARKETHUB_NODE__CLUSTER_TOKEN": token, "MARKETHUB_SCHEDULER__ENABLED": "false"}
    with running_hub(data_dir, _NOWHERE, settings) as hub:
        master = psutil.Process(hub.pid)
        before_s = _cpu_s(master)
        told = _run_slave(hub.url, folder / f"{mode}.duckdb", mode, token)
        master_s = _cpu_s(master) - before_s
        master_mb = _peak_mb(hub.pid)
    if told["rows"] != _ROWS:
        raise RuntimeError(f"{told['rows']:.0f} bars came instead of {_ROWS}")
    millions = _ROWS / 1e6
    rate = told["rows"] / told["wall_s"]
    return [
        Row(f"{title}, both ends durable", rate, "rows/s", "target", _LEAST_RATE),
        Row(f"{title}, both ends durable", rate, "rows/s", "COPY to Parquet, HTTP, INSERT", plain),
        Row(f"{title}, CPU of the master", master_s / millions, "s/M rows"),
        Row(f"{title}, CPU of the slave", told["cpu_s"] / millions, "s/M rows"),
        Row(f"{title}, peak memory of the master", master_mb, "MB", "target", _MOST_MB),
        Row(f"{title}, peak memory of the slave", told["peak_mb"], "MB", "target", _MOST_MB),
    ]


def _run_slave(url: str, path: Path, mode: str, token: str) -> Mapping[str, float]:
    command = [sys.executable, "-m", "benchmarks.replica_slave", url, str(path), mode]
    done = subprocess.run(command, check=True, env={**os.environ, "TOKEN": token}, stdout=subprocess.PIPE)
    told: Mapping[str, float] = orjson.loads(done.stdout)
    return told


def _copy_parquet(source: Path, folder: Path) -> float:
    """Seconds to bring the bars over as a file, durable at the end."""
    file, arrived = folder / "served" / "bars.parquet", folder / "arrived.parquet"
    file.parent.mkdir()
    start_s = time.perf_counter()
    with duckdb.connect(source, read_only=True) as connection:
        connection.execute(_QUIET)
        connection.execute(f"COPY klines_1m TO '{file}' (FORMAT parquet)")
    with _serving(file.parent) as url:
        urllib.request.urlretrieve(f"{url}/bars.parquet", arrived)  # noqa: S310 - our own address
    with duckdb.connect(folder / "plain.duckdb") as connection:
        connection.execute(_QUIET)
        connection.execute("CREATE TABLE klines_1m AS SELECT * FROM read_parquet(?)", [str(arrived)])
        ((rows,),) = connection.sql("SELECT count(*) FROM klines_1m").fetchall()
    if rows != _ROWS:
        raise RuntimeError(f"{rows} bars arrived instead of {_ROWS}")
    return time.perf_counter() - start_s


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its own name
        pass


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) / 1024
