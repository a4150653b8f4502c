"""Read what is stored."""

import asyncio
from dataclasses import dataclass

import pyarrow as pa

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none, subtract
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time
from markethub.ports.store import SeriesSummary
from markethub.services.hub import Hub

_FIRST_MS = -62_135_596_800_000  # the year 1
_LAST_MS = 253_402_300_800_000  # the year 10000


@dataclass(frozen=True, slots=True)
class Hole:
    """A run of missing bars and why they are missing.

    ``reason`` is ``not_fetched``: nobody has asked yet, or asking failed; ``before_first_bar``: asked, and
    the venue's data begins later; ``venue_gap``: asked, and the venue has none though it has earlier ones.
    """

    span: Span
    bars: int
    reason: str


async def read_klines(
    hub: Hub, *, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, limit: int | None
) -> pa.Table:
    """Bars with ``start <= open_time < end``, ascending, schema KLINES.

    ``limit`` keeps the first bars from a given start, else the newest ones. Without a limit the answer must
    fit ``hub.max_read_rows``; InputError otherwise.
    """
    series = _parse_series(symbol, interval)
    span = _parse_span(start_ms, end_ms)
    most = hub.max_read_rows
    if limit is not None and not 1 <= limit <= most:
        raise InputError(f"limit {limit} is not between 1 and {most}")
    newest = limit is not None and start_ms is None
    asked = most + 1 if limit is None else limit
    bars = await asyncio.to_thread(hub.store.read, series, span, limit=asked, newest=newest)
    if len(bars) > most:
        raise InputError(f"more than {most} bars lie in start..end; ask for a shorter range, or set limit")
    return bars


async def list_series(hub: Hub) -> list[SeriesSummary]:
    """Every stored series, ascending by symbol and interval."""
    return await asyncio.to_thread(hub.store.summaries)


async def find_holes(
    hub: Hub, *, symbol: str, interval: str, start_ms: int | None, end_ms: int | None
) -> list[Hole]:
    """The missing bars of ``[start, end)``, ascending, each run with its reason.

    Start defaults to the first stored bar, end to the last closed bar; later ones are no holes yet.
    """
    series = _parse_series(symbol, interval)
    _parse_span(start_ms, end_ms)
    return await asyncio.to_thread(_find_holes, hub, series, start_ms, end_ms)


def _find_holes(hub: Hub, series: Series, start_ms: int | None, end_ms: int | None) -> list[Hole]:
    first = hub.store.read(series, columns=["open_time"], limit=1)
    first_ms = first.column("open_time").cast(pa.int64())[0].as_py() if len(first) else None
    low_ms = start_ms if start_ms is not None else first_ms
    if low_ms is None:
        return []
    closed_ms = series.interval.floor(hub.clock())
    grid = series.interval
    span = span_or_none(
        grid.ceil(low_ms), min(grid.ceil(end_ms) if end_ms is not None else closed_ms, closed_ms)
    )
    if span is None:
        return []
    claimed = [claim.span for claim in hub.store.covered(series, span)]
    holes = []
    for missing in hub.store.holes(series, span):
        unasked = subtract(missing, claimed)
        asked = subtract(missing, unasked)
        found = [(part, "not_fetched") for part in unasked]
        found += [
            (part, "before_first_bar" if first_ms is None or part.end_ms <= first_ms else "venue_gap")
            for part in asked
        ]
        holes += [Hole(part, part.width_ms // grid.width_ms, reason) for part, reason in sorted(found)]
    return holes


def _parse_series(symbol: str, interval: str) -> Series:
    return Series(Symbol.parse(symbol), Interval.parse(interval))


def _parse_span(start_ms: int | None, end_ms: int | None) -> Span:
    low_ms = _FIRST_MS if start_ms is None else start_ms
    high_ms = _LAST_MS if end_ms is None else end_ms
    if low_ms >= high_ms:
        raise InputError(f"start {format_time(low_ms)} must be before end {format_time(high_ms)}")
    return Span(low_ms, high_ms)
