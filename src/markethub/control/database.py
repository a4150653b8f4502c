"""The control database behind one door, on SQLite or PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from markethub.control.faults import translated_errors
from markethub.control.migrate import ensure_schema
from markethub.control.postgres import PostgresBackend
from markethub.control.sqlite import SqliteBackend
from markethub.domain.errors import InputError, UnavailableError
from markethub.ports.clock import Clock


class Backend(Protocol):
    """The few things the two engines do differently."""

    engine: AsyncEngine

    @property
    def clock(self) -> Clock: ...
    def gate(self) -> AbstractAsyncContextManager[Any]: ...
    async def lock_schema(self, connection: AsyncConnection) -> None: ...
    async def notify(self, connection: AsyncConnection, message: str) -> None: ...
    async def listen(self, on_message: Callable[[str], None]) -> None: ...
    async def synchronise_clock(self) -> None: ...


class Database:
    """Transactions on the control database; made by ``open_database``.

    Query functions of this package take the connection that ``begin`` or ``read`` gives. Driver errors
    leave both as MarketHub errors: UnavailableError for what may pass, ConflictError for a taken key,
    StoreError for the rest.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._backend.engine.dialect.name

    @property
    def clock(self) -> Clock:
        """The time that all processes on this database agree on."""
        return self._backend.clock

    @asynccontextmanager
    async def begin(self, *, durable: bool = False) -> AsyncIterator[AsyncConnection]:
        """A write transaction: committed at the end of the block, rolled back on any error.

        A ``durable`` one survives the loss of power once the block has ended, any other at least the loss
        of the process. Keep I/O other than the database's out of the block: on SQLite it holds the lock.
        """
        async with self._backend.gate(), self._transaction("durable" if durable else "write") as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for reading; on SQLite one snapshot that no writer disturbs, nor it them."""
        async with self._transaction("read") as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, mode: str) -> AsyncIterator[AsyncConnection]:
        with translated_errors():
            async with AsyncExitStack() as stack:
                try:
                    connection = await stack.enter_async_context(self._backend.engine.connect())
                except OSError as error:  # asyncpg raises a refused or unknown address as it is
                    raise UnavailableError(f"control database does not answer: {error}") from error
                await connection.execution_options(markethub_mode=mode)
                await stack.enter_async_context(connection.begin())
                yield connection

    async def notify(self, connection: AsyncConnection, message: str) -> None:
        """Tell all processes ``message`` once this transaction commits; SQLite tells nobody."""
        await self._backend.notify(connection, message)

    async def listen(self, on_message: Callable[[str], None]) -> None:
        """Call ``on_message`` for every ``notify`` of any process, until cancelled; messages can be missed.

        UnavailableError when the connection is lost: listen again. SQLite never has a message.
        """
        await self._backend.listen(on_message)

    async def synchronise_clock(self) -> None:
        """Measure the server's clock again, for ``clock``."""
        with translated_errors():
            await self._backend.synchronise_clock()

    async def close(self) -> None:
        """Close all connections; transactions still open are rolled back."""
        await self._backend.engine.dispose()


async def open_database(url: str) -> Database:
    """Open ``sqlite:////path/control.db`` or ``postgresql://user@host/name``, with the newest schema.

    A missing SQLite file is created; an older schema is migrated, by one process at a time.

    Raises:
        InputError: not such an address.
        UnavailableError: the server does not answer.
        StoreError: written by a newer MarketHub, or not a database.
    """
    database = Database(_backend(url))
    try:
        await ensure_schema(database, database._backend.lock_schema)  # noqa: SLF001 - our own class
        await database.synchronise_clock()
    except BaseException:
        await database.close()
        raise
    return database


def database_file(url: str) -> Path | None:
    """The file behind an address; None when it is a server's, or none at all."""
    try:
        address = make_url(url)
    except ArgumentError:
        return None
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None


def _backend(url: str) -> Backend:
    try:
        parsed: URL = make_url(url)
    except ArgumentError:
        # not quoted: a mistyped address may hold a password
        raise InputError("control database: not an address such as sqlite:////data/control.db") from None
    match parsed.get_backend_name():
        case "sqlite":
            return SqliteBackend(parsed)
        case "postgresql" | "postgres":
            return PostgresBackend(parsed)
        case other:
            raise InputError(f"control database {other!r} is not one of sqlite, postgresql")
