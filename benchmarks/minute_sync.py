"""The store's part of a minute's sync of 3,000 series: one new bar each, and three that are known."""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from benchmarks.report import Row
from benchmarks.store_bars import MINUTE_MS, START_MS, chunk_of, series_of
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.jobs.kline_sync_plan import BATCH_SERIES
from markethub.ports.store import Coverage, SeriesStore, SeriesWrite, UpsertCounts
from markethub.stores.duckdb import open_duckdb_store

_SERIES = 3_000
_ROUNDS = 30
_KNOWN_BARS = 60
_RECHECKED_BARS = 3
_TARGET_MS = 15.0
_SINGLE = "single upserts, queued and waited for together"

Writes = Sequence[SeriesWrite]
Way = Callable[[SeriesStore, Writes], Sequence[UpsertCounts]]


def run() -> list[Row]:
    """Three ways, each into a store of its own, a round of one after a round of the other."""
    every_series = [series_of(number) for number in range(_SERIES)]
    bars = [chunk_of(number, 0) for number in range(8)]
    ways: dict[str, Way] = {"many": _write_many, "batches": _write_batches, "single": _write_singly}
    now_ms = START_MS + _KNOWN_BARS * MINUTE_MS
    spent: dict[str, list[float]] = {name: [] for name in ways}
    with TemporaryDirectory() as folder:
        stores = {
            name: open_duckdb_store(Path(folder) / f"{name}.duckdb", clock=lambda: now_ms) for name in ways
        }
        for store in stores.values():
            store.upsert_many(_minute(every_series, bars, 0, _KNOWN_BARS)).result()
        for turn in range(_ROUNDS + 1):
            writes = _minute(every_series, bars, _KNOWN_BARS + turn - _RECHECKED_BARS, _KNOWN_BARS + turn + 1)
            for name in list(ways)[:: -1 if turn % 2 else 1]:
                began_s = time.perf_counter()
                counts = ways[name](stores[name], writes)
                elapsed_ms = (time.perf_counter() - began_s) * 1000
                _check(counts)
                if turn:  # the first one warms up
                    spent[name].append(elapsed_ms)
        for store in stores.values():
            store.close()
    p50 = {name: statistics.median(samples) for name, samples in spent.items()}
    title = f"write 1 new and {_RECHECKED_BARS} known bars of {_SERIES:,} series, p50"
    return [
        Row(f"{title}, in one write", p50["many"], "ms", _SINGLE, p50["single"]),
        Row(f"{title}, in batches of {BATCH_SERIES}", p50["batches"], "ms", _SINGLE, p50["single"]),
        Row(f"{title}, in one write", p50["many"], "ms", "target of the plan", _TARGET_MS),
    ]


def _minute(every_series: Sequence[Series], bars: Sequence[pa.Table], first: int, last: int) -> Writes:
    span = Span(START_MS + first * MINUTE_MS, START_MS + last * MINUTE_MS)
    claim = Coverage(span, "rest", span.end_ms)
    return [
        SeriesWrite(series, bars[number % len(bars)].slice(first, last - first), [claim])
        for number, series in enumerate(every_series)
    ]


def _write_many(store: SeriesStore, writes: Writes) -> Sequence[UpsertCounts]:
    return store.upsert_many(writes).result()


def _write_batches(store: SeriesStore, writes: Writes) -> Sequence[UpsertCounts]:
    batches = [writes[first : first + BATCH_SERIES] for first in range(0, len(writes), BATCH_SERIES)]
    futures = [store.upsert_many(batch) for batch in batches]
    wait(futures)
    return [counts for future in futures for counts in future.result()]


def _write_singly(store: SeriesStore, writes: Writes) -> Sequence[UpsertCounts]:
    futures = [store.upsert(one.series, one.bars, one.covered) for one in writes]
    wait(futures)
    return [future.result() for future in futures]


def _check(counts: Sequence[UpsertCounts]) -> None:
    for one in counts:
        if (one.inserted, one.updated, one.unchanged) != (1, 0, _RECHECKED_BARS):
            raise RuntimeError(f"a write did {one}")
