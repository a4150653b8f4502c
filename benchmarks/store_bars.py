"""Made-up bars for the store benchmarks: random walks of two decimals, as exchanges quote."""

from functools import cache

import numpy as np
import pyarrow as pa

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.tables.klines import KLINES

START_MS = parse_time("2023-01-01")
MINUTE_MS = 60_000
DAY_MS = 86_400_000
YEAR_ROWS = 525_600
CHUNK_ROWS = 43_800
"""About a month, the size in which a backfill of one-minute bars writes."""
CHUNKS_PER_YEAR = YEAR_ROWS // CHUNK_ROWS
YEAR = Span(START_MS, START_MS + YEAR_ROWS * MINUTE_MS)


def series_of(number: int) -> Series:
    """One of many series of one-minute bars."""
    return Series(Symbol.parse(f"COIN{number}_USDT.BNC"), Interval.M1)


def chunk_of(series_number: int, chunk: int) -> pa.Table:
    """The bars of one month or so; every series and month has its own values."""
    values = _walk(series_number % 4)
    start_ms = START_MS + chunk * CHUNK_ROWS * MINUTE_MS
    times = pa.array(np.arange(start_ms, start_ms + CHUNK_ROWS * MINUTE_MS, MINUTE_MS), KLINES.types[0])
    shift = float(series_number + chunk)
    prices = [np.round(values[name] + shift, 2) for name in ("open", "high", "low", "close")]
    rest = [values[name] for name in KLINES.names[5:]]
    return pa.Table.from_arrays([times, *(pa.array(column) for column in (*prices, *rest))], schema=KLINES)


@cache
def _walk(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    close = np.round(1000 + np.cumsum(random.normal(size=CHUNK_ROWS)) * 0.05, 2)
    opened = np.concatenate(([1000.0], close[:-1]))
    volume = np.round(random.exponential(20, CHUNK_ROWS), 3)
    taken = np.round(volume * random.random(CHUNK_ROWS), 3)
    return {
        "open": opened,
        "high": np.maximum(opened, close) + np.round(random.random(CHUNK_ROWS), 2),
        "low": np.minimum(opened, close) - np.round(random.random(CHUNK_ROWS), 2),
        "close": close,
        "volume": volume,
        "quote_volume": np.round(volume * close, 2),
        "trades": random.integers(0, 2000, CHUNK_ROWS),
        "taker_volume": taken,
        "taker_quote_volume": np.round(taken * close, 2),
    }
