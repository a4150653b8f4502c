"""Whose control database it is: the store into which its work goes."""

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import store_owner
from markethub.domain.errors import ConflictError


async def claim_ownership(
    connection: AsyncConnection, store_id: str, place: str, now_ms: int, *, is_shared: bool
) -> None:
    """Note that the work of this database goes into a store, at ``place`` for people to find it.

    ConflictError where it goes into another one, unless it ``is_shared``: whichever process took a piece of
    work stores it, so a backfill would end up in parts in several stores.
    """
    owner = (await connection.execute(select(store_owner).with_for_update())).one_or_none()
    if owner is not None and owner.store_id != store_id and not is_shared:
        raise ConflictError(
            f"this control database belongs to the store at {owner.place}, and that at {place} is another: "
            "their work would be mixed. Give each store a control database of its own, or, if the other one "
            "is gone for good, start once with MARKETHUB_CONTROL__SHARED=true"
        )
    if owner is None or (owner.store_id, owner.place) != (store_id, place):
        await connection.execute(delete(store_owner))
        await connection.execute(insert(store_owner).values(store_id=store_id, place=place, since_ms=now_ms))
