"""Who changed what, as it is stored."""

from typing import Any

import pytest

from markethub.control.audit import Act, AuditRow, Caller, insert_audit, list_audit
from markethub.control.database import Database
from markethub.domain.errors import InputError

DESK = Caller(3, "desk", "203.0.113.9")
LOCAL = Caller(None, "local:ops", "local")


async def note(database: Database, caller: Caller, action: str, at_ms: int, **details: object) -> None:
    async with database.begin() as connection:
        await insert_audit(connection, Act(caller, action), f"target {at_ms}", details, at_ms)


async def rows(database: Database, **wanted: Any) -> list[AuditRow]:  # noqa: ANN401  (filters as they are)
    async with database.read() as connection:
        found, total = await list_audit(connection, **wanted)
    if not wanted.get("offset"):
        assert total >= len(found)
    return found


async def test_a_row_comes_back_as_it_was_noted(database: Database) -> None:
    await note(database, DESK, "backfill.queue", 5_000, symbols=["BTC_USDT.BNC"], execution_id=7)
    (row,) = await rows(database)
    assert row == AuditRow(
        id=row.id,
        at_ms=5_000,
        token_id=3,
        token_name="desk",
        address="203.0.113.9",
        action="backfill.queue",
        target="target 5000",
        details={"symbols": ["BTC_USDT.BNC"], "execution_id": 7},
    )


async def test_the_newest_comes_first_and_equal_times_keep_their_order(database: Database) -> None:
    for at_ms, action in ((1_000, "a.x"), (2_000, "b.x"), (2_000, "c.x")):
        await note(database, LOCAL, action, at_ms)
    assert [row.action for row in await rows(database)] == ["c.x", "b.x", "a.x"]
    assert [row.action for row in await rows(database, order_desc=False)] == ["a.x", "b.x", "c.x"]
    assert [row.action for row in await rows(database, limit=1, offset=1)] == ["b.x"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"token": "3"}, ["execution.cancel", "backfill.queue"]),
        ({"token": "desk"}, ["execution.cancel", "backfill.queue"]),
        ({"token": "local:ops"}, ["executions.odd", "execution.retry"]),
        ({"token": "des"}, []),
        ({"token": "%"}, []),
        ({"action": "execution.cancel"}, ["execution.cancel"]),
        ({"action": "execution"}, ["execution.cancel", "execution.retry"]),
        ({"action": "execution."}, []),
        ({"action": "exec%"}, []),
        ({"after_ms": 3_000}, ["executions.odd", "execution.cancel"]),
        ({"before_ms": 3_000}, ["execution.retry", "backfill.queue"]),
        ({"after_ms": 2_000, "before_ms": 3_000, "token": "local:ops"}, ["execution.retry"]),
    ],
)
async def test_filters(database: Database, wanted: dict[str, Any], found: list[str]) -> None:
    await note(database, DESK, "backfill.queue", 1_000)
    await note(database, LOCAL, "execution.retry", 2_000)
    await note(database, DESK, "execution.cancel", 3_000)
    await note(database, LOCAL, "executions.odd", 4_000)
    assert [row.action for row in await rows(database, **wanted)] == found


async def test_a_token_that_is_called_like_another_ones_id_is_told_too(database: Database) -> None:
    await note(database, Caller(8, "3", "::1"), "backfill.queue", 1_000)
    await note(database, DESK, "backfill.queue", 2_000)
    assert [row.token_id for row in await rows(database, token="3")] == [3, 8]


@pytest.mark.parametrize("name", ["token", "action"])
async def test_what_no_row_can_hold_is_refused(database: Database, name: str) -> None:
    with pytest.raises(InputError, match=name):
        await rows(database, **{name: "a\x00b"})


async def test_what_a_caller_sends_cannot_break_the_row(database: Database) -> None:
    async with database.begin() as connection:
        odd = Caller(None, "x" * 1_000, "\ud800\x00")
        await insert_audit(connection, Act(odd, "a.b"), "t" * 1_000, {}, 1_000)
    (row,) = await rows(database)
    assert (len(row.token_name), len(row.target)) == (200, 200)
    assert row.address == "?\N{REPLACEMENT CHARACTER}"


async def test_long_details_keep_what_is_short(database: Database) -> None:
    symbols = [f"SYM{number}_USDT.BNC" for number in range(2_000)]
    await note(database, DESK, "backfill.queue", 1_000, execution_id=7, symbols=symbols, message="Queued")
    (row,) = await rows(database)
    assert row.details == {"execution_id": 7, "message": "Queued", "left_out": ["symbols"]}


async def test_details_of_any_number_stay_within_bounds(database: Database) -> None:
    await note(database, DESK, "a.b", 1_000, **{f"name{number}": "x" * 50 for number in range(1_000)})
    (row,) = await rows(database)
    assert len(str(row.details)) < 10_000


async def test_details_are_json_or_nothing_is_stored(database: Database) -> None:
    with pytest.raises(InputError, match="details"):
        await note(database, DESK, "a.b", 1_000, what=object())
    assert await rows(database) == []
