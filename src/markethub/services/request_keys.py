"""What a caller sends twice under one ``Idempotency-Key`` is carried out once."""

import hashlib
from collections.abc import Awaitable
from typing import Protocol

from markethub.control.request_keys import KEPT_MS, find_answer
from markethub.control.request_keys import RequestKey as RequestKey  # noqa: PLC0414  (doors take it from here)
from markethub.domain.errors import ConflictError
from markethub.domain.request_key import check_request_key
from markethub.services.access import Principal
from markethub.services.backfill import Queued
from markethub.services.hub import Hub

KEPT_HOURS = KEPT_MS // 3_600_000
"""How long a key stands for its first request."""


class Queue(Protocol):
    """A queueing use case with all but its key given."""

    def __call__(self, *, request_key: RequestKey | None) -> Awaitable[Queued]: ...


def name_request(principal: Principal, key: str, request: bytes) -> RequestKey:
    """A caller's key for ``request``, any bytes that are equal for equal requests.

    Keys are each token's own. InputError unless it is 1 to 255 visible ASCII characters.
    """
    return RequestKey(principal.token_id, check_request_key(key), hashlib.sha256(request).hexdigest())


async def queue_once(hub: Hub, name: RequestKey | None, queue: Queue) -> Queued:
    """Queue what ``queue`` would, unless the key's request was queued before: then tell its answer again.

    A refused request uses no key up. ConflictError when the key stands for another request; the errors of
    ``Reign.require_write`` where this node takes no work, whatever is asked of it.
    """
    # Before anything is judged: what was right when it was queued may not be so today.
    if name is not None and (told := await _tell_again(hub, name)) is not None:
        return told
    hub.node.reign.require_write()
    if name is None:
        return await queue(request_key=None)
    try:
        return await queue(request_key=name)
    except ConflictError:
        # Its twin was on the way at the same time, and came first.
        if (told := await _tell_again(hub, name)) is not None:
            return told
        raise


async def _tell_again(hub: Hub, name: RequestKey) -> Queued | None:
    async with hub.database.read() as connection:
        kept = await find_answer(connection, name, hub.clock())
    if kept is None:
        return None
    if kept.request_sha256 != name.request_sha256:
        raise ConflictError(
            f"Idempotency-Key {name.key[:60]!r} was used for another request (execution {kept.execution_id}) "
            f"in the last {KEPT_HOURS} hours; send a new key, or the same request as then"
        )
    return Queued(kept.execution_id, kept.trace_id, "queued", kept.message)
