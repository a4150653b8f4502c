"""SQLite as control database: one file in WAL mode, one writer at a time."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from markethub.control.sqlite_driver import connect
from markethub.domain.errors import InputError
from markethub.ports.clock import Clock, system_clock

BUSY_TIMEOUT_MS = 30_000


class SqliteBackend:
    """What SQLite does its own way: locking, durability, and no news from other processes.

    Commits are safe against a killed process. Only durable ones are synced to disk before they return;
    the others can be lost with the machine's power, never torn.
    """

    clock: Clock = staticmethod(system_clock)

    def __init__(self, url: URL) -> None:
        if not url.database or ":memory:" in url.database:
            raise InputError("control database: SQLite needs a file, such as sqlite:////data/control.db")
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # parameters and token hashes are for the owner only
        self.engine: AsyncEngine = create_async_engine(
            url.set(drivername="sqlite+aiosqlite"),
            pool_size=8,
            max_overflow=8,
            # Each block ends its transaction itself; to roll back once more is a trip for nothing.
            pool_reset_on_return=None,
            async_creator=lambda: connect(path),
        )
        event.listen(self.engine.sync_engine, "connect", _configure)
        event.listen(self.engine.sync_engine, "begin", _begin)
        # SQLite itself only polls for its lock; inside the process we queue for it in order
        self._writing = asyncio.Lock()

    def gate(self) -> AbstractAsyncContextManager[Any]:
        return self._writing

    async def lock_schema(self, connection: AsyncConnection) -> None:
        """Nothing to do: a write transaction holds the file's only write lock."""

    async def notify(self, connection: AsyncConnection, message: str) -> None:
        """Nothing to do: other processes find work by their poll."""

    async def listen(self, on_message: Callable[[str], None]) -> None:  # noqa: ARG002 - there is no news
        await asyncio.Event().wait()

    async def synchronise_clock(self) -> None:
        """Nothing to do: all processes share the machine's clock."""


def _configure(dbapi_connection: DBAPIConnection, _record: object) -> None:
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("markethub_mode", "read")
    if mode == "read":
        connection.exec_driver_sql("BEGIN")
        return
    # settable only outside a transaction, and kept by the pooled connection
    if connection.info.get("durable", False) != (mode == "durable"):
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if mode == 'durable' else 'NORMAL'}")
        connection.info["durable"] = mode == "durable"
    # a deferred BEGIN that turns into a write fails at once when another process wrote in between
    connection.exec_driver_sql("BEGIN IMMEDIATE")
