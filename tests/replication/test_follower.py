"""A store in memory follows another one, whatever happens to their history."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from markethub.domain.errors import UnavailableError
from markethub.domain.interval import Interval
from markethub.domain.selection import EVERYTHING, Selection
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import ChangeSet, Patch, SeriesPatch
from markethub.replication.digest import digest_records, digest_store
from markethub.replication.follower import Copied, Follower, Mode
from markethub.replication.source import StoreSource
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.fills import FILLS
from markethub.tables.klines import empty_klines
from markethub.testing.record_rows import claim, fills_at
from markethub.testing.replica_moves import content_of
from markethub.testing.store_contract import (
    BTC,
    BTC_HOURS,
    ETH,
    T0,
    bars_at,
    minute_span,
    minutes,
)

_OWNER = "OKX_MM01"
_MONTH_MS = 31 * 86_400_000


class CountingSource(StoreSource):
    """Counts its answers, and runs a step before some of them."""

    def __init__(self, store: DataStore) -> None:
        super().__init__(store, lambda: 1)
        self.asked: list[str] = []
        self.before: dict[str, Callable[[], None]] = {}

    async def read_changes(self, after: int, most_rows: int, selection: Selection) -> ChangeSet:
        self._note("changes")
        return await super().read_changes(after, most_rows, selection)

    async def read_bars(self, *arguments: Any) -> Any:  # noqa: ANN401 - as the original
        self._note("bars")
        return await super().read_bars(*arguments)

    async def digest_series(self, series: Any) -> Any:  # noqa: ANN401 - as the original
        self._note("digest")
        return await super().digest_series(series)

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if step := self.before.get(what):
            step()


@pytest.fixture
def master() -> DataStore:
    store = MemorySeriesStore()
    store.upsert(BTC, bars_at(minutes(0, 30)), [claim(0, 30)]).result()
    store.upsert(BTC, bars_at([T0 + _MONTH_MS]), [claim(60, 70, "files")]).result()
    store.upsert(ETH, bars_at(minutes(0, 5))).result()
    store.records.upsert_records(FILLS, fills_at(1, 2), [OwnerClaims(_OWNER, [claim(0, 9)])]).result()
    return store


@pytest.fixture
def slave() -> DataStore:
    return MemorySeriesStore()


def follow(
    source: StoreSource,
    slave: DataStore,
    copied: list[Copied] | None = None,
    *,
    selection: Selection = EVERYTHING,
    rows_per_set: int = 1000,
) -> Follower:
    noted = [] if copied is None else copied
    return Follower(source, slave, selection, noted.append, rows_per_set)


async def test_the_first_time_all_is_compared_and_then_changes_are_followed(
    master: DataStore, slave: DataStore
) -> None:
    source = CountingSource(master)
    copied: list[Copied] = []
    follower = follow(source, slave, copied)
    mark = await follower.catch_up()
    assert (mark.revision, mark.store_id) == (master.revision(), master.replica.store_id)
    assert content_of(slave) == content_of(master)
    assert {(one.subject, one.mode, one.rows) for one in copied} == {
        (BTC, Mode.FULL, 31),
        (ETH, Mode.FULL, 5),
        ("fills", Mode.FULL, 2),
    }
    source.asked.clear()
    copied.clear()
    master.upsert(ETH, bars_at(minutes(3, 7), 9.0)).result()
    assert await follower.catch_up() == await follower.read_mark()
    assert source.asked == ["changes"]
    assert copied == [Copied(ETH, Mode.INCREMENTAL, 4)]
    assert content_of(slave) == content_of(master)


async def test_small_sets_one_after_the_other(master: DataStore, slave: DataStore) -> None:
    source = CountingSource(master)
    follower = follow(source, slave, rows_per_set=1)
    await follower.catch_up()
    for minute in range(100, 110):
        master.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()
    source.asked.clear()
    await follower.catch_up()
    assert source.asked == ["changes"] * 10
    assert content_of(slave) == content_of(master)


async def test_trimmed_changes_are_noticed_and_only_what_differs_is_brought(
    master: DataStore, slave: DataStore
) -> None:
    copied: list[Copied] = []
    source = CountingSource(master)
    follower = follow(source, slave, copied)
    await follower.catch_up()
    source.asked.clear()
    copied.clear()
    for minute in range(40, 50):
        master.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()
    master.replica.trim_changes(1)
    await follower.catch_up()
    assert source.asked.count("bars") == 1  # of the two months of one series one differs
    assert copied == [Copied(BTC, Mode.FULL, 10)]
    assert content_of(slave) == content_of(master)


async def test_another_history_is_noticed(master: DataStore, slave: DataStore) -> None:
    await follow(StoreSource(master, lambda: 1), slave).catch_up()
    other = MemorySeriesStore()
    other.upsert(BTC, bars_at(minutes(0, 29)), [claim(0, 12)]).result()
    for minute in range(10):
        other.upsert(BTC_HOURS, bars_at([T0 + minute * 3_600_000])).result()
    await follow(StoreSource(other, lambda: 2), slave).catch_up()
    assert content_of(slave)["series"].keys() - content_of(other)["series"].keys() == set()
    assert content_of(slave) == content_of(other)  # also claims and fills that only the old one had are gone


async def test_another_selection_is_noticed(master: DataStore, slave: DataStore) -> None:
    source = StoreSource(master, lambda: 1)
    only = Selection(symbols=frozenset({ETH.symbol}))
    await follow(source, slave, selection=only).catch_up()
    assert [one.series for one in slave.summaries()] == [ETH]
    assert slave.records.count_records(FILLS) == 0
    await follow(source, slave).catch_up()
    assert content_of(slave) == content_of(master)


async def test_a_store_that_was_set_back_is_noticed(master: DataStore, slave: DataStore) -> None:
    source = StoreSource(master, lambda: 1)
    mark = await follow(source, slave).catch_up()
    ahead = f'{{"store_id":"{mark.store_id}","epoch":1,"revision":99,"selection":{{}}}}'
    await asyncio.wrap_future(slave.replica.apply_patch(Patch(marks={"replica": ahead})))
    assert await follow(source, slave).catch_up() == mark


async def test_writes_during_the_first_comparison_are_not_lost(master: DataStore, slave: DataStore) -> None:
    source = CountingSource(master)
    number = iter(range(200, 300))

    def write() -> None:
        minute = next(number)
        master.upsert(BTC, bars_at(minutes(minute, minute + 1)), [claim(minute, minute + 1)]).result()
        master.upsert(ETH, bars_at(minutes(0, 1), float(minute))).result()

    source.before["digest"] = source.before["bars"] = write
    await follow(source, slave).catch_up()
    assert content_of(slave) == content_of(master)


@pytest.mark.parametrize("fails_at", range(9))
async def test_a_follower_that_is_stopped_anywhere_goes_on(
    master: DataStore, slave: DataStore, fails_at: int
) -> None:
    source = CountingSource(master)
    left = iter([None] * fails_at)

    def stop() -> None:
        if next(left, "stop") == "stop":
            raise UnavailableError("cut")

    source.before = dict.fromkeys(("changes", "bars", "digest"), stop)
    try:
        await follow(source, slave, rows_per_set=1).catch_up()
    except UnavailableError:
        source.before.clear()
        master.upsert(BTC, bars_at(minutes(90, 95))).result()
        await follow(source, slave, rows_per_set=1).catch_up()
    assert content_of(slave) == content_of(master)


def _spoil_bar(store: DataStore) -> None:
    store.upsert(BTC, bars_at(minutes(7, 8), 77.0)).result()


def _lose_bar(store: DataStore) -> None:
    patch = SeriesPatch(BTC, empty_klines(), cleared=[minute_span(7, 8)])
    store.replica.apply_patch(Patch([patch])).result()


def _invent_bar(store: DataStore) -> None:
    store.upsert(BTC, bars_at(minutes(500, 501))).result()


def _invent_series(store: DataStore) -> None:
    store.upsert(BTC_HOURS, bars_at([T0])).result()


def _invent_claim(store: DataStore) -> None:
    store.upsert(BTC, empty_klines(), [claim(800, 900)]).result()


def _invent_fill(store: DataStore) -> None:
    store.records.upsert_records(FILLS, fills_at(8), [OwnerClaims("OKX_MM02", [claim(0, 9)])]).result()


@pytest.mark.parametrize(
    ("spoil", "subject", "rows"),
    [
        (_spoil_bar, BTC, 1),
        (_lose_bar, BTC, 1),
        (_invent_bar, BTC, 1),
        (_invent_series, BTC_HOURS, 1),
        (_invent_claim, BTC, 0),
        (_invent_fill, "fills", 1),
    ],
)
async def test_a_difference_is_found_and_repaired(
    master: DataStore, slave: DataStore, spoil: Callable[[DataStore], None], subject: object, rows: int
) -> None:
    copied: list[Copied] = []
    follower = follow(StoreSource(master, lambda: 1), slave, copied)
    assert (await follower.verify()).repaired == []
    copied.clear()
    spoil(slave)
    assert content_of(slave) != content_of(master)
    verdict = await follower.verify()
    assert (verdict.repaired, verdict.unsettled) == ([subject], [])
    assert copied == [Copied(subject, Mode.REPAIR, rows)]  # type: ignore[arg-type]  # a series or a table
    assert content_of(slave) == content_of(master)
    assert digest_store(slave) == digest_store(master)
    assert digest_records(slave.records, FILLS) == digest_records(master.records, FILLS)


async def test_what_the_master_writes_meanwhile_is_no_difference(master: DataStore, slave: DataStore) -> None:
    source = CountingSource(master)
    follower = follow(source, slave)
    await follower.catch_up()
    number = iter(range(200, 300))
    writes: Sequence[int] = [next(number) for _ in range(3)]
    left = iter(writes)

    def write() -> None:
        if (minute := next(left, None)) is not None:
            master.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()

    source.before["digest"] = write
    verdict = await follower.verify()
    assert (verdict.repaired, verdict.unsettled) == ([], [])
    assert content_of(slave) == content_of(master)


async def test_what_is_written_during_a_digest_is_no_difference(
    master: DataStore, slave: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = follow(StoreSource(master, lambda: 1), slave)
    await follower.catch_up()
    read, left = master.read, [200]

    def write_and_read(*arguments: Any, **named: Any) -> pa.Table:  # noqa: ANN401 - as the original
        if left:
            minute = left.pop()
            master.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()
        return read(*arguments, **named)

    monkeypatch.setattr(master, "read", write_and_read)
    verdict = await follower.verify()
    assert (verdict.repaired, verdict.unsettled, left) == ([], [], [])
    assert content_of(slave) == content_of(master)


async def test_what_never_holds_still_is_told(master: DataStore, slave: DataStore) -> None:
    source = CountingSource(master)
    follower = follow(source, slave)
    await follower.catch_up()
    number = iter(range(200, 300))

    def write() -> None:
        minute = next(number)
        master.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()

    source.before["digest"] = write
    verdict = await follower.verify()
    assert (verdict.repaired, verdict.unsettled) == ([], [BTC])


async def test_only_the_selection_is_compared(master: DataStore, slave: DataStore) -> None:
    source = StoreSource(master, lambda: 1)
    slave.upsert(BTC_HOURS, bars_at([T0])).result()
    follower = follow(source, slave, selection=Selection(intervals=frozenset({Interval.M1})))
    verdict = await follower.verify()
    assert verdict.repaired == []
    assert {one.series for one in slave.summaries()} == {BTC, ETH, BTC_HOURS}
