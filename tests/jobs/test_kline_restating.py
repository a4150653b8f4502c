"""Series of adjusted prices that are replaced as a whole: what is not believed, not reached, not finished."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from markethub.domain.errors import ConflictError, VenueProtocolError, VenueUnavailableError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.jobs.kline_batch import BatchFetch
from markethub.jobs.kline_restating import KlineRestating, are_restated
from markethub.jobs.quarantine import Quarantine
from markethub.ports.store import Coverage
from markethub.ports.venue import KlinePage
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.klines import KLINES, open_times_ms
from markethub.tables.rejects import Reject
from tests.flat_bars import flat_bars
from tests.jobs.fake_venues import MemoryLog
from tests.jobs.kline_source import HOUR, NOW, Source

LABEL = "rest scripted adjusted"
ONE = Series.parse("ONE_USDT.BNC 1h")
END = NOW // HOUR * HOUR
STORED = Span(END - 20 * HOUR, END - 2 * HOUR)


def priced(times_ms: Iterable[int], price: float) -> pa.Table:
    bars = flat_bars(times_ms)
    columns = [
        pa.array([price] * len(bars)) if name in ("open", "high", "low", "close") else bars.column(name)
        for name in KLINES.names
    ]
    return pa.Table.from_arrays(columns, schema=KLINES)


@dataclass
class Adjusted(Source):
    """Prices are ``price``; there is no bar in ``empty``, and a senseless one at ``senseless_ms``."""

    label: str = LABEL
    price: float = 0.5
    empty: Span | None = None
    senseless_ms: int | None = None
    wall_ms: int | None = None

    def reach_ms(self, interval: Interval, now_ms: int) -> int | None:
        return self.wall_ms

    async def klines(self, series: Series, span: Span) -> KlinePage:
        page = await super().klines(series, span)
        if page.covered is None:
            return page
        times = [
            time_ms
            for time_ms in range(page.covered.start_ms, page.covered.end_ms, HOUR)
            if not (self.empty and time_ms in self.empty) and time_ms != self.senseless_ms
        ]
        rejected = []
        if self.senseless_ms is not None and self.senseless_ms in page.covered:
            span = Span(self.senseless_ms, self.senseless_ms + HOUR)
            rejected.append(Reject("x", span, "low above high", "[]"))
        return KlinePage(priced(times, self.price), page.covered, rejected)


@dataclass
class Stand:
    source: Adjusted = field(default_factory=Adjusted)
    store: MemorySeriesStore = field(default_factory=MemorySeriesStore)
    log: MemoryLog = field(default_factory=MemoryLog)
    counters: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        times = range(STORED.start_ms, STORED.end_ms, HOUR)
        self.store.upsert(ONE, priced(times, 1.0), [Coverage(STORED, LABEL, END)]).result()

    def restating(self) -> KlineRestating:
        quarantine = Quarantine(self.store.records, lambda: NOW)
        return KlineRestating(self.source, self.store, lambda: NOW, self.log, quarantine, self.counters)

    def batch(self) -> BatchFetch:
        quarantine = Quarantine(self.store.records, lambda: NOW)

        async def restate(series: Series) -> None:
            await self.restating().run(series, Span(END - 2 * HOUR, END))

        return BatchFetch(self.source, self.store, lambda: NOW, self.log, quarantine, self.counters, restate)

    def closes(self) -> list[float]:
        found: list[float] = self.store.read(ONE, columns=["close"]).column("close").to_pylist()
        return found


async def test_a_tail_of_another_scale_brings_the_whole_series() -> None:
    stand = Stand()
    await stand.batch().run({ONE: [Span(STORED.end_ms - 3 * HOUR, END)]})
    assert stand.closes() == [0.5] * 20
    # Those asked again for a check are not counted twice.
    assert (stand.counters["updated"], stand.counters["inserted"]) == (18, 2)
    assert stand.counters["processed"] == 20


async def test_a_tail_on_the_same_scale_is_written_alone() -> None:
    stand = Stand(Adjusted(price=1.0))
    await stand.batch().run({ONE: [Span(STORED.end_ms - 3 * HOUR, END)]})
    assert (stand.counters["unchanged"], stand.counters["inserted"], len(stand.source.asked)) == (3, 2, 2)


async def test_a_tail_waits_for_its_series() -> None:
    """What dies between the two leaves the old scale in place, so that the next run sees it again."""
    stand = Stand()
    stand.source.errors["ONE"] = (3, VenueUnavailableError("no answer"))
    with pytest.raises(VenueUnavailableError, match=r"1 of 1 series failed: ONE_USDT.BNC 1h: no answer"):
        await stand.batch().run({ONE: [Span(STORED.end_ms - 3 * HOUR, END)]})
    assert stand.closes() == [1.0] * 18
    stand.source.errors.clear()
    await stand.batch().run({ONE: [Span(STORED.end_ms - 3 * HOUR, END)]})
    assert stand.closes() == [0.5] * 20


async def test_an_answer_that_lost_most_bars_is_not_believed() -> None:
    stand = Stand(Adjusted(empty=Span(STORED.start_ms, STORED.start_ms + 10 * HOUR)))
    with pytest.raises(VenueProtocolError, match=r"10 of the bars stored for .* are not told any more"):
        await stand.restating().run(ONE, STORED)
    assert stand.closes() == [1.0] * 18
    stand.source.empty = Span(STORED.start_ms, STORED.start_ms + 9 * HOUR)
    await stand.restating().run(ONE, STORED)
    assert (stand.closes(), stand.counters["removed"]) == ([0.5] * 9, 9)


async def test_what_the_venue_does_not_reach_stays_and_is_told() -> None:
    wall_ms = STORED.start_ms + 5 * HOUR
    stand = Stand(Adjusted(wall_ms=wall_ms))
    await stand.restating().run(ONE, STORED)
    assert stand.closes() == [1.0] * 5 + [0.5] * 13
    (warning,) = stand.log.warnings()
    assert "are out of the venue's reach, and keep the adjustment of the day they were fetched" in warning
    assert all(span.start_ms >= wall_ms for _, span in stand.source.asked)


async def test_a_bar_that_makes_no_sense_leaves_its_place_open() -> None:
    senseless_ms = STORED.start_ms + 3 * HOUR
    stand = Stand(Adjusted(senseless_ms=senseless_ms))
    await stand.restating().run(ONE, STORED)
    assert senseless_ms not in open_times_ms(stand.store.read(ONE)).to_pylist()
    assert stand.store.covered(ONE, Span(senseless_ms, senseless_ms + HOUR)) == []
    assert stand.counters["rejected"] == 1
    assert stand.closes() == [0.5] * 17


async def test_prices_of_another_adjustment_are_never_replaced() -> None:
    stand = Stand(Adjusted(label="rest scripted raw"))
    with pytest.raises(ConflictError, match="holds bars of source 'rest scripted adjusted'"):
        await stand.restating().run(ONE, STORED)
    assert stand.source.asked == []


def test_only_prices_tell_of_another_scale() -> None:
    times = range(0, 5 * HOUR, HOUR)
    stored = priced(times, 1.0)
    more_volume = stored.set_column(5, "volume", pa.array([9.0] * 5))
    assert not are_restated(stored, more_volume)
    assert not are_restated(stored, priced(range(5 * HOUR, 9 * HOUR, HOUR), 2.0))
    assert not are_restated(flat_bars([]), stored)
    assert are_restated(stored.slice(4), priced(range(2 * HOUR, 9 * HOUR, HOUR), 2.0))
