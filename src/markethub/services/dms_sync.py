"""Let slaves follow now: all news, or one symbol in one range."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from markethub.control.audit import insert_audit
from markethub.domain.errors import ReplicationError, UnavailableError
from markethub.domain.node import NodeAddress, Role
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.domain.times import format_time
from markethub.services.caller import name_act
from markethub.services.dms_lag import ReplicaLag, replica_lags
from markethub.services.dms_nodes import ask_status, find_slave, list_slaves
from markethub.services.hub import Hub
from markethub.services.read_span import read_span

_PATIENCE = 5
SYNC_PATH = "/api/dms/replication/sync"


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """``symbol`` (None: everything) in ``span``; what has not come to pass yet is not asked for."""

    symbol: Symbol | None
    span: Span

    def to_texts(self) -> dict[str, str | None]:
        """As the audit keeps it."""
        return {
            "symbol": None if self.symbol is None else str(self.symbol),
            "start_date": format_time(self.span.start_ms),
            "end_date": format_time(self.span.end_ms),
        }


@dataclass(frozen=True, slots=True)
class BackupReport:
    """How far one slave has followed; ``lag`` is None where nobody knows."""

    address: NodeAddress
    is_enabled: bool
    lag: ReplicaLag | None


async def list_backups(hub: Hub) -> list[BackupReport]:
    """A master's slaves in the configuration's order; a slave lists itself alone. Asks nobody."""
    node = hub.node
    lags = await replica_lags(hub)
    if node.role is Role.SLAVE:
        here = NodeAddress(node.name, node.host, node.port)
        return [BackupReport(here, True, lags.get(here.name))]
    return [
        BackupReport(slave.address, slave.enabled, lags.get(slave.address.name)) for slave in list_slaves(hub)
    ]


def read_sync_request(hub: Hub, symbol: str | None, start_ms: int | None, end_ms: int | None) -> SyncRequest:
    """Read what a caller wants; InputError for a symbol that is none, and for an empty range."""
    parsed = None if symbol is None else Symbol.parse(symbol)
    now_ms = hub.clock()
    return SyncRequest(parsed, read_span(start_ms, now_ms if end_ms is None else min(end_ms, now_ms)))


async def trigger_sync(hub: Hub, backup_name: str | None) -> dict[str, bool]:
    """Tell one slave, or all, that there is news; by name whether it was told.

    It pulls by itself then. A slave that is disabled or does not answer is not told. NotFoundError if there
    is no slave of that name.
    """
    slaves = list_slaves(hub) if backup_name is None else [find_slave(hub, backup_name)]
    names = [slave.address.name for slave in slaves]
    await _audit(hub, "sync.trigger", backup_name or "*", {"backups": names})
    pusher = hub.node.pusher
    if pusher is None:
        return dict.fromkeys(names, False)
    told = await asyncio.gather(*(pusher.push(name) for name in names))
    return dict(zip(names, told, strict=True))


async def request_slave_sync(hub: Hub, name: str, request: SyncRequest) -> str | None:
    """Let one slave compare what ``request`` names with this master, and repair it; None once it has it in
    its queue, else why not.

    NotFoundError if there is no such slave.
    """
    slave = find_slave(hub, name)
    await _audit(hub, "slave.sync", name, request.to_texts())
    if not slave.enabled:
        return f"{name} is disabled in the configuration"
    if hub.node.link is None:
        return "no [node] cluster_token is set, so this node asks no other"
    body = {
        "symbol": None if request.symbol is None else str(request.symbol),
        "start_ms": request.span.start_ms,
        "end_ms": request.span.end_ms,
    }
    try:
        await hub.node.link.ask(
            slave.address, "POST", SYNC_PATH, body=body, timeout_s=hub.node.status_timeout_s
        )
    except (UnavailableError, ReplicationError) as error:
        return str(error)
    return None


async def sync_from_master(hub: Hub, request: SyncRequest) -> int:
    """On a slave: bring all news, then compare what ``request`` names with the master and repair it.

    Returns the rows that came, when the data is there. UnavailableError where the master does not answer.
    """
    if hub.node.following is None:
        raise UnavailableError("the configuration names no [master] that this slave could follow")
    await _audit(hub, "sync.request", hub.node.name, request.to_texts())
    if hub.node.master is not None:
        # Somebody waits, and what follows is patient: a master that hangs would be waited for for minutes.
        await ask_status(hub, hub.node.master, patience=_PATIENCE)
    return await hub.node.following.request(request.symbol, request.span)


async def _audit(hub: Hub, action: str, target: str, details: Mapping[str, object]) -> None:
    # Before the act, which lies with other nodes: what is in no transaction of ours is told as wanted.
    async with hub.database.begin(durable=True) as connection:
        await insert_audit(connection, name_act(action), target, details, hub.clock())
