"""What a slave tells its master arrives once, whatever is lost on the way."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from markethub.control.database import Database, open_database
from markethub.control.replica_states import ReplicaState, read_states
from markethub.control.sync_history import SyncEntry, list_history, take_entries
from markethub.domain.errors import UnavailableError
from markethub.replication import reporting
from markethub.replication.follower import Copied, Mode
from markethub.replication.journal import SyncJournal
from markethub.replication.reporting import Reporting
from tests.bare_hub import StillClock
from tests.replication.deaf_master import MASTER, FakeLink

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

_STATE = ReplicaState(
    store_id="ab" * 16,
    epoch=1,
    revision=7,
    selection={"venues": ["OKX"]},
    synced_ms=1,
    verified_ms=2,
    compared=3,
    repaired=0,
    unsettled=0,
    error=None,
)


async def read_state() -> ReplicaState:
    return _STATE


def started(database: Database, link: FakeLink) -> tuple[SyncJournal, Reporting]:
    journal = SyncJournal(database, "backup1", StillClock())
    journal.begin()
    told = Reporting(journal, link, MASTER)
    told.start(read_state)
    return journal, told


@pytest.fixture
async def master(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 - an open database
    folder = tmp_path_factory.mktemp("master")
    opened = await open_database(f"sqlite:///{folder / 'control.db'}")
    yield opened
    await opened.close()


async def take(master: Database, body: Mapping[str, Any]) -> None:
    async with master.begin() as connection:
        await take_entries(connection, "backup1", [SyncEntry(**one) for one in body["history"]])


async def counts(database: Database) -> dict[str, int]:
    async with database.read() as connection:
        rows, _ = await list_history(connection, backup_name="backup1", limit=10_000, offset=0)
    return {row.symbol: row.data_count for row in rows}


async def test_state_and_history_are_kept_and_told(database: Database) -> None:
    link = FakeLink()
    journal, told = started(database, link)
    journal.note(Copied("fills", Mode.INCREMENTAL, 3))
    await told.report_now()
    await told.drain()
    (body,) = link.bodies
    assert body["state"]["revision"] == 7
    assert [(one["symbol"], one["data_count"]) for one in body["history"]] == [("fills", 3)]
    async with database.read() as connection:
        assert (await read_states(connection))["backup1"].state == _STATE
    assert await told.read_kept() == _STATE


async def test_it_reports_when_it_is_woken(database: Database) -> None:
    link = FakeLink()
    journal, told = started(database, link)
    journal.note(Copied("fills", Mode.INCREMENTAL, 3))
    told.wake()
    async with asyncio.timeout(30):
        await link.told.wait()
    await told.drain()
    assert [one["symbol"] for one in link.bodies[0]["history"]] == ["fills"]


async def test_an_answer_that_is_lost_changes_nothing(database: Database, master: Database) -> None:
    link = FakeLink()
    journal, told = started(database, link)
    for is_mute in (True, True, False, True, False):
        journal.note(Copied("fills", Mode.INCREMENTAL, 3))
        link.is_mute = is_mute
        await told.report_now()
    await told.drain()
    for body in (*link.bodies, *reversed(link.bodies)):  # also repeated, and in the wrong order
        await take(master, body)
    assert await counts(master) == await counts(database) == {"fills": 15}


async def test_a_process_killed_in_the_middle_of_a_report_tells_it_again(
    database: Database, master: Database
) -> None:
    link = FakeLink()
    journal, told = started(database, link)
    journal.note(Copied("fills", Mode.INCREMENTAL, 3))

    def die(_body: object) -> None:
        raise asyncio.CancelledError

    link.on_arrival = die  # arrived, and this side never learns of it
    with pytest.raises(asyncio.CancelledError):
        await told.report_now()
    await told.drain()
    again = FakeLink()
    journal, told = started(database, again)
    journal.note(Copied("orders", Mode.FULL, 1))
    await told.report_now()
    await told.drain()
    assert {one["symbol"] for one in again.bodies[0]["history"]} == {"fills", "orders"}
    for body in (*link.bodies, *again.bodies):
        await take(master, body)
    assert await counts(master) == {"fills": 3, "orders": 1}


async def test_what_changes_while_it_is_told_is_told_again(database: Database) -> None:
    link = FakeLink()
    journal, told = started(database, link)
    journal.note(Copied("fills", Mode.INCREMENTAL, 3))
    await told.report_now()
    journal.note(Copied("fills", Mode.INCREMENTAL, 4))
    await told.report_now()
    await told.report_now()
    await told.drain()
    assert [[one["data_count"] for one in body["history"]] for body in link.bodies] == [[3], [7], []]


async def test_a_long_history_is_told_in_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "MOST_ENTRIES", 10)
    link = FakeLink()
    journal, told = started(database, link)
    for number in range(25):
        journal.note(Copied(f"table{number}", Mode.FULL, 1))
    await told.report_now()
    await told.drain()
    assert [len(body["history"]) for body in link.bodies] == [10, 10, 5]
    assert len({one["symbol"] for body in link.bodies for one in body["history"]}) == 25


async def test_a_master_that_is_away_is_logged_once(
    database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    link = FakeLink()
    link.is_away = True
    journal, told = started(database, link)
    for _ in range(3):
        journal.note(Copied("fills", Mode.INCREMENTAL, 3))
        await told.report_now()
    await told.drain()
    assert capfd.readouterr().err.count("cannot be told") == 1
    assert await counts(database) == {"fills": 9}


async def test_a_night_without_the_master_does_not_end_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failures by the thousand: no power of them is taken, and the next report is as good as the first."""
    monkeypatch.setattr(reporting, "_SPACING_S", 0.0)
    link, failures = FakeLink(), iter(range(1200))

    async def read_state_at_last() -> ReplicaState:
        for _ in failures:
            raise UnavailableError("master does not answer")
        return _STATE

    told = Reporting(SyncJournal(database, "backup1", StillClock()), link, MASTER)
    told.start(read_state_at_last)
    told.wake()
    async with asyncio.timeout(30):
        await link.told.wait()
    await told.drain()
    assert link.bodies[0]["state"]["revision"] == 7


async def test_what_nobody_foresaw_is_logged_and_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reporting, "_SPACING_S", 0.0)
    link, states = FakeLink(), iter([ZeroDivisionError("odd"), OSError("no space left"), None])

    async def read_odd_state() -> ReplicaState:
        if (error := next(states, None)) is not None:
            raise error
        return _STATE

    told = Reporting(SyncJournal(database, "backup1", StillClock()), link, MASTER)
    told.start(read_odd_state)
    await told.report_now()  # for whoever has asked for a run, which has ended well
    async with asyncio.timeout(30):
        await link.told.wait()
    await told.drain()
    logged = capfd.readouterr().err
    assert "odd" in logged
    assert "no space left" in logged


async def test_a_drain_ends_though_nothing_can_be_written(
    database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A slave that is promoted waits for this end before it works."""
    journal, told = started(database, FakeLink())

    async def fail() -> None:
        raise OSError("no space left")

    monkeypatch.setattr(journal, "flush", fail)
    await told.drain()
    assert "no space left" in capfd.readouterr().err


async def test_a_drain_writes_what_waits(database: Database) -> None:
    link = FakeLink()
    journal, told = started(database, link)
    journal.note(Copied("fills", Mode.INCREMENTAL, 3))
    await told.drain()
    assert (await counts(database), link.bodies) == ({"fills": 3}, [])
