"""What engines tell each other: there is work, an execution has ended."""

from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.database import Database
from markethub.engine.settlement import Settlement

_WORK = "work"
_CLOSED = "closed"


async def announce_work(database: Database, connection: AsyncConnection) -> None:
    """Tell all engines, once this transaction commits, that something may be claimed."""
    await database.notify(connection, _WORK)


async def announce_closed(database: Database, connection: AsyncConnection, execution_id: int) -> None:
    """Tell all engines, once this transaction commits, that an execution has ended."""
    await database.notify(connection, f"{_CLOSED} {execution_id}")


async def announce(database: Database, connection: AsyncConnection, settlement: Settlement) -> None:
    """Tell all engines what a settlement means for them."""
    if settlement.new_work:
        await announce_work(database, connection)
    for closed in settlement.closed:
        await announce_closed(database, connection, closed.execution_id)


def parse_closed(message: str) -> int | None:
    """The execution that a message says has ended; None for the message that there is work."""
    word, _, number = message.partition(" ")
    return int(number) if word == _CLOSED else None
