"""PostgreSQL as control database: many workers on many machines."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, cast, event, func, select
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from markethub.control.faults import translated_errors
from markethub.domain.errors import UnavailableError
from markethub.ports.clock import Clock, system_clock

_CHANNEL = "markethub"
_SCHEMA_LOCK = 0x6D61726B6574  # any number that only MarketHub takes


class PostgresBackend:
    """What PostgreSQL does its own way: news by NOTIFY, and a clock that all machines share."""

    def __init__(self, url: URL) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=5,
            max_overflow=10,
            connect_args={
                "timeout": 10,
                "command_timeout": 60,  # a dead peer must not hold a worker for ever
                "server_settings": {"application_name": "markethub"},
            },
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        self._skew_ms = 0

    @property
    def clock(self) -> Clock:
        """The server's clock as last measured: leases written by machines whose clocks differ must agree."""
        return lambda: system_clock() + self._skew_ms

    def gate(self) -> AbstractAsyncContextManager[Any]:
        return nullcontext()

    async def lock_schema(self, connection: AsyncConnection) -> None:
        await connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))

    async def notify(self, connection: AsyncConnection, message: str) -> None:
        await connection.execute(select(func.pg_notify(_CHANNEL, message)))

    async def listen(self, on_message: Callable[[str], None]) -> None:
        lost = asyncio.Event()

        def receive(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            on_message(str(payload))

        with translated_errors():
            async with self.engine.connect() as connection:
                raw = await connection.get_raw_connection()
                driver: asyncpg.Connection = raw.driver_connection  # type: ignore[assignment] # Any of SQLAlchemy
                driver.add_termination_listener(lambda _connection: lost.set())
                try:
                    await driver.add_listener(_CHANNEL, receive)
                    await lost.wait()
                except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
                    # called past SQLAlchemy, so its errors come as they are
                    raise UnavailableError("control database: the listening connection was lost") from error
                finally:
                    # never back into the pool: it would go on listening
                    await connection.invalidate()
        raise UnavailableError("control database: the listening connection was lost")

    async def synchronise_clock(self) -> None:
        server_ms = cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)
        async with self.engine.connect() as connection:
            await connection.execute(select(1))  # so that connecting is not measured
            before_ms = system_clock()
            measured_ms = (await connection.execute(select(server_ms))).scalar_one()
            self._skew_ms = measured_ms - (before_ms + system_clock()) // 2


def _refuse_closed(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    # asyncpg has noticed when the server closed the connection, so there is no need for a ping, which costs
    # three round trips per transaction; the pool then opens another one
    driver: asyncpg.Connection = connection.driver_connection
    if driver.is_closed():
        raise DisconnectionError
