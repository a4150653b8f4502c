"""Klines (bars, candles) as Arrow columns."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span

KLINES = pa.schema(
    [
        pa.field("open_time", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("open", pa.float64(), nullable=False),
        pa.field("high", pa.float64(), nullable=False),
        pa.field("low", pa.float64(), nullable=False),
        pa.field("close", pa.float64(), nullable=False),
        pa.field("volume", pa.float64(), nullable=False),
        pa.field("quote_volume", pa.float64()),
        pa.field("trades", pa.int64()),
        pa.field("taker_volume", pa.float64()),
        pa.field("taker_quote_volume", pa.float64()),
    ]
)
"""One closed bar per row, ascending by ``open_time``, no time twice.

Prices are in the quote currency; ``volume`` and ``taker_volume`` (bought by takers) in the base currency,
``quote_volume`` and ``taker_quote_volume`` in the quote currency. The last four are null where a venue does
not tell.
"""


def empty_klines() -> pa.Table:
    return KLINES.empty_table()


def open_times_ms(bars: pa.Table) -> pa.ChunkedArray:
    """The ``open_time`` column as int64 Unix milliseconds, without a copy."""
    return bars.column("open_time").cast(pa.int64())


def cut_klines(bars: pa.Table, span: Span) -> pa.Table:
    """The rows of an ascending table whose open time lies in ``span``; a slice, not a copy."""
    times = open_times_ms(bars).to_numpy()
    low, high = times.searchsorted([span.start_ms, span.end_ms])
    return bars.slice(low, high - low)


def check_klines(bars: pa.Table, interval: Interval, source: str) -> pa.Table:
    """Return ``bars`` if every row may be stored; otherwise VenueProtocolError with ``source`` and a bad row.

    Checked: the schema, times on the interval's grid and strictly ascending, finite positive prices,
    finite volumes that are not negative, low <= open, close <= high. Empty tables pass.
    """
    if not bars.schema.equals(KLINES):
        raise VenueProtocolError(f"{source}: columns {bars.schema.names} are not those of a kline")
    for problem, bad_rows in _find_problems(bars, interval):
        if pc.any(bad_rows).as_py():
            row = bars.slice(pc.index(bad_rows, True).as_py(), 1).to_pylist()[0]
            raise VenueProtocolError(f"{source}: {problem} in bar {row}")
    return bars


def _find_problems(bars: pa.Table, interval: Interval) -> Iterable[tuple[str, pa.ChunkedArray]]:
    column = {name: bars.column(name) for name in KLINES.names}
    for name in KLINES.names:
        if not KLINES.field(name).nullable:
            yield f"no {name}", pc.is_null(column[name])
    times = open_times_ms(bars)
    width = interval.width_ms
    on_grid = pc.multiply(pc.divide(times, width), width)
    yield f"open time off the {interval} grid", pc.not_equal(times, on_grid)
    if len(bars) > 1:
        flat = times.combine_chunks() if isinstance(times, pa.ChunkedArray) else times
        backwards = pc.less_equal(flat.slice(1), flat.slice(0, len(flat) - 1))
        yield "open time repeated or out of order", pa.chunked_array([pa.array([False]), backwards])
    for name in ("open", "high", "low", "close"):
        sound = pc.and_(pc.is_finite(column[name]), pc.greater(column[name], 0.0))
        yield f"{name} not a positive number", pc.invert(sound)
    for name in ("volume", "quote_volume", "taker_volume", "taker_quote_volume"):
        sound = pc.and_(pc.is_finite(column[name]), pc.greater_equal(column[name], 0.0))
        yield f"{name} not a number of at least 0", pc.invert(pc.fill_null(sound, True))
    yield "trades negative", pc.less(pc.fill_null(column["trades"], 0), 0)
    body_low = pc.min_element_wise(column["open"], column["close"])
    body_high = pc.max_element_wise(column["open"], column["close"])
    inside = pc.and_(pc.less_equal(column["low"], body_low), pc.less_equal(body_high, column["high"]))
    yield "open or close outside low..high", pc.invert(inside)


def missing_bars(bars: pa.Table, span: Span, interval: Interval) -> list[Span]:
    """The runs of grid points of ``span`` at which an ascending table has no bar, ascending.

    Bars outside the span are ignored; the span must lie on the interval's grid.
    """
    times = open_times_ms(cut_klines(bars, span)).to_numpy()
    width = interval.width_ms
    fences = np.concatenate(([span.start_ms - width], times, [span.end_ms]))
    short = np.flatnonzero(np.diff(fences) > width)
    return [Span(int(fences[i]) + width, int(fences[i + 1])) for i in short]
