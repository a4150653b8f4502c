"""Read what is stored."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none, subtract
from markethub.domain.support import DataKind
from markethub.domain.symbol import Series, Symbol
from markethub.ports.records import RecordQuery
from markethub.ports.store import SeriesSummary
from markethub.services.hub import Hub
from markethub.services.read_span import read_span
from markethub.tables.records import times_ms
from markethub.tables.rejects import REJECTS


@dataclass(frozen=True, slots=True)
class Hole:
    """A run of missing bars and why they are missing.

    Nights, weekends and holidays of a market with sessions are no holes, and a hole does not go on across
    them. ``reason`` is ``not_fetched``: nobody has asked yet, or asking failed; ``rejected``: the venue's bar
    made no sense and was kept out (the next backfill asks again); ``before_first_bar``: asked, and the
    venue's data begins later; ``venue_gap``: asked, and the venue has none though it has earlier ones.
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
    span = read_span(start_ms, end_ms)
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
    read_span(start_ms, end_ms)
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
    rejected = _rejected_spans(hub, series)
    holes = []
    for missing in _leave_out_closed(hub, series, span, hub.store.holes(series, span)):
        unasked = subtract(missing, claimed)
        asked = subtract(missing, unasked)
        unknown = [part for run in unasked for part in subtract(run, rejected)]
        found = [(part, "not_fetched") for part in unknown]
        found += [(part, "rejected") for run in unasked for part in subtract(run, unknown)]
        found += [
            (part, "before_first_bar" if first_ms is None or part.end_ms <= first_ms else "venue_gap")
            for part in asked
        ]
        holes += [Hole(part, part.width_ms // grid.width_ms, reason) for part, reason in sorted(found)]
    return holes


def _rejected_spans(hub: Hub, series: Series) -> list[Span]:
    """Where the venue's bars were kept out, because they made no sense."""
    query = RecordQuery(where={"kind": [DataKind.KLINE], "owner": [str(series)]})
    rejects = hub.records.read_records(REJECTS, query)
    width_ms = series.interval.width_ms
    return [Span(open_ms, open_ms + width_ms) for open_ms in times_ms(rejects, "time").to_pylist()]


def _leave_out_closed(hub: Hub, series: Series, span: Span, missing: Sequence[Span]) -> Sequence[Span]:
    """The parts of missing runs in which the market was open; all of them where it never closes."""
    venue = hub.venues.get(series.symbol.venue)
    if venue is None or venue.sessions is None or not missing:
        return missing
    closed = venue.sessions.closed(series.interval, span)
    return [part for run in missing for part in subtract(run, closed)]


def _parse_series(symbol: str, interval: str) -> Series:
    return Series(Symbol.parse(symbol), Interval.parse(interval))
