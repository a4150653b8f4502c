"""This node's place in its group, as the settings have it."""

import asyncio

from markethub.config import Settings
from markethub.ports.clock import Clock
from markethub.ports.data_store import DataStore
from markethub.replication.node import Node, SlaveNode
from markethub.replication.reign import Reign
from markethub.replication.source import StoreSource


async def open_node(settings: Settings, store: DataStore, clock: Clock) -> Node:
    """Build the node around an open store; nothing runs yet."""
    reign = await asyncio.to_thread(Reign, store, settings.node.role)
    await reign.settle()
    return Node(
        name=settings.node.name,
        host=settings.node.advertised_host,
        port=settings.node.advertised_port or settings.server.port,
        reign=reign,
        store=store,
        source=StoreSource(store, lambda: reign.epoch),
        started_ms=clock(),
        master=None if settings.master is None else settings.master.address,
        slaves={slave.name: SlaveNode(slave.address, slave.enabled) for slave in settings.slaves},
        status_timeout_s=settings.node.status_timeout_s,
    )
