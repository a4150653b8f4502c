"""What runs bring, added up before it is written."""

import asyncio
import itertools
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.database import Database, open_database
from markethub.control.sync_history import HOUR_MS, SyncRow, list_history
from markethub.domain.errors import UnavailableError
from markethub.domain.interval import Interval
from markethub.domain.symbol import Series, Symbol
from markethub.replication.follower import Copied, Mode
from markethub.replication.journal import SyncJournal
from markethub.testing.store_contract import BTC, ETH
from tests.bare_hub import StillClock

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
_MINUTE_MS = 60_000
_numbers = itertools.count()


async def read_all(database: Database, name: str = "backup1") -> list[SyncRow]:
    async with database.read() as connection:
        return (await list_history(connection, backup_name=name, limit=100_000, offset=0))[0]


@only_sqlite
async def test_a_minute_sync_of_3000_series_writes_once_in_five_minutes(database: Database) -> None:
    clock = StillClock()
    clock.now_ms -= clock.now_ms % HOUR_MS
    journal = SyncJournal(database, "backup1", clock)
    series = [Series(Symbol.parse(f"A{number}_USDT.BNC"), Interval.M1) for number in range(3_000)]
    commits: list[int] = []
    event.listen(database._backend.engine.sync_engine, "commit", lambda _: commits.append(clock.now_ms))
    flushes = 0
    for _ in range(17):
        clock.now_ms += _MINUTE_MS
        journal.begin()
        for one in series:
            journal.note(Copied(one, Mode.INCREMENTAL, 1))
        if journal.is_due:
            flushes += 1
            await journal.flush()
    assert (flushes, len(commits)) == (3, 3)
    rows = await read_all(database)
    assert len(rows) == 3_000
    assert {row.data_count for row in rows} == {15}
    await journal.flush()
    rows = await read_all(database)
    assert (len(rows), {row.data_count for row in rows}) == (3_000, {17})
    assert {row.end_ms - row.start_ms for row in rows} == {16 * _MINUTE_MS}


@only_sqlite
@pytest.mark.parametrize("mode", [Mode.FULL, Mode.REPAIR, None])
async def test_few_entries_and_whatever_is_no_routine_are_due_at_once(
    database: Database, mode: Mode | None
) -> None:
    journal = SyncJournal(database, "backup1", StillClock())
    seen = [journal.is_due]
    journal.begin()
    for number in range(100):
        journal.note(Copied(f"table{number}", Mode.INCREMENTAL, 1))
        if number in (0, 99):
            seen.append(journal.is_due)
    if mode is None:
        journal.fail(Mode.INCREMENTAL, "away")
    else:
        journal.note(Copied(BTC, mode, 1))
    seen.append(journal.is_due)
    await journal.flush()
    assert [*seen, journal.is_due] == [False, True, False, True, False]


@only_sqlite
async def test_claims_alone_are_no_entry_of_their_own(database: Database) -> None:
    journal = SyncJournal(database, "backup1", StillClock())
    journal.begin()
    journal.note(Copied(BTC, Mode.INCREMENTAL, 0))
    journal.note(Copied(ETH, Mode.REPAIR, 0))
    await journal.flush()
    assert [(row.symbol, row.sync_mode) for row in await read_all(database)] == [("ETH_USDT.BNC", "repair")]


@only_sqlite
async def test_what_cannot_be_written_waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = SyncJournal(database, "backup1", StillClock())
    journal.begin()
    journal.note(Copied(BTC, Mode.INCREMENTAL, 3))

    async def refuse(*_: object) -> None:
        raise UnavailableError("full disk")

    with monkeypatch.context() as patch:
        patch.setattr("markethub.replication.journal.add_entries", refuse)
        with pytest.raises(UnavailableError):
            await journal.flush()
        journal.note(Copied(BTC, Mode.INCREMENTAL, 4))
    assert journal.is_due
    await journal.flush()
    assert [row.data_count for row in await read_all(database)] == [7]
    await journal.flush()
    assert [row.data_count for row in await read_all(database)] == [7]


