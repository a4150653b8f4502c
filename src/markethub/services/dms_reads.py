"""Read the bars of many symbols at once."""

import asyncio
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time
from markethub.ports.store import EVER
from markethub.services.hub import Hub

BAR_COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class BarReading:
    """Bars on their way out of the store.

    ``symbols`` are those asked for, each once, in their order; ``batches`` have ``place``, the position in
    ``symbols``, and BAR_COLUMNS, as ``SeriesStore.read_many`` gives them. Taking one blocks, and whoever
    takes them closes them.
    """

    symbols: Sequence[str]
    batches: Generator[pa.RecordBatch]


async def read_bars(
    hub: Hub, symbols: Sequence[str], *, interval: str, start_ms: int | None, end_ms: int | None
) -> BarReading:
    """Bars with ``start <= open_time < end`` of each symbol; one that has none is in no batch.

    From the first stored bar where no start is given, up to now where no end is or it lies in the future.
    What is asked for is held against ``hub.batch_limits`` before a bar is read; InputError where it is more.
    """
    # Thousands of names take a while, and so may counting their bars.
    return await asyncio.to_thread(_open_reading, hub, symbols, interval, start_ms, end_ms)


def _open_reading(
    hub: Hub, symbols: Sequence[str], interval: str, start_ms: int | None, end_ms: int | None
) -> BarReading:
    distinct = list(dict.fromkeys(symbols))
    most = hub.batch_limits.symbols
    if not distinct:
        raise InputError("symbols is empty; name at least one, such as US.AAPL")
    if len(distinct) > most:
        raise InputError(
            f"symbols has {len(distinct)} names, more than the {most} of one read (dms.max_read_symbols); "
            "ask for them in several reads"
        )
    width = Interval.parse(interval)
    span = _cut_span(start_ms, end_ms, hub.clock())
    series = [Series(Symbol.parse(symbol), width) for symbol in distinct]
    _check_size(hub, series, span)
    return BarReading(distinct, hub.store.read_many(series, span, columns=BAR_COLUMNS))


def _cut_span(start_ms: int | None, end_ms: int | None, now_ms: int) -> Span:
    low_ms = EVER.start_ms if start_ms is None else start_ms
    high_ms = now_ms if end_ms is None else end_ms
    if low_ms >= high_ms:
        end = f"now, {format_time(now_ms)}" if end_ms is None else f"end_date {format_time(high_ms)}"
        raise InputError(f"start_date {format_time(low_ms)} must be before {end}")
    if low_ms >= now_ms:
        raise InputError(f"start_date {format_time(low_ms)} lies in the future; it is {format_time(now_ms)}")
    return Span(low_ms, min(high_ms, now_ms))


def _check_size(hub: Hub, series: Sequence[Series], span: Span) -> None:
    most = hub.batch_limits.rows
    grid_points = -(-span.width_ms // series[0].interval.width_ms)
    if len(series) * grid_points <= most:
        return
    rows = hub.store.count_many(series, span)
    if rows > most:
        raise InputError(
            f"{rows} bars lie between start_date and end_date, more than the {most} of one read "
            "(dms.max_read_rows); ask for fewer symbols, a shorter range or a wider interval"
        )
