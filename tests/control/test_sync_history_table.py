"""The sync history and the states of slaves, on both engines."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from markethub.control.database import Database
from markethub.control.replica_states import ReplicaState, keep_state, read_states
from markethub.control.sync_history import (
    HOUR_MS,
    SyncEntry,
    SyncRow,
    add_entries,
    list_history,
    list_untold,
    mark_told,
    take_entries,
    trim_history,
)
from markethub.domain.errors import InputError

_T0 = 1_767_225_600_000
_MINUTE_MS = 60_000


def entry(minute: int, symbol: str = "BTC_USDT.BNC", rows: int = 1, **others: Any) -> SyncEntry:  # noqa: ANN401
    """A run of one minute."""
    start_ms = _T0 + minute * _MINUTE_MS
    told = SyncEntry(symbol, "1m", "incremental", start_ms, start_ms + _MINUTE_MS, rows)
    return replace(told, **others)


async def add(database: Database, *entries: SyncEntry, name: str = "backup1") -> None:
    async with database.begin() as connection:
        await add_entries(connection, name, entries)


async def take(database: Database, *entries: SyncEntry, name: str = "backup1") -> None:
    async with database.begin() as connection:
        await take_entries(connection, name, entries)


async def read(database: Database, name: str | None = None) -> list[SyncRow]:
    async with database.read() as connection:
        return (await list_history(connection, backup_name=name, limit=1_000, offset=0))[0]


def sums(rows: Sequence[SyncRow]) -> list[tuple[str, int, int, int]]:
    """Symbol, minutes of start and end, and count."""
    return [
        (row.symbol, (row.start_ms - _T0) // _MINUTE_MS, (row.end_ms - _T0) // _MINUTE_MS, row.data_count)
        for row in rows
    ]


async def test_runs_of_one_hour_are_one_row(database: Database) -> None:
    await add(database, entry(1, rows=5), entry(2, rows=6), entry(1, "fills"))
    await add(database, entry(59, rows=7), entry(60, rows=8))
    assert sums(await read(database)) == [
        ("BTC_USDT.BNC", 60, 61, 8),
        ("BTC_USDT.BNC", 1, 60, 18),
        ("fills", 1, 2, 1),
    ]


async def test_what_differs_in_anything_is_a_row_of_its_own(database: Database) -> None:
    others: dict[str, Any] = {
        "interval": "1h",
        "symbol": "ETH_USDT.BNC",
        "sync_mode": "repair",
        "status": "failed",
        "error": "away",
    }
    await add(database, entry(1), *(entry(1, **{name: value}) for name, value in others.items()))
    await add(database, entry(1), name="backup2")
    rows = await read(database)
    assert [row.data_count for row in rows] == [1] * 7
    assert [row.backup_name for row in rows].count("backup2") == 1


async def test_sums_that_are_told_again_or_late_change_nothing(database: Database) -> None:
    told = [entry(1, rows=1), replace(entry(1, rows=3), end_ms=_T0 + 5 * _MINUTE_MS), entry(60)]
    for one in (*told, *told, *reversed(told)):
        await take(database, one)
    assert sums(await read(database)) == [("BTC_USDT.BNC", 60, 61, 1), ("BTC_USDT.BNC", 1, 5, 3)]


async def test_each_row_is_told_until_it_is_acknowledged(database: Database) -> None:
    await add(database, entry(1, "a"), entry(1, "b"))
    await add(database, entry(1, "c"))
    await add(database, entry(1, "a"), name="backup2")
    async with database.begin() as connection:
        first = await list_untold(connection, "backup1", 2)
        assert [one.entry.symbol for one in first] == ["a", "b"]
        await mark_told(connection, [])
        await mark_told(connection, first)
        rest = await list_untold(connection, "backup1", 9)
        assert [one.entry.symbol for one in rest] == ["c"]
    await add(database, entry(2, "c", rows=9), entry(2, "a"))
    async with database.begin() as connection:
        await mark_told(connection, rest)  # of the state before
        again = await list_untold(connection, "backup1", 9)
        assert [(one.entry.symbol, one.entry.data_count) for one in again] == [("a", 2), ("c", 10)]
        await mark_told(connection, again)
        assert await list_untold(connection, "backup1", 9) == []
        assert len(await list_untold(connection, "backup2", 9)) == 1


async def test_what_a_slave_told_is_not_told_on(database: Database) -> None:
    await take(database, entry(1))
    async with database.read() as connection:
        assert await list_untold(connection, "backup1", 9) == []


async def test_pages_have_one_order(database: Database) -> None:
    await add(database, *(entry(3, f"s{number}") for number in range(5)), entry(4, "last"))
    await add(database, entry(9, "other"), name="backup2")
    seen: list[str] = []
    async with database.read() as connection:
        for offset in range(0, 8, 2):
            rows, total = await list_history(connection, backup_name="backup1", limit=2, offset=offset)
            assert total == 6
            seen += [row.symbol for row in rows]
        assert await list_history(connection, backup_name="nobody", limit=2, offset=0) == ([], 0)
        with pytest.raises(InputError, match="backup_name"):
            await list_history(connection, backup_name="a\x00", limit=2, offset=0)
    assert seen == ["last", "s4", "s3", "s2", "s1", "s0"]


async def test_an_error_of_any_length_is_kept_short(database: Database) -> None:
    await add(database, replace(entry(1), error="x" * 10_000 + "\x00"))
    (row,) = await read(database)
    assert len(row.error) == 300


async def test_old_rows_and_too_many_go(database: Database) -> None:
    await add(database, *(entry(minute * 60) for minute in range(20)))
    newest_ms = _T0 + 19 * HOUR_MS + _MINUTE_MS
    async with database.begin() as connection:
        assert await trim_history(connection, newest_ms, most_rows=100, kept_ms=17 * HOUR_MS) == 2
        assert await trim_history(connection, newest_ms, most_rows=5, kept_ms=17 * HOUR_MS) == 13
        assert await trim_history(connection, newest_ms, most_rows=5, kept_ms=17 * HOUR_MS) == 0
    assert [(row.start_ms - _T0) // HOUR_MS for row in await read(database)] == [19, 18, 17, 16, 15]


async def test_the_last_state_of_each_slave_counts(database: Database) -> None:
    state = ReplicaState("ab" * 16, 2, 7, {"symbols": ["BTC_USDT.BNC"]}, 1, 2, 3, 4, 5, "away")
    unknown = ReplicaState(None, 0, None, {}, None, None, None, None, None, None)
    async with database.begin() as connection:
        await keep_state(connection, "backup1", unknown, 10)
        await keep_state(connection, "backup1", state, 11)
        await keep_state(connection, "backup2", unknown, 12)
    async with database.read() as connection:
        states = await read_states(connection)
    assert {name: (one.state, one.reported_ms) for name, one in states.items()} == {
        "backup1": (state, 11),
        "backup2": (unknown, 12),
    }
