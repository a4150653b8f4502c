"""What master and slave tell each other: news, wishes to compare, and reports."""

from collections.abc import Mapping, Sequence
from typing import Any

from markethub.control.replica_states import ReplicaState, keep_state
from markethub.control.sync_history import SyncEntry, take_entries
from markethub.domain.errors import NotFoundError, UnavailableError
from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.ports.store import EVER
from markethub.replication.following import Following
from markethub.services.hub import Hub


def following_of(hub: Hub) -> Following:
    """What this slave follows by; UnavailableError where the configuration names no master."""
    if hub.node.following is None:
        raise UnavailableError("the configuration names no [master] that this slave could follow")
    return hub.node.following


def queue_repair(hub: Hub, symbol: str | None, start_ms: int | None, end_ms: int | None) -> None:
    """Let this slave compare ``symbol`` (None: everything) with its master and repair it, after what waits.

    InputError where there is no such symbol, or it is not followed, and for an empty range.
    """
    start_ms = EVER.start_ms if start_ms is None else max(start_ms, EVER.start_ms)
    end_ms = EVER.end_ms if end_ms is None else min(end_ms, EVER.end_ms)
    parsed = None if symbol is None else Symbol.parse(symbol)
    following_of(hub).queue(parsed, Span(start_ms, end_ms))


async def take_report(
    hub: Hub, name: str, state: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
) -> None:
    """Keep how the slave ``name`` stands (fields of ReplicaState), and what its runs brought so far (those of
    SyncEntry); told twice it changes nothing.

    NotFoundError where the configuration has no such slave; InputError if its selection is none.
    """
    if name not in hub.node.slaves:
        raise NotFoundError(f"no slave {name!r} is configured here: name it in [[slaves]]")
    told = ReplicaState(**state)
    Selection.parse(told.selection)
    async with hub.database.begin() as connection:
        await keep_state(connection, name, told, hub.clock())
        await take_entries(connection, name, [SyncEntry(**entry) for entry in history])
