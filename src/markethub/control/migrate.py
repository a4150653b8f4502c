"""Brings the control database to the schema this code is written for."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import SCHEMA_REVISION
from markethub.domain.errors import StoreError


class Transactions(Protocol):
    """The part of ``Database`` that migrating needs."""

    def begin(self, *, durable: bool = False) -> AbstractAsyncContextManager[AsyncConnection]: ...
    def read(self) -> AbstractAsyncContextManager[AsyncConnection]: ...


async def ensure_schema(
    database: Transactions, lock_schema: Callable[[AsyncConnection], Awaitable[None]]
) -> None:
    """Migrate to ``SCHEMA_REVISION`` in one transaction; StoreError if the schema is newer than this code."""
    async with database.read() as connection:
        if await connection.run_sync(_revision) == SCHEMA_REVISION:
            return
    async with database.begin(durable=True) as connection:
        await lock_schema(connection)
        await connection.run_sync(_upgrade)


def script_config() -> Config:
    """Alembic's settings for the migrations in this package; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = script_config()
    found = _revision(connection)  # again: another process may have migrated while we waited for the lock
    if found is not None:
        _check_known(config, found)
    config.attributes["connection"] = connection
    command.upgrade(config, SCHEMA_REVISION)


def _check_known(config: Config, revision: str) -> None:
    try:
        ScriptDirectory.from_config(config).get_revision(revision)
    except CommandError as error:
        raise StoreError(
            f"control database has schema {revision}, newer than {SCHEMA_REVISION} of this MarketHub: "
            "run the MarketHub that wrote it, or a later one"
        ) from error
