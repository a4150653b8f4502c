"""Cut a kline backfill into chunks; pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.interval import Interval
from markethub.domain.span import Span, span_or_none, subtract
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time, from_ms, parse_time, to_ms
from markethub.engine.handler import NewChunk, Parameters
from markethub.jobs.choice import WHAT_IS_MISSING, Choice

LARGEST_CHUNK_BARS = 50_000
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class KlineBackfill:
    """What one kline backfill was asked for; ``span`` ends at the request's own time at the latest."""

    symbols: tuple[Symbol, ...]
    intervals: tuple[Interval, ...]
    span: Span
    choice: Choice = WHAT_IS_MISSING

    def to_parameters(self) -> dict[str, object]:
        """The JSON form that the execution row keeps and the API shows."""
        return {
            "exchanges": list(dict.fromkeys(symbol.venue for symbol in self.symbols)),
            "symbols": [str(symbol) for symbol in self.symbols],
            "intervals": [interval.value for interval in self.intervals],
            "start_time": format_time(self.span.start_ms),
            "end_time": format_time(self.span.end_ms),
            **self.choice.to_parameters(),
        }

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Read what ``to_parameters`` wrote."""
        return cls(
            symbols=tuple(Symbol.parse(text) for text in parameters["symbols"]),
            intervals=tuple(Interval.parse(text) for text in parameters["intervals"]),
            span=Span(parse_time(parameters["start_time"]), parse_time(parameters["end_time"])),
            choice=Choice.from_parameters(parameters),
        )

    def series(self) -> list[Series]:
        return [Series(symbol, interval) for symbol in self.symbols for interval in self.intervals]

    def chosen_symbols(self) -> list[Symbol]:
        """Those of which there is something to ask for."""
        if self.choice.mode is not BackfillMode.FAILED:
            return list(self.symbols)
        return list(dict.fromkeys(one.symbol for one in self.series() if str(one) in self.choice.failed))


@dataclass(frozen=True, slots=True)
class KlineChunk:
    """One series over one span on its interval's grid; ``again``: also what is stored is asked for."""

    series: Series
    span: Span
    again: bool = False

    def to_parameters(self) -> dict[str, object]:
        named: dict[str, object] = {
            "series": str(self.series),
            "start_ms": self.span.start_ms,
            "end_ms": self.span.end_ms,
        }
        return {**named, "again": True} if self.again else named

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        return cls(
            Series.parse(parameters["series"]),
            Span(int(parameters["start_ms"]), int(parameters["end_ms"])),
            parameters.get("again", False),
        )


def align(span: Span, interval: Interval, now_ms: int) -> Span | None:
    """The grid points of ``span`` whose bars have closed by ``now_ms``; None when there are none."""
    closed_ms = interval.floor(now_ms)
    return span_or_none(interval.ceil(span.start_ms), min(interval.ceil(span.end_ms), closed_ms))


def calendar_units(span: Span, interval: Interval) -> Iterator[tuple[str, Span]]:
    """Name and extent of the UTC years that touch ``span``; months where a year is too many bars."""
    by_year = 366 * _DAY_MS // interval.width_ms <= LARGEST_CHUNK_BARS
    first = from_ms(span.start_ms)
    year, month = first.year, 1 if by_year else first.month
    while True:
        next_year, next_month = (year + 1, 1) if by_year or month == 12 else (year, month + 1)
        unit = Span(
            to_ms(datetime(year, month, 1, tzinfo=UTC)), to_ms(datetime(next_year, next_month, 1, tzinfo=UTC))
        )
        if unit.start_ms >= span.end_ms:
            return
        yield (f"{year}" if by_year else f"{year}-{month:02d}"), unit
        year, month = next_year, next_month


def out_of_reach(
    missing: Iterable[Span], reach_ms: int | None, files: Callable[[Span], Iterable[Span]]
) -> list[Span]:
    """What of ``missing`` nobody tells: it lies before ``reach_ms``, and no archive file holds it.

    ``files`` are the spans of the archive files that touch a span. Nothing is without a ``reach_ms``.
    """
    if reach_ms is None:
        return []
    old = [part for gap in missing if (part := span_or_none(gap.start_ms, min(gap.end_ms, reach_ms)))]
    return [lost for part in old for lost in subtract(part, files(part))]


def plan_chunks(
    backfill: KlineBackfill,
    covered: Mapping[Series, Sequence[Span]],
    unlisted: Iterable[Symbol],
    now_ms: int,
) -> list[NewChunk]:
    """The chunks that hold everything asked for, closed by now and not covered; none when nothing is missing.

    Cut as by ``cut_chunks``.
    """
    missing: dict[Series, list[Span]] = {}
    for series in backfill.series():
        span = align(backfill.span, series.interval, now_ms)
        missing[series] = subtract(span, covered.get(series, ())) if span else []
    return cut_chunks(missing, unlisted, again=backfill.choice.asks_again)


def cut_chunks(
    missing: Mapping[Series, Sequence[Span]], undivided: Iterable[Symbol] = (), *, again: bool = False
) -> list[NewChunk]:
    """The chunks that hold everything ``missing``, which is ascending: one a series and calendar unit.

    A symbol of ``undivided`` becomes one chunk a series: one that the venue no longer lists, since only its
    archive can be asked, and a stock, whose source tells much at once.
    """
    whole = frozenset(undivided)
    named: list[tuple[str, KlineChunk]] = []
    for series, gaps in missing.items():
        if not gaps:
            continue
        hull = Span(gaps[0].start_ms, gaps[-1].end_ms)
        if series.symbol in whole:
            named.append((str(series), KlineChunk(series, hull, again)))
            continue
        for name, unit in calendar_units(hull, series.interval):
            inside = [part for gap in gaps if (part := gap.intersect(unit))]
            if inside:
                extent = Span(inside[0].start_ms, inside[-1].end_ms)
                named.append((f"{series} {name}", KlineChunk(series, extent, again)))
    # The further down its plan a chunk stands, the lower its priority: executions of equal priority share the
    # workers chunk by chunk, and a small one does not wait behind a large one.
    return [
        NewChunk(
            key=key,
            queue=chunk.series.symbol.venue,
            parameters=chunk.to_parameters(),
            priority=-index,
        )
        for index, (key, chunk) in enumerate(named)
    ]
