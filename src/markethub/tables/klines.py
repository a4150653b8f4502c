"""Klines (bars, candles) as Arrow columns."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.times import format_time
from markethub.tables.rejects import Reject, split_rows

_Flags = npt.NDArray[np.bool_]

LARGEST_PRICE, LARGEST_VOLUME = 1e12, 1e18
"""Beyond these no market has ever been: whatever says so is broken. (A rupiah pair of Bitcoin is at 1e9.)"""

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


PLACE = pa.field("place", pa.int32(), nullable=False)
"""Of bars of many series: which of the series asked for a bar is of, from 0 on."""


def place_bars(bars: pa.Table, places: pa.Array) -> pa.RecordBatch:
    """Bars, or some columns of them, with PLACE in front; there is at least one."""
    columns = [column.combine_chunks() for column in bars.columns]
    return pa.RecordBatch.from_arrays([places, *columns], schema=pa.schema([PLACE, *bars.schema]))


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


_TRUSTED_REJECTS = 10  # so many may be bad bars; more, and most of an answer, is a format nobody told us of


class SortedBars(NamedTuple):
    """A venue's bars of one answer: the sound ones (schema KLINES), the others, and how far both reach.

    ``first_ms`` and ``last_ms`` are open times of the first and last of all ``rows``, None without any.
    """

    bars: pa.Table
    rejected: tuple[Reject, ...]
    rows: int
    first_ms: int | None
    last_ms: int | None


def no_bars() -> SortedBars:
    """An answer without a row."""
    return SortedBars(empty_klines(), (), 0, None, None)


def check_klines(bars: pa.Table, interval: Interval, source: str) -> pa.Table:
    """Return ``bars`` if every row may be stored; otherwise VenueProtocolError with ``source`` and a bad row.

    Checked: the schema, times on the interval's grid and strictly ascending, finite positive prices,
    finite volumes that are not negative, neither beyond what any market has seen, low <= open, close <= high.
    Empty tables pass.
    """
    check_times(bars, interval, source)
    _refuse_first(bars, _find_bad_values(bars), source)
    return bars


def sort_out_klines(
    bars: pa.Table, interval: Interval, source: str, payload: Callable[[int], str]
) -> SortedBars:
    """Part the bars that may be stored from those whose numbers make no sense.

    VenueProtocolError as in ``check_klines`` where schema or times are wrong, or where most bars are bad:
    then the answer as a whole is not to be trusted. ``payload`` gives the row at a position as the venue
    sent it.
    """
    check_times(bars, interval, source)
    if not len(bars):
        return no_bars()
    times = open_times_ms(bars)
    sound, bad = split_rows(bars, _find_bad_values(bars))
    if len(bad) > max(_TRUSTED_REJECTS, len(bars) // 2):
        raise VenueProtocolError(
            f"{source}: {len(bad)} of {len(bars)} bars make no sense, the first is {payload(bad[0][0])[:200]}"
        )
    rejected = tuple(
        Reject(format_time(open_ms), Span(open_ms, open_ms + interval.width_ms), reason, payload(position))
        for position, reason in bad
        for open_ms in (times[position].as_py(),)
    )
    return SortedBars(sound, rejected, len(bars), times[0].as_py(), times[-1].as_py())


def check_times(bars: pa.Table, interval: Interval, source: str) -> None:
    """Raise VenueProtocolError unless schema and open times are as ``check_klines`` asks."""
    if not bars.schema.equals(KLINES):
        raise VenueProtocolError(f"{source}: columns {bars.schema.names} are not those of a kline")
    _refuse_first(bars, _find_bad_times(bars, interval), source)


def _refuse_first(bars: pa.Table, problems: Iterable[tuple[str, _Flags]], source: str) -> None:
    for problem, is_bad in problems:
        if is_bad.any():
            row = bars.slice(int(is_bad.argmax()), 1).to_pylist()[0]
            raise VenueProtocolError(f"{source}: {problem} in bar {row}")


# NumPy throughout: for a page of 300 bars a call costs more than the work it does.
def _find_bad_times(bars: pa.Table, interval: Interval) -> Iterable[tuple[str, _Flags]]:
    for field in KLINES:
        column = bars.column(field.name)
        if not field.nullable and column.null_count:
            yield f"no {field.name}", column.is_null().to_numpy()
    times: npt.NDArray[np.int64] = open_times_ms(bars).to_numpy()
    yield f"open time off the {interval} grid", times % interval.width_ms != 0
    backwards = np.zeros(len(times), np.bool_)
    backwards[1:] = times[1:] <= times[:-1]
    yield "open time repeated or out of order", backwards


def _find_bad_values(bars: pa.Table) -> Iterable[tuple[str, _Flags]]:
    prices = {name: bars.column(name).to_numpy() for name in ("open", "high", "low", "close")}
    for name, price in prices.items():
        sound = (price > 0.0) & (price <= LARGEST_PRICE)
        yield f"{name} not a number above 0 and up to {LARGEST_PRICE:.0e}", ~sound
    for name in ("volume", "quote_volume", "taker_volume", "taker_quote_volume", "trades"):
        column = bars.column(name)
        if column.null_count == len(bars):
            continue
        values = column.to_numpy()
        sound = (values >= 0.0) & (values <= LARGEST_VOLUME)
        if column.null_count:
            sound |= column.is_null().to_numpy()
        yield f"{name} not a number from 0 to {LARGEST_VOLUME:.0e}", ~sound
    body_low = np.minimum(prices["open"], prices["close"])
    body_high = np.maximum(prices["open"], prices["close"])
    inside = (prices["low"] <= body_low) & (body_high <= prices["high"])
    yield "open or close outside low..high", ~inside


def missing_bars(bars: pa.Table, span: Span, interval: Interval) -> list[Span]:
    """The runs of grid points of ``span`` at which an ascending table has no bar, ascending.

    Bars outside the span are ignored; the span must lie on the interval's grid.
    """
    times = open_times_ms(cut_klines(bars, span)).to_numpy()
    width = interval.width_ms
    fences = np.concatenate(([span.start_ms - width], times, [span.end_ms]))
    short = np.flatnonzero(np.diff(fences) > width)
    return [Span(int(fences[i]) + width, int(fences[i + 1])) for i in short]
