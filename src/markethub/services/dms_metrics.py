"""A node's numbers about its place in the group."""

from collections.abc import Mapping
from dataclasses import dataclass

from markethub.domain.node import Role
from markethub.replication.follower import Mode
from markethub.services.dms_lag import ReplicaLag, replica_lags
from markethub.services.hub import Hub


@dataclass(frozen=True, slots=True)
class ReplicaMetrics:
    """Role, epoch and fence of this node, the lags it knows by slave, and the rows that came by mode."""

    role: Role
    epoch: int
    is_fenced: bool
    lags: Mapping[str, ReplicaLag]
    copied_rows: Mapping[Mode, int]


async def read_replica_metrics(hub: Hub) -> ReplicaMetrics:
    """Read every number once; asks no other node."""
    node = hub.node
    return ReplicaMetrics(
        role=node.role,
        epoch=node.reign.epoch,
        is_fenced=node.reign.fenced_by is not None,
        lags=await replica_lags(hub),
        copied_rows={} if node.following is None else dict(node.following.copied_rows),
    )
