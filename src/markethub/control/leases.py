"""Leases by the worker that holds them, of plannings and chunks alike."""

from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import chunk, execution


async def leased_workers(connection: AsyncConnection) -> set[str]:
    """Ids of the workers that hold any lease."""
    found: set[str] = set()
    for table in (execution, chunk):
        statement = select(table.c.worker_id).where(table.c.lease_until_ms.is_not(None)).distinct()
        found.update((await connection.execute(statement)).scalars())
    return found


async def expire_leases(connection: AsyncConnection, worker_ids: Collection[str]) -> None:
    """Let every lease of these workers run out now, so that the next sweep takes the work back."""
    for table in (execution, chunk):
        await connection.execute(
            update(table)
            .where(table.c.lease_until_ms.is_not(None), table.c.worker_id.in_(sorted(worker_ids)))
            .values(lease_until_ms=0)
        )
