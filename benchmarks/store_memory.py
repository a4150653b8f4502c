"""Peak memory of a process that ingests fifty million bars and compacts them."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import Row
from benchmarks.store_bars import CHUNK_ROWS, CHUNKS_PER_YEAR, chunk_of, series_of
from markethub.stores.duckdb import open_duckdb_store

_ROWS = 50_000_000
_LIMIT_MIB = 1024.0
_SERIES_PER_ROUND = 4


def run() -> list[Row]:
    """Ingest in a process of its own, since the peak of a process never falls."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.store_memory", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    return [
        Row("peak RSS, 50 M bars ingested", found["ingest_mib"], "MiB", "target", _LIMIT_MIB),
        Row("peak RSS, then compacted", found["compact_mib"], "MiB", "target", _LIMIT_MIB),
        Row("ingest of 50 M bars, with making them", _ROWS / found["ingest_s"], "rows/s"),
        Row("compaction, half of them out of order", found["compact_s"], "s"),
        Row("file", found["bytes_per_row"], "B/row"),
    ]


def _ingest(folder: Path) -> dict[str, float]:
    path = folder / "bars.duckdb"
    store = open_duckdb_store(path)
    start_s = time.perf_counter()
    rows = 0
    number = 0
    while rows < _ROWS:
        # Four series side by side; of every other four the second half comes first, as parallel workers do.
        order = range(CHUNKS_PER_YEAR) if number % 8 < _SERIES_PER_ROUND else range(-6, 6)
        for place in order:
            for series in range(number, number + _SERIES_PER_ROUND):
                store.upsert(series_of(series), chunk_of(series, place % CHUNKS_PER_YEAR))
                rows += CHUNK_ROWS
        number += _SERIES_PER_ROUND
    stored = sum(summary.rows for summary in store.summaries())
    while stored < rows:
        store.upsert(series_of(0), chunk_of(0, 0)).result()  # ends behind all that waits
        stored = sum(summary.rows for summary in store.summaries())
    ingest_s, ingest_mib = time.perf_counter() - start_s, peak_mib()
    start_s = time.perf_counter()
    store.compact()
    compact_s = time.perf_counter() - start_s
    store.close()
    return {
        "ingest_mib": ingest_mib,
        "compact_mib": peak_mib(),
        "ingest_s": ingest_s * _ROWS / rows,
        "compact_s": compact_s,
        "bytes_per_row": path.stat().st_size / rows,
    }


def peak_mib() -> float:
    """The largest resident memory this process ever had."""
    # Not getrusage: its peak outlives exec, so it would be that of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index] # always there on Linux


if __name__ == "__main__":
    print(json.dumps(_ingest(Path(sys.argv[1]))))
