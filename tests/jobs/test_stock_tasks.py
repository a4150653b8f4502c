"""Tasks of stocks: day by day, whole histories, and dividends that change all adjusted prices before them."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from markethub.domain.errors import InputError
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import format_time, parse_time
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.kline_plan import cut_chunks
from markethub.jobs.kline_sync import KlineSyncHandler
from markethub.jobs.quarantine import Quarantine
from markethub.jobs.sync_targets import SyncTargets
from markethub.ports.store import Coverage
from markethub.ports.venue import Venue
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.klines import KLINES, open_times_ms
from markethub.venues.stocks import create_us_venue
from tests.bare_hub import NoKeys, StillClock
from tests.flat_bars import flat_bars
from tests.jobs.fake_venues import MemoryLog, execution, running

AAPL = Series.parse("US.AAPL 1d")
# Apple paid a dividend to whoever held it until the evening of 8 August 2012.
BEFORE = parse_time("2012-08-08T22:00")
AFTER = parse_time("2012-08-10T22:00")
WHOLE = {"mode": "full_sync", "symbols": ["US.AAPL"], "intervals": ["1d"], "start": "2012-01-01"}
DAILY = {"symbols": ["US.AAPL"], "intervals": ["1d"]}
HOLIDAY = parse_time("2012-07-04")


class NobodySubscribed:
    async def symbols(self, exchanges: Any = None) -> list[Any]:  # noqa: ANN401
        return []


@dataclass
class Stand:
    """Runs tasks on a store of its own against one American market."""

    clock: StillClock
    venue: Venue
    store: MemorySeriesStore = field(default_factory=MemorySeriesStore)
    log: MemoryLog = field(default_factory=MemoryLog)

    async def run(self, parameters: Mapping[str, Any]) -> Counter[str]:
        """What the plan and all its chunks counted."""
        handler = self.handler()
        plan = await handler.plan(execution(parameters), self.log)
        assert plan.failures == {}
        total = Counter(plan.counters)
        for chunk in plan.chunks:
            total.update(await handler.run(running(chunk), self.log))
        return total

    def handler(self) -> KlineSyncHandler:
        venues = {"US": self.venue}
        access = AccountAccess(venues, NoKeys())
        quarantine = Quarantine(self.store.records, self.clock)
        backfill = KlineBackfillHandler(venues, self.store, self.clock, quarantine)
        return KlineSyncHandler(SyncTargets(venues, NobodySubscribed(), access), backfill)

    def bars(self, series: Series = AAPL) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.store.read(series).to_pylist()
        return found

    def plant(self, times_ms: list[int], price: float, series: Series = AAPL) -> None:
        """Store bars as if they had been fetched, and claim them."""
        bars = flat_bars(times_ms)
        columns = [
            pa.array([price] * len(bars)) if name in ("open", "high", "low", "close") else bars.column(name)
            for name in KLINES.names
        ]
        claims = [Coverage(Span(at, at + 86_400_000), self.venue.klines.label, at) for at in times_ms]
        self.store.upsert(series, pa.Table.from_arrays(columns, schema=KLINES), claims).result()


@pytest.fixture(scope="module")
def clock() -> StillClock:
    return StillClock(BEFORE)


@pytest.fixture
async def sandbox(clock: StillClock) -> AsyncIterator[RunningSandbox]:
    clock.now_ms = BEFORE
    async with running_sandbox(SandboxSettings(clock=clock, yahoo_requests_per_10_s=None)) as running_one:
        yield running_one


@asynccontextmanager
async def yahoo(sandbox: RunningSandbox, clock: StillClock, adjustment: str) -> AsyncIterator[Venue]:
    """As after a start of the hub: the venue's clock is asked anew."""
    venue = create_us_venue(
        {
            "base_url": f"{sandbox.url}/yahoo",
            "adjustment": adjustment,
            "requests_per_10_s": "10000",
            "delay_s": "60",
        }
    )
    try:
        yield venue
    finally:
        await venue.close()


async def told(venue: Venue, start: str) -> list[dict[str, Any]]:
    page = await venue.klines.klines(AAPL, Span(parse_time(start), AFTER))
    found: list[dict[str, Any]] = page.bars.to_pylist()
    return found


