"""Parsing a full page of klines of each venue, beside ccxt on the same bytes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import ccxt

from benchmarks.processes import running_sandbox
from benchmarks.report import Row
from benchmarks.rounds import Contestant, take_turns
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.ports.clock import system_clock
from markethub.venues.binance.parse import parse_klines
from markethub.venues.gate.parse import parse_candlesticks
from markethub.venues.okx.parse import parse_candles

_ROUNDS = 5
_PARSES = 60
_MINUTE_MS = 60_000
_EVER = Span(0, 4_102_444_800_000)

Parse = Callable[[bytes], int]
"""Reads one page and tells how many rows it has."""


def run() -> list[Row]:
    """Parse one page of each venue 60 times a round, from the bytes the sandbox sends."""
    with TemporaryDirectory(prefix="markethub-bench-") as folder, running_sandbox(Path(folder)) as url:
        bodies = {name: _download(f"{url}{path}") for name, path in _paths().items()}
    rows = []
    for name, body in bodies.items():
        ours, theirs = _OURS[name], _ccxt_parser(name)
        count = ours(body)
        if theirs(body) != count:
            raise RuntimeError(f"{name}: ccxt reads another number of rows than {count}")
        spent = take_turns({"ours": _contestant(ours, body), "ccxt": _contestant(theirs, body)}, _ROUNDS)
        total = count * _PARSES
        rows.append(
            Row(
                f"parse klines of {name}, {count} rows a page",
                total / spent["ours"].cpu_s,
                "rows/s",
                "ccxt: json.loads + parse_ohlcvs",
                total / spent["ccxt"].cpu_s,
            )
        )
    return rows


def _paths() -> dict[str, str]:
    start_ms = system_clock() // _MINUTE_MS * _MINUTE_MS - 1200 * _MINUTE_MS
    end_ms = start_ms + 999 * _MINUTE_MS
    return {
        "BNC": f"/api/v3/klines?symbol=ETHUSDT&interval=1m&startTime={start_ms}&endTime={end_ms}&limit=1000",
        "OKX": f"/api/v5/market/history-candles?instId=ETH-USDT&bar=1m&after={end_ms}&limit=300",
        "GIO": f"/api/v4/spot/candlesticks?currency_pair=ETH_USDT&interval=1m&from={start_ms // 1000}"
        f"&to={end_ms // 1000}",
    }


def _download(url: str) -> bytes:
    with urlopen(url) as answer:  # noqa: S310 - the sandbox's own address
        body: bytes = answer.read()
        return body


def _parse_binance(body: bytes) -> int:
    return len(parse_klines(body, Interval.M1, _EVER, "page").bars)


def _parse_okx(body: bytes) -> int:
    return len(parse_candles(body, Interval.M1, _EVER, "page").confirmed.bars)


def _parse_gate(body: bytes) -> int:
    return len(parse_candlesticks(body, Interval.M1, _EVER, "page").closed.bars)


_OURS: dict[str, Parse] = {"BNC": _parse_binance, "OKX": _parse_okx, "GIO": _parse_gate}


def _ccxt_parser(name: str) -> Parse:
    exchange = {"BNC": ccxt.binance, "OKX": ccxt.okx, "GIO": ccxt.gate}[name]()

    def parse(body: bytes) -> int:
        answer = json.loads(body)
        return len(exchange.parse_ohlcvs(answer["data"] if isinstance(answer, dict) else answer))

    return parse


def _contestant(parse: Parse, body: bytes) -> Contestant:
    @contextmanager
    def prepare() -> Iterator[Callable[[], None]]:
        yield partial(_repeat, parse, body)

    return prepare


def _repeat(parse: Parse, body: bytes) -> None:
    for _ in range(_PARSES):
        parse(body)
