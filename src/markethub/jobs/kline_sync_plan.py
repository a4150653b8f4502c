"""Which bars a sync of klines asks for; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

from markethub.domain.calendar import DAY_MS
from markethub.domain.interval import Interval
from markethub.domain.span import Span, merge, span_or_none, subtract
from markethub.domain.symbol import Series, Symbol
from markethub.domain.task import TaskType
from markethub.domain.times import parse_time
from markethub.engine.handler import NewChunk, Parameters

DEFAULT_INTERVALS = (Interval.H1,)
DEFAULT_RECHECK_BARS = 3
DEFAULT_LOOKBACK_DAYS = 30
LARGEST_TAIL_BARS = 1_000
"""More bars of one series than these are fetched by themselves: they would hold up the others of a batch."""
BATCH_SERIES = 100


@dataclass(frozen=True, slots=True)
class KlineSync:
    """What one sync was asked for besides its symbols.

    The newest ``recheck_bars`` stored bars of a series are asked for again, in case the venue has amended
    them; a series without a bar begins ``lookback_days`` back. A full sync begins at ``start_ms``, None for
    where history does.
    """

    intervals: tuple[Interval, ...] = DEFAULT_INTERVALS
    recheck_bars: int = DEFAULT_RECHECK_BARS
    lookback_days: int = DEFAULT_LOOKBACK_DAYS
    task_type: TaskType = TaskType.INCREMENTAL
    start_ms: int | None = None

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Read a job's parameters, which passed ``check_parameters``."""
        return cls(
            intervals=tuple(
                dict.fromkeys(Interval.parse(text) for text in parameters.get("intervals", DEFAULT_INTERVALS))
            ),
            recheck_bars=parameters.get("recheck_bars", DEFAULT_RECHECK_BARS),
            lookback_days=parameters.get("lookback_days", DEFAULT_LOOKBACK_DAYS),
            task_type=TaskType.of(parameters),
            start_ms=parse_time(parameters["start"]) if "start" in parameters else None,
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to ask of one series, ascending: its ``tail`` in one batch with others, ``missed`` by itself."""

    tail: list[Span]
    missed: list[Span]


def find_wanted(
    series: Series,
    last_ms: int | None,
    sync: KlineSync,
    *,
    reach_ms: int | None,
    covered: Callable[[Span], Sequence[Span]],
    now_ms: int,
) -> Wanted:
    """What a sync at ``now_ms`` asks of a series whose newest stored bar opened at ``last_ms``.

    It goes on from that bar, however long ago it was; without one from the lookback on, as far as the venue
    reaches. ``covered`` tells what of a span is known to be complete; it is asked only where much is missing,
    since a market may have stood still.
    """
    width_ms = series.interval.width_ms
    closed_ms = series.interval.floor(now_ms)
    if last_ms is None:
        earliest_ms = now_ms - sync.lookback_days * DAY_MS
        start_ms = series.interval.ceil(earliest_ms if reach_ms is None else max(earliest_ms, reach_ms))
        known = None
    else:
        start_ms = last_ms + width_ms
        known = span_or_none(start_ms - sync.recheck_bars * width_ms, min(start_ms, closed_ms))
    again = [known] if known else []
    behind = span_or_none(start_ms, closed_ms)
    if behind is None or behind.width_ms <= LARGEST_TAIL_BARS * width_ms:
        return Wanted(merge([*again, behind] if behind else again), [])
    missing = subtract(behind, covered(behind))
    if sum(gap.width_ms for gap in missing) <= LARGEST_TAIL_BARS * width_ms:
        return Wanted(merge([*again, *missing]), [])
    return Wanted(again, missing)


@dataclass(frozen=True, slots=True)
class KlineBatch:
    """Series of one venue and interval that are asked together, each over its spans, and written at once."""

    tails: Mapping[Series, Sequence[Span]]

    def to_parameters(self) -> dict[str, object]:
        return {
            "tails": [
                {"series": str(series), "spans": [[span.start_ms, span.end_ms] for span in spans]}
                for series, spans in self.tails.items()
            ]
        }

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        tails: Sequence[Mapping[str, Any]] = parameters["tails"]
        return cls(
            {
                Series.parse(tail["series"]): [Span(int(start), int(end)) for start, end in tail["spans"]]
                for tail in tails
            }
        )

    @staticmethod
    def is_in(parameters: Parameters) -> bool:
        """Whether these are the parameters of a batch, rather than those of a chunk of one series."""
        return "tails" in parameters


def plan_batches(tails: Mapping[Series, Sequence[Span]]) -> list[NewChunk]:
    """One chunk for each ``BATCH_SERIES`` series of a venue and interval that have something to be asked."""
    groups: dict[tuple[str, Interval], dict[Series, Sequence[Span]]] = {}
    for series, spans in tails.items():
        if spans:
            groups.setdefault((series.symbol.venue, series.interval), {})[series] = spans
    chunks = []
    for (venue, interval), group in groups.items():
        items = iter(group.items())
        batches = [dict(islice(items, BATCH_SERIES)) for _ in range(0, len(group), BATCH_SERIES)]
        for number, batch in enumerate(batches, start=1):
            part = f" {number}/{len(batches)}" if len(batches) > 1 else ""
            chunks.append(NewChunk(f"{venue} {interval}{part}", venue, KlineBatch(batch).to_parameters()))
    return chunks


def series_of(symbols: Sequence[Symbol], intervals: Sequence[Interval]) -> list[Series]:
    """Every symbol at every interval."""
    return [Series(symbol, interval) for symbol in symbols for interval in intervals]