@only_sqlite
async def test_a_write_whose_asker_is_cancelled_is_kept_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst moment: it is committed, and whoever asked is cancelled before learning of it."""
    journal = SyncJournal(database, "backup1", StillClock())
    journal.begin()
    committed, may_return = asyncio.Event(), asyncio.Event()
    begin = database.begin

    @asynccontextmanager
    async def begin_slowly() -> AsyncIterator[AsyncConnection]:
        async with begin() as connection:
            yield connection
        committed.set()
        await may_return.wait()

    with monkeypatch.context() as patch:
        patch.setattr(database, "begin", begin_slowly)
        journal.note(Copied(BTC, Mode.INCREMENTAL, 1))
        asking = asyncio.create_task(journal.flush())
        await committed.wait()
        asking.cancel()
        await asyncio.wait([asking])
    may_return.set()
    await journal.flush()
    assert [row.data_count for row in await read_all(database)] == [1]


subjects = st.sampled_from([BTC, ETH, "fills"])
copied = st.builds(Copied, subjects, st.sampled_from(Mode), st.integers(1, 9))
steps = st.one_of(
    st.tuples(st.just("pass"), st.sampled_from([1, _MINUTE_MS, 29 * _MINUTE_MS, HOUR_MS])),
    st.tuples(st.just("note"), copied),
    st.tuples(st.just("fail"), st.sampled_from(["away", "full"])),
    st.tuples(st.just("begin"), st.none()),
    st.tuples(st.just("flush"), st.none()),
)


@pytest.fixture(scope="module")
def shelf() -> Iterator[tuple[asyncio.Runner, Database]]:
    """A database for many examples, each of which has a name of its own."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        database = runner.run(open_database(f"sqlite:///{Path(folder) / 'control.db'}"))
        yield runner, database
        runner.run(database.close())


@settings(max_examples=40)
@given(steps=st.lists(steps, max_size=30))
def test_the_history_adds_up_as_a_simple_model_does(
    shelf: tuple[asyncio.Runner, Database], steps: list[tuple[str, object]]
) -> None:
    """Once it is flushed, the table holds what a dictionary by hour would."""
    runner, database = shelf
    name = f"node{next(_numbers)}"

    async def play() -> None:
        clock = StillClock()
        journal = SyncJournal(database, name, clock)
        model: defaultdict[tuple[object, ...], list[tuple[int, int, int]]] = defaultdict(list)
        start_ms = clock.now_ms
        for what, value in steps:
            match what, value:
                case "pass", int():
                    clock.now_ms += value
                case "note", Copied():
                    journal.note(value)
                    key = (_name(value.subject), value.mode, "success", "", start_ms // HOUR_MS)
                    model[key].append((start_ms, clock.now_ms, value.rows))
                case "fail", str():
                    journal.fail(Mode.INCREMENTAL, value)
                    key = (("", ""), Mode.INCREMENTAL, "failed", value, start_ms // HOUR_MS)
                    model[key].append((start_ms, clock.now_ms, 0))
                case "begin", _:
                    journal.begin()
                    start_ms = clock.now_ms
                case _:
                    await journal.flush()
        await journal.flush()
        expected = {
            key: (
                min(start for start, _, _ in told),
                max(end for _, end, _ in told),
                sum(n for *_, n in told),
            )
            for key, told in model.items()
        }
        stored = {
            ((row.symbol, row.interval), row.sync_mode, row.status, row.error, row.start_ms // HOUR_MS): (
                row.start_ms,
                row.end_ms,
                row.data_count,
            )
            for row in await read_all(database, name)
        }
        assert stored == expected

    runner.run(play())


def _name(subject: Series | str) -> tuple[str, str]:
    return (subject, "") if isinstance(subject, str) else (str(subject.symbol), subject.interval.value)
