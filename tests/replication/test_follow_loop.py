"""A slave's loop on stores in memory: what it does by itself, what on request, and how it fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from markethub.control.database import Database
from markethub.control.sync_history import SyncRow, list_history
from markethub.domain.errors import InputError, ReplicationError, UnavailableError
from markethub.domain.selection import EVERYTHING, Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.ports.data_store import DataStore
from markethub.ports.replication import ChangeSet, Patch, SeriesDigests, SourceState
from markethub.ports.store import EVER
from markethub.replication.follow_loop import FollowLoop, Pace
from markethub.replication.follower import Follower, Mode, Verdict
from markethub.replication.journal import SyncJournal
from markethub.replication.marks import VERIFIED_MARK
from markethub.replication.source import StoreSource
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.fills import FILLS
from markethub.testing.record_rows import claim, fills_at
from markethub.testing.replica_moves import content_of
from markethub.testing.store_contract import BTC, BTC_HOURS, ETH, T0, bars_at, minute_span, minutes
from tests.bare_hub import StillClock
from tests.replication.deaf_master import MASTER, FakeLink

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

_MONTH_MS = 31 * 86_400_000
_NEVER_S = 10_000.0


class Switched(StoreSource):
    """A source that can be away, and that can be stopped in the middle of an answer."""

    def __init__(self, store: DataStore) -> None:
        super().__init__(store, lambda: 1)
        self.error: Exception | None = None
        self.states = 0
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read_state(self) -> SourceState:
        self.states += 1
        self.asked.set()
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return await super().read_state()

    async def read_changes(self, after: int, most_rows: int, selection: Selection) -> ChangeSet:
        if self.error is not None:
            raise self.error
        return await super().read_changes(after, most_rows, selection)


@dataclass
class Stage:
    """A slave under test with its master's store."""

    database: Database
    master: DataStore = field(default_factory=MemorySeriesStore)
    slave: DataStore = field(default_factory=MemorySeriesStore)
    link: FakeLink = field(default_factory=FakeLink)
    clock: StillClock = field(default_factory=StillClock)
    pace: Pace = field(default_factory=lambda: Pace(_NEVER_S, _NEVER_S, 0.01))
    selection: Selection = EVERYTHING

    def __post_init__(self) -> None:
        self.source = Switched(self.master)

    def build(self) -> FollowLoop:
        """A loop as after a start of the process."""
        follower = Follower(self.source, self.slave, self.selection)
        return FollowLoop(
            follower, SyncJournal(self.database, "backup1", self.clock), self.link, MASTER, self.pace
        )

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[FollowLoop]:
        """Run a loop during the block."""
        loop = self.build()
        await loop.start()
        try:
            yield loop
        finally:
            await loop.drain()

    async def history(self) -> list[SyncRow]:
        async with self.database.read() as connection:
            return (await list_history(connection, backup_name=None, limit=1_000, offset=0))[0]


@pytest.fixture
def stage(database: Database) -> Stage:
    stage = Stage(database)
    stage.master.upsert(BTC, bars_at(minutes(0, 30)), [claim(0, 30)]).result()
    stage.master.upsert(BTC, bars_at([T0 + _MONTH_MS])).result()
    stage.master.upsert(ETH, bars_at(minutes(0, 5))).result()
    stage.master.records.upsert_records(FILLS, fills_at(1, 2)).result()
    return stage


