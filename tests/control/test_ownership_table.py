import pytest
from sqlalchemy import select

from markethub.control.database import Database
from markethub.control.ownership import claim_ownership
from markethub.control.schema import store_owner
from markethub.domain.errors import ConflictError


async def claim(database: Database, store_id: str, place: str, *, is_shared: bool = False) -> None:
    async with database.begin() as connection:
        await claim_ownership(connection, store_id, place, 1_000, is_shared=is_shared)


async def owners(database: Database) -> list[tuple[str, str]]:
    async with database.read() as connection:
        found = await connection.execute(select(store_owner.c.store_id, store_owner.c.place))
        return [(row.store_id, row.place) for row in found]


async def test_a_database_belongs_to_the_first_store_that_claims_it(database: Database) -> None:
    await claim(database, "one", "here:/a")
    await claim(database, "one", "here:/a")
    with pytest.raises(ConflictError, match=r"belongs to the store at here:/a, .* there:/b is another"):
        await claim(database, "two", "there:/b")
    assert await owners(database) == [("one", "here:/a")]


async def test_a_store_may_move(database: Database) -> None:
    await claim(database, "one", "here:/a")
    await claim(database, "one", "there:/a")
    assert await owners(database) == [("one", "there:/a")]


async def test_a_shared_database_goes_to_whoever_came_last(database: Database) -> None:
    await claim(database, "one", "here:/a")
    await claim(database, "two", "there:/b", is_shared=True)
    assert await owners(database) == [("two", "there:/b")]
    with pytest.raises(ConflictError, match="MARKETHUB_CONTROL__SHARED=true"):
        await claim(database, "one", "here:/a")
