"""Paging klines over REST, beside ccxt: into memory, and on into a DuckDB file."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ccxt.async_support
import pandas as pd
import uvloop

from benchmarks.ingest import (
    NATIVE_NAME,
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
from markethub.jobs.kline_fetch import NoArchive
from markethub.ports.venue import Venue
from markethub.stores.duckdb import DuckdbSeriesStore
from markethub.venues.binance import create_venue

_PAGES = 60
_PAGE_ROWS = 1000
_ROWS = _PAGES * _PAGE_ROWS
_START_MS = parse_time("2024-01-01")
_SPAN = Span(_START_MS, _START_MS + _ROWS * SERIES.interval.width_ms)
_ROUNDS = 5
_CHUNKS = 6  # taken at once, as the workers of a hub do
_CCXT_NAME = "ETH/USDT"
_CCXT_STORE = "ccxt async + pandas + INSERT"
_CCXT_COLUMNS = ["open_time", "open", "high", "low", "close", "volume"]

Work = Callable[[Span], Coroutine[Any, Any, int]]
"""Brings the rows of a span and tells how many."""


@dataclass(frozen=True, slots=True)
class _Clients:
    ours: Venue
    theirs: ccxt.async_support.binance

    async def close(self) -> None:
        await self.ours.close()
        await self.theirs.close()


def run() -> list[Row]:
    """Measure 60 pages of 1000 one-minute bars; all ways in turns."""
    with (
        TemporaryDirectory(prefix="markethub-bench-") as folder,
        running_sandbox(Path(folder)) as url,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        clients = runner.run(_connect(url))
        try:
            spent = take_turns(_contestants(runner, clients), _ROUNDS)
        finally:
            runner.run(clients.close())
    return [
        *_rows("REST paging into memory", spent["page ours"], "ccxt async", spent["page ccxt"]),
        *_rows("REST paging into DuckDB", spent["store ours"], _CCXT_STORE, spent["store ccxt"]),
        *_rows(
            f"REST paging into DuckDB, {_CHUNKS} chunks at once",
            spent["store ours at once"],
            _CCXT_STORE,
            spent["store ccxt at once"],
        ),
    ]


def _rows(title: str, ours: Spent, baseline: str, theirs: Spent) -> Iterator[Row]:
    yield Row(title, _ROWS / ours.wall_s, "rows/s", baseline, _ROWS / theirs.wall_s)
    page_ms = 1000 / _PAGES
    yield Row(
        f"{title}, CPU of the client", ours.cpu_s * page_ms, "ms/page", baseline, theirs.cpu_s * page_ms
    )


def _contestants(runner: asyncio.Runner, clients: _Clients) -> dict[str, Contestant]:
    def run_all(work: Work, spans: Sequence[Span]) -> None:
        rows = runner.run(_sum_rows(work, spans))
        if rows != _ROWS:
            raise RuntimeError(f"{work} brought {rows} rows instead of {_ROWS}")

    @contextmanager
    def page(work: Work) -> Iterator[Callable[[], None]]:
        yield partial(run_all, work, [_SPAN])

    @contextmanager
    def store_ours(spans: Sequence[Span]) -> Iterator[Callable[[], None]]:
        with empty_store() as store:
            yield partial(run_all, partial(_store_ours, clients.ours, store), spans)

    @contextmanager
    def store_ccxt(spans: Sequence[Span]) -> Iterator[Callable[[], None]]:
        with empty_frame_table() as table:
            # one connection, so one INSERT at a time
            yield partial(run_all, partial(_store_ccxt, clients.theirs, table, asyncio.Lock()), spans)

    return {
        "page ours": partial(page, partial(_page_ours, clients.ours)),
        "page ccxt": partial(page, partial(_page_ccxt, clients.theirs)),
        "store ours": partial(store_ours, [_SPAN]),
        "store ccxt": partial(store_ccxt, [_SPAN]),
        "store ours at once": partial(store_ours, _chunk_spans()),
        "store ccxt at once": partial(store_ccxt, _chunk_spans()),
    }


def _chunk_spans() -> list[Span]:
    width_ms = _SPAN.width_ms // _CHUNKS
    starts_ms = range(_SPAN.start_ms, _SPAN.end_ms, width_ms)
    return [Span(start_ms, start_ms + width_ms) for start_ms in starts_ms]


async def _sum_rows(work: Work, spans: Sequence[Span]) -> int:
    return sum(await asyncio.gather(*map(work, spans)))


async def _connect(url: str) -> _Clients:
    """Both clients with what they learn once: the listing, for ccxt its markets."""
    ours = create_venue({"base_url": url, "archive_url": url})
    await ours.klines.listed(SERIES.symbol)
    theirs = ccxt.async_support.binance(
        {"enableRateLimit": False, "options": {"fetchMarkets": {"types": ["spot"]}}}
    )
    theirs.urls["api"]["public"] = theirs.urls["api"]["private"] = f"{url}/api/v3"
    theirs.has["fetchCurrencies"] = False
    await theirs.load_markets()
    if theirs.market(_CCXT_NAME)["id"] != NATIVE_NAME:
        raise RuntimeError("ccxt means another pair")
    return _Clients(ours, theirs)


async def _page_ours(venue: Venue, span: Span) -> int:
    rows, cursor_ms = 0, span.start_ms
    while cursor_ms < span.end_ms:
        page = await venue.klines.klines(SERIES, Span(cursor_ms, span.end_ms))
        if page.covered is None:
            raise RuntimeError("a span of the past has not closed yet")
        rows += len(page.bars)
        cursor_ms = page.covered.end_ms
    return rows


async def _store_ours(venue: Venue, store: DuckdbSeriesStore, span: Span) -> int:
    fetch = new_fetch(venue.klines, NoArchive(), store)
    await fetch.fetch(span)
    return fetch.counters["inserted"]


async def _page_ccxt(exchange: ccxt.async_support.binance, span: Span) -> int:
    return sum([len(page) async for page in _ccxt_pages(exchange, span)])


async def _store_ccxt(
    exchange: ccxt.async_support.binance, table: FrameTable, turn: asyncio.Lock, span: Span
) -> int:
    rows = 0
    async for page in _ccxt_pages(exchange, span):
        frame = pd.DataFrame(page, columns=_CCXT_COLUMNS)
        async with turn:
            rows += await asyncio.to_thread(table.append, frame)
    return rows


async def _ccxt_pages(exchange: ccxt.async_support.binance, span: Span) -> AsyncIterator[list[list[float]]]:
    cursor_ms = span.start_ms
    while cursor_ms < span.end_ms:
        page = await exchange.fetch_ohlcv(_CCXT_NAME, SERIES.interval.value, cursor_ms, _PAGE_ROWS)
        yield page
        cursor_ms = int(page[-1][0]) + SERIES.interval.width_ms