async def until(is_so: Callable[[], bool]) -> None:
    """Let others run until it is so."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - the states of a loop have no events of their own
            await asyncio.sleep(0.001)


def is_level(loop: FollowLoop) -> bool:
    state = loop.state
    return state.error is None and state.verified_ms is not None and state.revision == state.newest


async def test_it_catches_up_and_proves_it_by_itself(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        assert content_of(stage.slave) == content_of(stage.master)
        state = loop.state
        assert (state.synced_ms, state.verified_ms) == (stage.clock.now_ms, stage.clock.now_ms)
        assert (state.revision, state.newest) == (stage.master.revision(),) * 2
        assert loop.copied_rows == {Mode.FULL: 38}


async def test_news_are_pulled_when_it_is_woken(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        stage.master.upsert(ETH, bars_at(minutes(5, 9))).result()
        loop.wake()
        await until(lambda: loop.state.revision == stage.master.revision())
        assert content_of(stage.slave) == content_of(stage.master)
        assert loop.copied_rows[Mode.INCREMENTAL] == 4


async def test_news_are_pulled_by_the_timer(stage: Stage) -> None:
    stage.pace = Pace(0.01, _NEVER_S)
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        stage.master.upsert(ETH, bars_at(minutes(5, 9))).result()
        await until(lambda: loop.state.revision == stage.master.revision())


async def test_a_flipped_value_is_found_by_the_schedule(stage: Stage) -> None:
    stage.pace = Pace(0.01, 3_600)
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        stage.slave.upsert(BTC, bars_at(minutes(7, 8), 77.0)).result()
        stage.clock.now_ms += 3_599_000
        pulls = stage.source.states
        await until(lambda: stage.source.states > pulls + 2)
        assert content_of(stage.slave) != content_of(stage.master)
        stage.clock.now_ms += 1_000
        await until(lambda: loop.state.verified_ms == stage.clock.now_ms)
        assert content_of(stage.slave) == content_of(stage.master)
    (repair,) = [row for row in await stage.history() if row.sync_mode == "repair"]
    assert (repair.symbol, repair.interval, repair.data_count) == ("BTC_USDT.BNC", "1m", 1)
    assert (repair.status, repair.backup_name) == ("success", "backup1")


async def test_a_verification_on_demand_repairs_and_is_told_before_it_is_answered(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        stage.slave.upsert(BTC, bars_at(minutes(7, 8), 77.0)).result()
        stage.slave.records.upsert_records(FILLS, fills_at(9)).result()
        verdict = await loop.verify()
        assert verdict.repaired == [BTC, "fills"]
        assert content_of(stage.slave) == content_of(stage.master)
        assert (await loop.verify()).repaired == []
        told = [
            one["symbol"]
            for body in stage.link.bodies
            for one in body["history"]
            if one["sync_mode"] == "repair"
        ]
        assert told == ["BTC_USDT.BNC", "fills"]
        states = [body["state"] for body in stage.link.bodies]
        assert [state["repaired"] for state in states[-2:]] == [2, 0]


async def test_one_symbol_is_compared_in_the_months_of_a_range(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        for series, time_ms in ((BTC, T0), (BTC, T0 + _MONTH_MS), (ETH, T0)):
            stage.slave.upsert(series, bars_at([time_ms], 99.0)).result()
        stage.slave.upsert(BTC_HOURS, bars_at([T0])).result()
        stage.master.upsert(ETH, bars_at(minutes(5, 9))).result()
        rows = await loop.request(BTC.symbol, minute_span(0, 1))
        assert (
            rows == 4 + 1 + 1
        )  # the news of another symbol, the bar of that month, the hour that is not theirs
        assert content_of(stage.slave)["series"].keys() == content_of(stage.master)["series"].keys()
        wrong = [
            series for series in (BTC, ETH) if not stage.slave.read(series).equals(stage.master.read(series))
        ]
        assert wrong == [BTC, ETH]
        assert stage.slave.read(BTC, minute_span(0, 30)).equals(stage.master.read(BTC, minute_span(0, 30)))
        assert await loop.request(None, EVER) == 2
        assert content_of(stage.slave) == content_of(stage.master)


async def test_claims_are_left_alone_while_other_months_differ(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        stage.slave.upsert(BTC, bars_at([T0], 99.0), [claim(40, 50)]).result()
        stage.slave.upsert(BTC, bars_at([T0 + _MONTH_MS], 99.0)).result()
        await loop.request(BTC.symbol, minute_span(0, 1))
        assert stage.slave.covered(BTC, EVER) == [claim(0, 30), claim(40, 50)]
        await loop.request(BTC.symbol, Span(T0 + _MONTH_MS, T0 + _MONTH_MS + 1))
        assert stage.slave.covered(BTC, EVER) == [claim(0, 30)]


async def test_a_symbol_that_is_not_followed_is_refused(stage: Stage) -> None:
    stage.selection = Selection(symbols=frozenset({ETH.symbol}))
    async with stage.follow() as loop:
        with pytest.raises(InputError, match=r"BTC_USDT\.BNC is not among"):
            await loop.request(BTC.symbol, EVER)
        with pytest.raises(InputError):
            loop.queue(Symbol.parse("US.AAPL"), EVER)
        assert loop.state.error is None


async def test_a_master_that_is_away_is_asked_again_and_shown(stage: Stage) -> None:
    stage.source.error = UnavailableError("nobody there")
    async with stage.follow() as loop:
        await until(lambda: stage.source.states > 3)
        assert (loop.state.error, loop.state.synced_ms) == ("nobody there", None)
        with pytest.raises(UnavailableError, match="nobody there"):
            await loop.verify()
        stage.source.error = None
        await until(lambda: is_level(loop))
    failed = [row for row in await stage.history() if row.status == "failed"]
    assert {(row.symbol, row.interval, row.error) for row in failed} == {("", "", "nobody there")}
    assert sorted(row.sync_mode for row in failed) == ["full", "incremental"]


async def test_nothing_ends_the_loop(stage: Stage) -> None:
    stage.source.error = RuntimeError("a defect")
    async with stage.follow() as loop:
        await until(lambda: loop.state.error == "a defect")
        stage.source.error = ReplicationError("nonsense")
        await until(lambda: loop.state.error == "nonsense")
        stage.source.error = None
        await until(lambda: is_level(loop))


async def test_a_proof_that_failed_stays_in_sight_until_one_succeeds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))

        async def refuse(_series: object) -> SeriesDigests:
            raise ReplicationError("no digests \x00" + "here" * 1_000)

        with monkeypatch.context() as patch:
            patch.setattr(stage.source, "digest_series", refuse)
            with pytest.raises(ReplicationError):
                await loop.verify()
            before = stage.source.states
            loop.wake()
            await until(lambda: stage.source.states > before)
            assert (loop.state.error or "").startswith("no digests")
            error = stage.link.bodies[-1]["state"]["error"]
            assert (len(error), "\x00" in error) == (300, False)
        await until(lambda: is_level(loop))


async def test_each_reason_is_logged_once(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    stage.source.error = UnavailableError("nobody there")
    async with stage.follow() as loop:
        await until(lambda: stage.source.states > 5)
        stage.source.error = None
        await until(lambda: is_level(loop))
    logged = capfd.readouterr().err
    assert logged.count("cannot follow the master") == 1
    assert logged.count("follows the master again") == 1


async def test_requests_wait_their_turn_and_equal_ones_share_it(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        stage.source.may_answer.clear()
        stage.source.asked.clear()
        loop.wake()
        await stage.source.asked.wait()
        before = stage.source.states
        proofs = [asyncio.create_task(loop.verify()) for _ in range(3)]
        repairs = [asyncio.create_task(loop.request(ETH.symbol, EVER)) for _ in range(3)]
        await asyncio.sleep(0)
        stage.source.may_answer.set()
        verdicts = await asyncio.gather(*proofs)
        await asyncio.gather(*repairs)
        assert stage.source.states == before + 2
        assert len({id(one) for one in verdicts}) == 1


async def test_a_verification_under_way_is_not_joined(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        stage.source.may_answer.clear()
        stage.source.asked.clear()
        first = asyncio.create_task(loop.verify())
        await stage.source.asked.wait()
        second = asyncio.create_task(loop.verify())
        await asyncio.sleep(0)
        stage.source.may_answer.set()
        assert (await first) is not (await second)


async def test_it_goes_on_when_the_asker_goes_away(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        stage.slave.upsert(BTC, bars_at(minutes(7, 8), 77.0)).result()
        stage.source.may_answer.clear()
        stage.source.asked.clear()
        asking = asyncio.create_task(loop.verify())
        await stage.source.asked.wait()
        asking.cancel()
        await asyncio.wait([asking])
        stage.source.may_answer.set()
        await until(lambda: content_of(stage.slave) == content_of(stage.master))


async def test_a_drain_stops_what_hangs_and_tells_who_waits(stage: Stage) -> None:
    loop = stage.build()
    await loop.start()
    await until(lambda: is_level(loop))
    stage.source.may_answer.clear()
    stage.source.asked.clear()
    running = asyncio.create_task(loop.verify())
    waiting = asyncio.create_task(loop.request(ETH.symbol, EVER))
    await stage.source.asked.wait()
    async with asyncio.timeout(10):
        await loop.drain()
    for task in (running, waiting):
        with pytest.raises(UnavailableError, match="stopped following"):
            await task
    with pytest.raises(UnavailableError, match="follows no master"):
        await loop.verify()


async def test_a_drain_waits_for_no_answer_of_the_master(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = stage.build()
    await loop.start()
    await until(lambda: is_level(loop))
    stage.source.may_answer.clear()
    stage.source.asked.clear()
    asking = asyncio.create_task(loop.verify())
    await stage.source.asked.wait()

    async def hang(*_: object, **__: object) -> None:
        await asyncio.sleep(3_600)

    monkeypatch.setattr(stage.link, "ask", hang)
    async with asyncio.timeout(10):
        await loop.drain()
    with pytest.raises(UnavailableError):
        await asking


async def test_what_is_known_outlives_the_process(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        await loop.verify()
    known_ms = stage.clock.now_ms
    stage.clock.now_ms += 1_000
    stage.source.error = UnavailableError("nobody there")
    async with stage.follow() as loop:
        await until(lambda: loop.state.error is not None)
        assert (loop.state.synced_ms, loop.state.verified_ms) == (known_ms, known_ms)
        assert loop.state.revision == stage.master.revision()
        stage.source.error = None
        states = stage.source.states
        loop.wake()
        await until(lambda: loop.state.error is None)
        assert stage.source.states - states <= 2
        assert loop.state.verified_ms == known_ms  # not due again


async def test_what_cannot_be_recalled_does_not_keep_it_from_following(stage: Stage) -> None:
    marks = {VERIFIED_MARK: '{"of_a_later_version": 1}'}
    await asyncio.wrap_future(stage.slave.replica.apply_patch(Patch(marks=marks)))
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))


async def test_a_trimmed_log_is_answered_with_a_comparison(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
    for minute in range(100, 120):
        stage.master.upsert(ETH, bars_at(minutes(minute, minute + 1))).result()
    stage.master.replica.trim_changes(1)
    async with stage.follow() as loop:
        await until(lambda: loop.state.revision == stage.master.revision())
        assert content_of(stage.slave) == content_of(stage.master)
        assert loop.copied_rows == {Mode.FULL: 20}
    assert capfd.readouterr().err.count("no watermark leads on") == 1


async def test_a_master_of_another_history_is_verified_anew(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
    stage.clock.now_ms += 1_000
    other = MemorySeriesStore()
    other.upsert(BTC, bars_at(minutes(0, 29))).result()
    stage.source = Switched(other)
    async with stage.follow() as loop:
        await until(lambda: loop.state.verified_ms == stage.clock.now_ms)
        assert content_of(stage.slave) == content_of(other)


async def test_a_clock_that_was_set_back_does_not_put_the_proof_off(stage: Stage) -> None:
    async with stage.follow() as loop:
        await until(lambda: is_level(loop))
        stage.clock.now_ms -= 10 * 86_400_000
        loop.wake()
        await until(lambda: loop.state.verified_ms == stage.clock.now_ms)


async def test_a_verification_keeps_up_with_what_comes_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("markethub.replication.follower._FOLLOW_EVERY_S", 0.0)
    follower = Follower(stage.source, stage.slave, EVERYTHING)
    await follower.catch_up()
    reached: list[int] = []
    follower.reached = lambda mark: reached.append(mark.revision)
    verdict: Verdict = await follower.verify()
    assert verdict.repaired == []
    assert len(reached) > verdict.compared
