"""aiosqlite with one trip to the connection's thread per statement instead of four.

A trip costs about as much as a small statement, and the engine runs a dozen of them in each turn.
"""

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import aiosqlite


class PrefetchingCursor(aiosqlite.Cursor):
    """Opens, executes, fetches and closes in one call; the results then wait here."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._conn = connection
        self._rows: list[sqlite3.Row] = []
        self._description: tuple[tuple[str, None, None, None, None, None, None], ...] = ()
        self._rowcount = -1
        self._lastrowid: int | None = None
        self._arraysize = 1

    async def execute(self, sql: str, parameters: Iterable[object] | None = None) -> "PrefetchingCursor":
        return await self._in_thread(sqlite3.Cursor.execute, sql, parameters or ())

    async def executemany(self, sql: str, parameters: Iterable[Iterable[object]]) -> "PrefetchingCursor":
        return await self._in_thread(sqlite3.Cursor.executemany, sql, parameters)

    async def _in_thread(
        self, call: Callable[..., sqlite3.Cursor], *arguments: object
    ) -> "PrefetchingCursor":
        def run() -> None:
            cursor = self._conn._conn.cursor()  # noqa: SLF001 - the sqlite3 connection has no other door
            try:
                call(cursor, *arguments)
                self._description = cursor.description or ()
                self._rows = cursor.fetchall() if cursor.description else []
                self._rowcount, self._lastrowid = cursor.rowcount, cursor.lastrowid
            finally:
                cursor.close()

        await self._conn._execute(run)  # type: ignore[no-untyped-call] # noqa: SLF001 - nor has its thread
        return self

    async def fetchall(self) -> list[sqlite3.Row]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []

    @property
    def description(self) -> tuple[tuple[str, None, None, None, None, None, None], ...]:
        return self._description

    @property
    def rowcount(self) -> int:
        return self._rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._lastrowid

    @property
    def arraysize(self) -> int:
        return self._arraysize

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._arraysize = value


class PrefetchingConnection(aiosqlite.Connection):
    """The connection that hands out PrefetchingCursors."""

    def cursor(self) -> PrefetchingCursor:  # type: ignore[override] # theirs is awaitable as well
        return PrefetchingCursor(self)


async def connect(path: Path) -> PrefetchingConnection:
    """Open the file; statements outside BEGIN and COMMIT commit by themselves."""
    connector = partial(sqlite3.connect, path, isolation_level=None, check_same_thread=False)
    connection = PrefetchingConnection(connector, iter_chunk_size=64)
    # as SQLAlchemy does it: a connection that was never closed must not keep the process alive
    connection._thread.daemon = True  # noqa: SLF001 - there is no argument for it
    await connection
    return connection
