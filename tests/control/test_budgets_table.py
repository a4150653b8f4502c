"""Windows and gates that processes share, on both databases."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select, text, update

from markethub.control import budgets
from markethub.control.budgets import ControlBudgetPool
from markethub.control.database import Database, open_database
from markethub.control.schema import budget_gate, budget_sharer, budget_window
from markethub.domain.errors import UnavailableError


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no database that is away."""
    monkeypatch.setattr(budgets, "_PATIENCE_S", 60.0)


async def test_takes_add_up_and_end_at_the_limit(database: Database) -> None:
    one, other = ControlBudgetPool(database), ControlBudgetPool(database)
    taken = [
        await one.take("BNC", 10, 30, 100),
        await other.take("BNC", 10, 30, 100),
        await one.take("BNC", 10, 60, 100),
        await one.take("BNC", 10, 60, 100),
    ]
    assert [(grant.weight, grant.used) for grant in taken] == [(30, 30), (30, 60), (40, 100), (0, 100)]


@pytest.mark.parametrize(("limit", "granted"), [(100, 100), (0, 0), (-5, 0)])
async def test_the_first_take_of_a_window_keeps_to_the_limit(
    database: Database, limit: int, granted: int
) -> None:
    grant = await ControlBudgetPool(database).take("BNC", 10, 150, limit)
    assert (grant.weight, grant.used) == (granted, granted)


async def test_a_lowered_limit_takes_nothing_back(database: Database) -> None:
    pool = ControlBudgetPool(database)
    await pool.take("BNC", 10, 80, 100)
    grant = await pool.take("BNC", 10, 10, 50)
    assert (grant.weight, grant.used) == (0, 80)
    assert (await pool.take("BNC", 10, 30, 100)).weight == 20


async def test_budgets_and_windows_are_counted_apart(database: Database) -> None:
    pool = ControlBudgetPool(database)
    for budget, window in (("BNC", 10), ("BNC", 11), ("OKX", 10)):
        assert (await pool.take(budget, window, 70, 100)).used == 70


async def test_sharers_are_who_took_lately_or_tried_to(database: Database) -> None:
    one, other, third = (ControlBudgetPool(database) for _ in range(3))
    assert (await one.take("BNC", 10, 100, 100)).sharers == 1
    assert (await other.take("BNC", 10, 5, 100)).sharers == 2  # granted nothing, there all the same
    assert (await one.take("BNC", 11, 5, 100)).sharers == 2
    assert (await third.take("OKX", 11, 5, 100)).sharers == 1
    assert (await one.take("BNC", 12, 5, 100)).sharers == 1  # the other was last seen in window 10
    assert (await other.take("BNC", 13, 5, 100)).sharers == 2


async def test_booking_ahead_does_not_lose_the_place_among_the_sharers(database: Database) -> None:
    one, other = ControlBudgetPool(database), ControlBudgetPool(database)
    for window in (10, 11, 10, 11):
        assert (await one.take("BNC", window, 1, 100)).sharers == 1
    assert (await other.take("BNC", 11, 1, 100)).sharers == 2


async def test_a_gate_is_closed_until_the_latest_time_told(database: Database) -> None:
    one, other = ControlBudgetPool(database), ControlBudgetPool(database)
    now_ms = database.clock()
    assert await other.closed_until("BNC") is None
    await one.close_gate("BNC", now_ms + 50_000, is_ban=False)
    assert await other.closed_until("BNC") == (now_ms + 50_000, False)
    await other.close_gate("BNC", now_ms + 20_000, is_ban=True)  # earlier: changes nothing
    assert await other.closed_until("BNC") == (now_ms + 50_000, False)
    await one.close_gate("BNC", now_ms + 90_000, is_ban=True)
    await other.close_gate("BNC", now_ms + 95_000, is_ban=False)  # a pause within a ban is part of it
    assert await one.closed_until("BNC") == (now_ms + 95_000, True)
    assert await one.closed_until("OKX") is None
    grant = await other.take("BNC", 10, 1, 100)
    assert (grant.closed_until_ms, grant.is_banned) == (now_ms + 95_000, True)


async def test_a_pause_after_a_ban_is_a_pause(database: Database) -> None:
    pool = ControlBudgetPool(database)
    now_ms = database.clock()
    await pool.close_gate("BNC", now_ms - 1_000, is_ban=True)
    await pool.close_gate("BNC", now_ms + 50_000, is_ban=False)
    assert await pool.closed_until("BNC") == (now_ms + 50_000, False)


