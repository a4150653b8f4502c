"""Whether the node works, and its numbers."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markethub.domain.errors import MarketHubError
from markethub.domain.execution import ExecutionStatus
from markethub.engine.metrics import QueueDepth
from markethub.ports.venue import VenueLimits
from markethub.services.hub import Hub


@dataclass(frozen=True, slots=True)
class Health:
    """``ready`` when ``problems`` is empty."""

    ready: bool
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Metrics:
    """A reading of the node: what waits and runs, what its engine has finished, and the venues' budgets."""

    queue: QueueDepth
    finished: Mapping[ExecutionStatus, int]
    chunks_done: int
    chunks_failed: int
    chunks_retried: int
    store_revision: int
    venue_limits: Sequence[VenueLimits]


async def check_health(hub: Hub) -> Health:
    """Ask the store and the control database one question each, and the engine whether it works.

    On a slave no engine works. A master that was replaced is not ready: what it serves grows old.
    """
    problems = []
    try:
        await asyncio.to_thread(hub.store.revision)
    except MarketHubError as error:
        problems.append(f"store: {error}")
    try:
        await hub.engine.queue_depth()
    except MarketHubError as error:
        problems.append(f"control database: {error}")
    reign = hub.node.reign
    if reign.fenced_by is not None:
        problems.append(f"node: replaced by a master with epoch {reign.fenced_by}")
    if reign.may_write and not hub.engine.is_working:
        problems.append("engine: not running")
    if reign.may_write and hub.scheduler is not None and not hub.scheduler.is_working:
        problems.append("scheduler: not running")
    return Health(not problems, problems)


async def read_metrics(hub: Hub) -> Metrics:
    """Read every number once; cheap enough for a scrape every few seconds."""
    done = hub.engine.metrics
    return Metrics(
        queue=await hub.engine.queue_depth(),
        finished=dict(done.finished),
        chunks_done=done.chunks_done,
        chunks_failed=done.chunks_failed,
        chunks_retried=done.retried,
        store_revision=await asyncio.to_thread(hub.store.revision),
        venue_limits=[limits for venue in hub.venues.values() for limits in venue.limits()],
    )
