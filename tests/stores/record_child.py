"""A process that writes pages of fills until it is killed; run with PATH FIRST LAST.

Page ``number`` is of fixed content, see ``page_of``. Pages come newest first, several wait at once, and a
line ``acked NUMBER`` follows each one that the store has acknowledged.
"""

import sys
from collections import deque
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from markethub.ports.records import OwnerClaims
from markethub.ports.store import UpsertCounts
from markethub.stores.duckdb import open_duckdb_store
from markethub.tables.fills import FILLS
from markethub.testing.record_rows import claim, claims_of, fills_at

ROWS = 50
_NEWEST = 1_000_000
_IN_FLIGHT = 6


def page_of(number: int) -> tuple[pa.Table, list[OwnerClaims]]:
    """Fills that no other page has, with the number as their price, and a claim of a source of its own."""
    end = _NEWEST - number * ROWS
    rows = fills_at(*range(end - 1, end - ROWS - 1, -1), price=Decimal(number))
    return rows, claims_of("OKX_MM01", claim(end - ROWS, end, f"rest {number}"))


def _run(path: Path, first: int, last: int) -> None:
    store = open_duckdb_store(path)
    waiting: deque[tuple[int, Future[UpsertCounts]]] = deque()
    for number in range(first, last + _IN_FLIGHT):
        if number < last:
            rows, told = page_of(number)
            waiting.append((number, store.records.upsert_records(FILLS, rows, told)))
        if waiting and (len(waiting) >= _IN_FLIGHT or number >= last):
            acked, future = waiting.popleft()
            future.result()
            sys.stdout.write(f"acked {acked}\n")
            sys.stdout.flush()
    store.close()


if __name__ == "__main__":
    _run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