async def test_a_gate_that_opened_long_ago_is_open(database: Database) -> None:
    pool = ControlBudgetPool(database)
    await pool.close_gate("BNC", database.clock() - 3_600_000, is_ban=True)
    assert await pool.closed_until("BNC") is None
    grant = await pool.take("BNC", 10, 1, 100)
    assert (grant.closed_until_ms, grant.is_banned) == (None, False)


async def test_old_windows_and_sharers_are_forgotten_but_not_by_a_clock_that_is_wrong(
    database: Database,
) -> None:
    one, other = ControlBudgetPool(database), ControlBudgetPool(database)
    await one.take("BNC", 10, 5, 100)
    await one.take("OKX", 10, 5, 100)
    await other.take("BNC", 5_000, 5, 100)  # another length of windows, or a clock that is wrong
    assert (await one.take("BNC", 10, 5, 100)).used == 10
    async with database.begin() as connection:
        for table in (budget_window, budget_sharer):
            old = table.c.touched_ms - 700_000
            await connection.execute(update(table).where(table.c.budget == "BNC").values(touched_ms=old))
    await other.take("BNC", 5_001, 5, 100)
    async with database.read() as connection:
        windows = (await connection.execute(select(budget_window.c.budget, budget_window.c.number))).all()
        sharers = (await connection.execute(select(func.count()).select_from(budget_sharer))).scalar_one()
    assert set(windows) == {("BNC", 5_000), ("BNC", 5_001), ("OKX", 10)}
    assert sharers == 2  # the other one's, and that of OKX


async def test_many_takers_at_once_get_the_limit_and_no_more(database: Database, database_url: str) -> None:
    again = await open_database(database_url)  # as another process would
    pools = [ControlBudgetPool(one) for one in (database, again) for _ in range(4)]
    taken = Counter[int]()

    async def take_all(number: int) -> None:
        while grant := (await pools[number].take("BNC", 10, 7, 1000)).weight:
            taken[number] += grant

    await asyncio.gather(*(take_all(number) for number in range(len(pools))))
    await again.close()
    assert taken.total() == 1000
    async with database.read() as connection:
        assert (await connection.execute(select(budget_window.c.used))).scalar_one() == 1000


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[None]:
    """Hold what a take needs: the window's row, and on SQLite the file."""
    async with database.begin() as connection:
        await connection.execute(update(budget_window).values(used=0))
        yield


async def test_a_database_that_does_not_answer_is_not_waited_for(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ControlBudgetPool(database)
    await pool.take("BNC", 10, 1, 100)
    again = await open_database(database_url)
    async with held(again):
        with monkeypatch.context() as patch:
            patch.setattr(budgets, "_PATIENCE_S", 0.2)
            with pytest.raises(UnavailableError, match="no answer within"):
                await pool.take("BNC", 10, 1, 100)
        assert pool._questions
    await again.close()
    assert (await pool.take("BNC", 10, 1, 100)).weight == 1  # the connections are good again
    await pool.close()
    assert not pool._questions


async def test_whoever_gave_up_leaves_a_question_that_ends_with_the_pool(
    database: Database, database_url: str
) -> None:
    pool = ControlBudgetPool(database)
    await pool.take("BNC", 10, 1, 100)
    again = await open_database(database_url)
    async with held(again):
        asking = asyncio.create_task(pool.take("BNC", 10, 1, 100))
        while not pool._questions:  # noqa: ASYNC110 - until it has begun
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert pool._questions
        closing = asyncio.create_task(pool.close())
        await asyncio.sleep(0)
    await again.close()
    await closing
    assert not pool._questions


async def test_a_database_that_refuses_is_as_good_as_away(database: Database) -> None:
    pool = ControlBudgetPool(database)
    async with database.begin() as connection:
        for table in (budget_window, budget_gate):
            await connection.execute(text(f"DROP TABLE {table.name}"))
    with pytest.raises(UnavailableError):
        await pool.take("BNC", 10, 1, 100)
    with pytest.raises(UnavailableError):
        await pool.closed_until("BNC")
    with pytest.raises(UnavailableError):
        await pool.close_gate("BNC", 1, is_ban=False)
