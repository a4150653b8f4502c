"""A process that writes and compacts until it is killed; run with PATH FIRST LAST.

Each write ``number`` is of fixed content, see ``write_of``, so that whoever finds the file can tell what of
it is there. A line ``acked NUMBER`` follows each one that the store has acknowledged.
"""

import sys
import threading
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.ports.store import Coverage, SeriesStore, SeriesWrite
from markethub.stores.duckdb import compaction, open_duckdb_store
from markethub.testing.store_contract import MINUTE_MS, T0, bars_at

ROWS = 40
_SERIES = [Series(Symbol.parse(f"{base}_USDT.BNC"), Interval.M1) for base in ("BTC", "ETH", "SOL")]
_IN_FLIGHT = 6
_BLOCK = 16
_SET = 3


def set_of(number: int) -> range:
    """The numbers that are written together with this one: every other three are one write."""
    first = number // _SET * _SET
    return range(first, first + _SET) if first // _SET % 2 else range(number, number + 1)


def write_of(number: int) -> tuple[Series, pa.Table, list[Coverage]]:
    """Bars that no other write touches, marked with the number, and a claim; each block goes back in time."""
    place = number // _BLOCK * _BLOCK + (_BLOCK - 1 - number % _BLOCK)
    start_ms = T0 + place * ROWS * MINUTE_MS
    span = Span(start_ms, start_ms + ROWS * MINUTE_MS)
    bars = bars_at(range(span.start_ms, span.end_ms, MINUTE_MS), trades=[number] * ROWS)
    return _SERIES[number % len(_SERIES)], bars, [Coverage(span, f"archive:{number}", T0)]


def _run(path: Path, first: int, last: int) -> None:
    compaction.STEP_ROWS = 200
    latest_ms = T0
    store = open_duckdb_store(path, clock=lambda: latest_ms)
    is_done = threading.Event()

    def compact() -> None:
        while not is_done.is_set():
            store.maintain()
            store.compact()

    compactor = threading.Thread(target=compact)
    compactor.start()
    waiting: deque[tuple[range, Future[Any]]] = deque()
    _say("ready")
    for number in range(first, last + _IN_FLIGHT):
        if number < last and (together := set_of(number))[0] == number:
            waiting.append((together, _write(store, together)))
            # The hot stretch ends somewhere inside the newest blocks.
            latest_ms = max(latest_ms, *(write_of(one)[2][0].span.end_ms for one in together))
        if waiting and (len(waiting) >= _IN_FLIGHT or number >= last):
            acked, future = waiting.popleft()
            future.result()
            for one in acked:
                _say(f"acked {one}")
    is_done.set()
    compactor.join()
    store.close()


def _write(store: SeriesStore, numbers: range) -> "Future[Any]":
    if len(numbers) == 1:
        return store.upsert(*write_of(numbers[0]))
    return store.upsert_many([SeriesWrite(*write_of(number)) for number in numbers])


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        _run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except StoreError as error:
        sys.exit(f"the store failed: {error}")