@pytest.mark.parametrize("parameters", [DAILY, WHOLE, {**WHOLE, "start": "2012-08-01"}])
async def test_a_dividend_restates_the_whole_series(
    sandbox: RunningSandbox, clock: StillClock, parameters: dict[str, Any]
) -> None:
    async with yahoo(sandbox, clock, "adjusted") as venue:
        stand = Stand(clock, venue)
        first = await stand.run(WHOLE)
        assert (first["inserted"], first["updated"], first["symbols"]) == (151, 0, 1)
        before = stand.bars()
    clock.now_ms = AFTER
    async with yahoo(sandbox, clock, "adjusted") as venue:
        stand.venue = venue
        counts = await stand.run(parameters)
        assert stand.bars() == await told(venue, "2012-01-01")
        # All but what the dividend came after; and two new days.
        assert (counts["updated"], counts["inserted"], counts["unchanged"]) == (151, 2, 0)
        assert counts["processed"] == 153
        scale = {
            round(new["close"] / old["close"], 4) for new, old in zip(stand.bars(), before, strict=False)
        }
        assert scale == {0.9957}
        again = await stand.run(DAILY)
        assert (again["updated"], again["inserted"], again["unchanged"]) == (0, 0, 3)


async def test_a_gap_of_an_adjusted_series_is_never_filled_on_a_scale_of_its_own(
    sandbox: RunningSandbox, clock: StillClock
) -> None:
    async with yahoo(sandbox, clock, "adjusted") as venue:
        stand = Stand(clock, venue)
        await stand.run(WHOLE)
    clock.now_ms = AFTER
    async with yahoo(sandbox, clock, "adjusted") as venue:
        stand.venue = venue
        march = Span(parse_time("2012-03-05"), parse_time("2012-03-07"))
        (chunk,) = cut_chunks({AAPL: [march]})
        await stand.handler().backfill.run(running(chunk), stand.log)
        whole = await told(venue, "2012-01-01")
        assert stand.bars() == whole[: len(stand.bars())]
        assert len(stand.bars()) == 151


async def test_an_adjusted_series_keeps_no_bar_of_another_scale(
    sandbox: RunningSandbox, clock: StillClock
) -> None:
    async with yahoo(sandbox, clock, "adjusted") as venue:
        stand = Stand(clock, venue)
        await stand.run(WHOLE)
        stand.plant([HOLIDAY], 1.0)
        counts = await stand.run(WHOLE)
        assert (counts["removed"], counts["unchanged"], counts["updated"]) == (1, 151, 0)
        assert HOLIDAY not in open_times_ms(stand.store.read(AAPL)).to_pylist()
        assert (
            "US.AAPL 1d: removed 1 bars that the venue tells no more, of 2012-07-04" in stand.log.warnings()
        )


async def test_a_raw_series_is_repaired_and_loses_nothing(sandbox: RunningSandbox, clock: StillClock) -> None:
    async with yahoo(sandbox, clock, "raw") as venue:
        stand = Stand(clock, venue)
        wrong, missing = parse_time("2012-03-05"), parse_time("2012-03-06")
        stand.plant([wrong, HOLIDAY], 1.0)
        # Somebody claims that there is no bar.
        stand.store.upsert(
            AAPL, flat_bars([]), [Coverage(Span(missing, missing + 86_400_000), venue.klines.label, missing)]
        ).result()
        counts = await stand.run(WHOLE)
        assert (counts["inserted"], counts["updated"]) == (150, 1)
        kept = {bar["open_time"].date().isoformat(): bar["close"] for bar in stand.bars()}
        assert (kept["2012-03-05"], kept["2012-03-06"], kept["2012-07-04"]) == (533.16, 530.26, 1.0)
        again = await stand.run(WHOLE)
        assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, 151)


