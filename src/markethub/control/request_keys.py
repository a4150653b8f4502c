"""Keys by which callers name their requests, so that one sent twice is carried out once."""

from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import request_key

KEPT_MS = 48 * 3_600_000
"""How long a key stands for its first request; after that it may be used anew."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A caller's key for one request. ``request_sha256`` tells whether another one is the same request."""

    token_id: int
    key: str
    request_sha256: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the first request of a key was answered, and the hash of what it asked."""

    request_sha256: str
    execution_id: int
    trace_id: str
    message: str


async def find_answer(connection: AsyncConnection, name: RequestKey, now_ms: int) -> KeptAnswer | None:
    """The answer kept under this token's key, or None when there is none younger than KEPT_MS."""
    statement = select(*(request_key.c[field] for field in KeptAnswer.__dataclass_fields__)).where(
        request_key.c.token_id == name.token_id,
        request_key.c.key == name.key,
        request_key.c.created_ms > now_ms - KEPT_MS,
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else KeptAnswer(**row._asdict())


async def insert_answer(
    connection: AsyncConnection,
    name: RequestKey,
    *,
    execution_id: int,
    trace_id: str,
    message: str,
    now_ms: int,
) -> None:
    """Keep an answer, and drop those of all tokens that are past KEPT_MS.

    ConflictError on a taken key; of two transactions at once the later one waits, and has that error.
    """
    await connection.execute(delete(request_key).where(request_key.c.created_ms <= now_ms - KEPT_MS))
    await connection.execute(
        insert(request_key).values(
            token_id=name.token_id,
            key=name.key,
            request_sha256=name.request_sha256,
            execution_id=execution_id,
            trace_id=trace_id,
            message=message,
            created_ms=now_ms,
        )
    )
