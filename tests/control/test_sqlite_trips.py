"""How often a transaction goes to the connection's thread, and that it leaves nothing behind there."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text

from markethub.control.database import Database, open_database
from markethub.domain.errors import MarketHubError


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path / 'control.sqlite'}")
    yield opened
    await opened.close()


async def test_a_read_is_begin_statement_and_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    trips, here = 0, threading.get_ident()
    execute = aiosqlite.Connection._execute

    async def count(self: aiosqlite.Connection, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        nonlocal trips
        trips += threading.get_ident() == here  # hubs of other tests may be at work in other threads
        return await execute(self, *arguments, **named)  # type: ignore[no-untyped-call]

    async with database.read() as connection:
        await connection.execute(text("SELECT 1"))
    monkeypatch.setattr(aiosqlite.Connection, "_execute", count)
    async with database.read() as connection:
        await connection.execute(text("SELECT 1"))
    assert trips == 3


async def test_what_failed_or_was_cancelled_is_rolled_back_on_every_connection(database: Database) -> None:
    insert = text("INSERT INTO subscription (exchange, symbol, created_ms) VALUES ('BNC', 'X', 1)")
    entered = asyncio.Event()

    async def fail() -> None:
        async with database.begin() as connection:
            await connection.execute(insert)
            await connection.execute(text("SELECT 1 FROM nowhere"))

    async def hang() -> None:
        async with database.begin() as connection:
            await connection.execute(insert)
            entered.set()
            await asyncio.Event().wait()

    for _ in range(20):
        with pytest.raises(MarketHubError):
            await fail()
        entered.clear()
        hanging = asyncio.create_task(hang())
        await entered.wait()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        async with database.begin() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM subscription"))).scalar_one() == 0
