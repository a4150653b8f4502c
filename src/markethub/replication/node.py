"""This node in its group."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from markethub.domain.node import NodeAddress, Role
from markethub.ports.data_store import DataStore
from markethub.ports.replication import ReplicaSource
from markethub.replication.following import Following
from markethub.replication.link import Link
from markethub.replication.pushing import Pusher
from markethub.replication.pushing import SlaveNode as SlaveNode  # noqa: PLC0414 - it belongs to a Node's fields
from markethub.replication.reign import Reign
from markethub.replication.serving import Serving


@dataclass(frozen=True, slots=True)
class Node:
    """What this node is, whom it knows, and what it follows.

    ``cluster_token`` is None where the configuration names no other node: then nobody may follow. ``link`` is
    None there too. ``following`` is there where [master] is configured, and works while this node is a slave;
    ``pusher`` where [[slaves]] are, and works while it reigns.
    """

    name: str
    host: str
    port: int
    reign: Reign
    store: DataStore
    source: ReplicaSource
    started_ms: int
    cluster_token: str | None = field(default=None, repr=False)
    link: Link | None = None
    master: NodeAddress | None = None
    slaves: Mapping[str, SlaveNode] = field(default_factory=dict)
    following: Following | None = None
    pusher: Pusher | None = None
    serving: Serving = field(default_factory=Serving)
    status_timeout_s: float = 2.0
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    """The name of this run of the node; another one after each start."""

    @property
    def role(self) -> Role:
        return self.reign.role
