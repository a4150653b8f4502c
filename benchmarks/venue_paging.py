"""Paging klines of OKX and Gate.io over REST, beside ccxt; Binance's is in ``rest_ingest``."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import ccxt.async_support
import uvloop

from benchmarks.processes import running_sandbox
from benchmarks.report import Row
from benchmarks.rounds import Contestant, take_turns
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.ports.clock import system_clock
from markethub.ports.venue import Venue
from markethub.venues.gate import create_venue as create_gate
from markethub.venues.okx import create_venue as create_okx
from markethub.venues.transport.budget import WeightBudget

_ROUNDS = 5
_ROWS = 9_000  # Gate.io answers for the last 10,000 bars
_MINUTE_MS = 60_000

Work = Callable[[Span], Coroutine[Any, Any, int]]
_Pager = tuple[str, Work, Work, Callable[[], Coroutine[Any, Any, None]]]

_set_limit = WeightBudget.set_limit  # the real one, also while it is patched


def run() -> list[Row]:
    """Bring 9,000 one-minute bars page after page; both ways in turns, the sandbox without limits."""
    rows = []
    with (
        TemporaryDirectory(prefix="markethub-bench-") as folder,
        running_sandbox(Path(folder)) as url,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        patch.object(WeightBudget, "set_limit", _ignore_limit),
    ):
        end_ms = system_clock() // _MINUTE_MS * _MINUTE_MS - 300 * _MINUTE_MS
        span = Span(end_ms - _ROWS * _MINUTE_MS, end_ms)
        for code, page_ours, page_ccxt, close in runner.run(_connect(url)):
            contestants = {
                "ours": _contestant(runner, page_ours, span),
                "ccxt": _contestant(runner, page_ccxt, span),
            }
            spent = take_turns(contestants, _ROUNDS)
            runner.run(close())
            rows.append(
                Row(
                    f"REST paging of {code} into memory",
                    _ROWS / spent["ours"].wall_s,
                    "rows/s",
                    "ccxt async",
                    _ROWS / spent["ccxt"].wall_s,
                )
            )
            rows.append(
                Row(
                    f"REST paging of {code} into memory, CPU of the client",
                    spent["ours"].cpu_s * 1e6 / _ROWS,
                    "us/row",
                    "ccxt async",
                    spent["ccxt"].cpu_s * 1e6 / _ROWS,
                )
            )
    return rows


async def _connect(url: str) -> list[_Pager]:
    okx, gate = create_okx({"base_url": url}), create_gate({"base_url": f"{url}/api/v4"})
    their_okx = ccxt.async_support.okx({"enableRateLimit": False})
    their_okx.urls["api"]["rest"] = url
    their_gate = ccxt.async_support.gate({"enableRateLimit": False})
    for scope in ("public", "private"):
        their_gate.urls["api"][scope] = dict.fromkeys(their_gate.urls["api"][scope], f"{url}/api/v4")
    found: list[_Pager] = []
    pairs = ((okx, their_okx, "ETH-USDT", 300), (gate, their_gate, "ETH_USDT", 1000))
    for venue, theirs, name, rows in pairs:
        # The one market is told, so that neither asks for a listing.
        theirs.set_markets([_market(name)])

        async def close(venue: Venue = venue, theirs: Any = theirs) -> None:  # noqa: ANN401
            await venue.close()
            await theirs.close()

        ours = partial(_page_ours, venue, Series(Symbol(venue.code, "ETH_USDT"), Interval.M1))
        found.append((venue.code, ours, partial(_page_ccxt, theirs, rows), close))
    return found


def _ignore_limit(budget: WeightBudget, limit: int | None) -> None:
    """Without limits on either side; ours are the venue's documented ones, and no setting lifts them."""
    _set_limit(budget, None if limit else limit)


def _market(name: str) -> dict[str, object]:
    return {
        "id": name, "symbol": "ETH/USDT", "base": "ETH", "quote": "USDT", "type": "spot", "spot": True,
        "contract": False, "option": False, "swap": False, "future": False, "margin": False, "active": True,
        "baseId": "ETH", "quoteId": "USDT", "settle": None, "settleId": None,
        "precision": {"amount": 0.0001, "price": 0.01}, "limits": {"amount": {}, "price": {}, "cost": {}},
    }  # fmt: skip


def _contestant(runner: asyncio.Runner, work: Work, span: Span) -> Contestant:
    def page_all() -> None:
        rows = runner.run(work(span))
        if rows != _ROWS:
            raise RuntimeError(f"{work} brought {rows} rows instead of {_ROWS}")

    @contextmanager
    def prepare() -> Iterator[Callable[[], None]]:
        yield page_all

    return prepare


async def _page_ours(venue: Venue, series: Series, span: Span) -> int:
    rows, cursor_ms = 0, span.start_ms
    while cursor_ms < span.end_ms:
        page = await venue.klines.klines(series, Span(cursor_ms, span.end_ms))
        if page.covered is None:
            raise RuntimeError("a span of the past has not closed yet")
        rows += len(page.bars)
        cursor_ms = page.covered.end_ms
    return rows


async def _page_ccxt(exchange: Any, page_rows: int, span: Span) -> int:  # noqa: ANN401
    rows, cursor_ms = 0, span.start_ms
    while cursor_ms < span.end_ms:
        until_ms = min(cursor_ms + page_rows * _MINUTE_MS, span.end_ms)
        # On OKX `until` is exclusive and needs the history asked for by name; on Gate.io it is inclusive.
        if exchange.id == "okx":
            more = {"until": until_ms, "type": "HistoryCandles"}
        else:
            more = {"until": until_ms - _MINUTE_MS}
        page = await exchange.fetch_ohlcv("ETH/USDT", "1m", cursor_ms, page_rows, more)
        rows += len([row for row in page if cursor_ms <= row[0] < until_ms])
        cursor_ms = until_ms
    return rows
