"""What replication brought to the nodes, and when."""

from markethub.control.sync_history import SyncRow, list_history
from markethub.services.hub import Hub
from markethub.services.page import Page


async def list_sync_history(hub: Hub, backup_name: str | None, limit: int, offset: int) -> Page[SyncRow]:
    """The history as far as this node knows it, the entry that ended last first.

    A master knows that of all its slaves, a slave its own. A name that is no node's has none. InputError for
    a window that cannot be.
    """
    async with hub.database.read() as connection:
        rows, total = await list_history(connection, backup_name=backup_name, limit=limit, offset=offset)
    return Page(rows, total, limit, offset)
