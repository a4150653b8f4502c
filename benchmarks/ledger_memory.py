"""A million fills from a venue's pages into the store: peak memory and speed; then the newest once more."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from benchmarks.ingest import StrictLog
from benchmarks.report import Row
from benchmarks.store_memory import peak_mib
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account
from markethub.domain.times import parse_time
from markethub.engine.handler import RunningChunk
from markethub.jobs.ledger_backfill import LedgerBackfillHandler
from markethub.jobs.ledger_plan import LedgerChunk, LedgerOwner
from markethub.ports.clock import system_clock
from markethub.ports.venue import LedgerPage
from markethub.stores.duckdb import open_duckdb_store
from markethub.venues.okx.ledger_entries import read_entries
from markethub.venues.okx.ledger_parse import FILL_FIELDS, tabulate_fills

_FILLS = 1_000_000
_AGAIN = 100_000  # the newest of them
_PAGE = 100
_PER_S = 2
_ACCOUNT = Account("OKX", "MM01")
_START_MS = parse_time("2026-01-01")
_SPAN = Span(_START_MS, _START_MS + _FILLS * 1000 // _PER_S)
_LIMIT_MIB = 1024.0


def run() -> list[Row]:
    """Run the job of a chunk in a process of its own, since the peak of a process never falls."""
    with TemporaryDirectory(prefix="markethub-bench-") as folder:
        command = [sys.executable, "-m", "benchmarks.ledger_memory", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    return [
        Row("peak RSS, 1 M fills in pages of 100", found["peak_mib"], "MiB", "target", _LIMIT_MIB),
        Row("1 M fills, pages made, parsed and stored", _FILLS / found["first_s"], "rows/s"),
        Row("the newest 100,000 again, all unchanged", _AGAIN / found["again_s"], "rows/s"),
        Row("making and parsing the pages alone", _AGAIN / found["parse_s"], "rows/s"),
        Row("file", found["bytes_per_row"], "B/row"),
    ]


class _Ledger:
    """An account of a venue that never keeps one waiting; claims nothing, so that all is asked again."""

    def __init__(self, fills: int) -> None:
        self._fills = fills

    async def ledger(self, *_: object) -> AsyncIterator[LedgerPage]:
        for page in _pages(self._fills):
            yield page


class _Access:
    def __init__(self, fills: int) -> None:
        self._fills = fills

    async def open(self, _: Account) -> Any:  # noqa: ANN401
        return _Ledger(self._fills)


def _pages(fills: int) -> Iterator[LedgerPage]:
    for newest in range(_FILLS - 1, _FILLS - 1 - fills, -_PAGE):
        rows = [_fill(number) for number in range(newest, newest - _PAGE, -1)]
        body = orjson.dumps({"code": "0", "msg": "", "data": rows})
        entries = read_entries(body, FILL_FIELDS, "fills")
        found = tabulate_fills(entries, _ACCOUNT, "fills")
        yield LedgerPage(found.rows, None)


def _fill(number: int) -> dict[str, str]:
    at = str(_START_MS + number * 1000 // _PER_S)
    return {
        "instType": "SPOT", "instId": f"{['BTC', 'ETH', 'SOL'][number % 3]}-USDT", "tradeId": str(7 * number),
        "ordId": str(680_800_000_000_000_000 + number // 3), "clOrdId": "", "billId": str(10**17 + number),
        "side": "buy" if number % 2 else "sell", "execType": "T" if number % 5 else "M",
        "fillPx": f"{50_000 + number % 977}.5", "fillSz": f"0.{1 + number % 99_991:05d}",
        "fee": f"-0.{number % 9_973:08d}", "feeCcy": "USDT", "fillTime": at, "ts": at,
    }  # fmt: skip


async def _store(folder: Path) -> dict[str, float]:
    path = folder / "market.duckdb"
    store = open_duckdb_store(path)
    work = LedgerChunk(LedgerOwner(_ACCOUNT), _SPAN)
    spent = []
    for turn, fills, name in ((1, _FILLS, "inserted"), (2, _AGAIN, "unchanged")):
        access: Any = _Access(fills)
        handler = LedgerBackfillHandler(DataKind.FILL, access, store.records, system_clock)
        chunk = RunningChunk(turn, 1, "bench", "fills", "OKX", work.to_parameters(), 1)
        start_s = time.perf_counter()
        await handler.run(chunk, StrictLog())
        spent.append(time.perf_counter() - start_s)
        if chunk.counters[name] != fills:
            raise RuntimeError(f"{chunk.counters} instead of {fills} {name}")
    store.close()
    peak = peak_mib()
    start_s = time.perf_counter()
    for _ in _pages(_AGAIN):
        pass
    return {
        "peak_mib": peak,
        "first_s": spent[0],
        "again_s": spent[1],
        "parse_s": time.perf_counter() - start_s,
        "bytes_per_row": path.stat().st_size / _FILLS,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_store(Path(sys.argv[1])))))