async def test_without_a_start_history_begins_where_the_source_does(
    sandbox: RunningSandbox, clock: StillClock
) -> None:
    async with yahoo(sandbox, clock, "raw") as venue:
        stand = Stand(clock, venue)
        whole = {"mode": "full_sync", "symbols": ["US.GOOG"], "intervals": ["1d", "15m"]}
        counts = await stand.run(whole)
        days, minutes = stand.bars(Series.parse("US.GOOG 1d")), Series.parse("US.GOOG 15m")
        assert days[0]["open_time"].date().isoformat() == "2004-08-19"
        assert counts["symbols"] == 1
        assert counts["inserted"] == len(days) + len(stand.bars(minutes))
        since = format_time(venue.klines.reach_ms(minutes.interval, BEFORE) or 0)
        text = f"US stocks tells 15m bars only from {since} on: older ones stay as they are stored"
        assert ("info", text) in stand.log.lines


HEADER = "date,open,high,low,close,volume\n"


def write_days(folder: Path, ticker: str, closes: Mapping[str, float]) -> None:
    rows = [f"{day},{close},{close},{close},{close},100\n" for day, close in closes.items()]
    (folder / f"US.{ticker}.1d.csv").write_text(HEADER + "".join(rows))


async def test_a_folder_day_by_day_and_as_a_whole(tmp_path: Path) -> None:
    clock = StillClock(parse_time("2024-06-07T22:00"))
    days = {"2024-06-03": 10.0, "2024-06-04": 11.0, "2024-06-05": 12.0}
    write_days(tmp_path, "AAPL", days)
    write_days(tmp_path, "IBM", days)
    stand = Stand(clock, create_us_venue({"source": "folder", "path": str(tmp_path)}))
    market = {"exchanges": ["US"], "whole_market": True, "intervals": ["1d"]}
    counts = await stand.run(market)
    assert (counts["symbols"], counts["inserted"]) == (2, 6)

    write_days(tmp_path, "AAPL", {**days, "2024-06-03": 9.0, "2024-06-06": 13.0})
    write_days(tmp_path, "MSFT", days)
    counts = await stand.run({**market, "recheck_bars": 1})
    assert (counts["symbols"], counts["inserted"], counts["updated"]) == (3, 4, 0)
    counts = await stand.run({"mode": "full_sync", **market})
    assert (counts["symbols"], counts["inserted"], counts["updated"], counts["unchanged"]) == (3, 0, 1, 9)
    assert [bar["close"] for bar in stand.bars()] == [9.0, 11.0, 12.0, 13.0]


async def test_the_lines_of_a_file_are_the_market(tmp_path: Path) -> None:
    names = tmp_path / "us.txt"
    names.write_text("# what we hold\nAAPL\n\nUS.BRK.B  # two spellings\nAAPL\n")
    write_days(tmp_path, "AAPL", {"2024-06-03": 10.0})
    write_days(tmp_path, "BRK.B", {"2024-06-03": 10.0})
    write_days(tmp_path, "IBM", {"2024-06-03": 10.0})
    venue = create_us_venue({"source": "folder", "path": str(tmp_path), "symbols_file": str(names)})
    stand = Stand(StillClock(parse_time("2024-06-07T22:00")), venue)
    counts = await stand.run({"exchanges": ["US"], "whole_market": True, "intervals": ["1d"]})
    assert (counts["symbols"], counts["inserted"]) == (2, 2)
    assert stand.bars(Series.parse("US.BRK.B 1d"))
    names.write_text("AAPL\n00700\n")
    with pytest.raises(
        InputError, match=r"us\.txt line 2: '00700' is no ticker of US, which look like US\.AAPL"
    ):
        await stand.run({"exchanges": ["US"], "whole_market": True, "intervals": ["1d"]})
    names.write_text("# nobody\n")
    assert (await stand.run({"exchanges": ["US"], "whole_market": True, "intervals": ["1d"]}))["symbols"] == 0
    assert stand.log.lines[-1] == ("info", "Nothing to sync: no symbol is listed on US")
    names.unlink()
    with pytest.raises(InputError, match=r"symbols_file .*us\.txt cannot be read"):
        await stand.run({"exchanges": ["US"], "whole_market": True, "intervals": ["1d"]})


async def test_a_market_that_nobody_lists() -> None:
    stand = Stand(StillClock(), create_us_venue({}))
    try:
        with pytest.raises(
            InputError, match=r"nobody tells what US lists: yahoo does not, .*US\.symbols_file"
        ):
            await stand.run({"exchanges": ["US"], "whole_market": True, "intervals": ["1d"]})
    finally:
        await stand.venue.close()
