"""Plain counters of one engine, for whoever exports them."""

from collections import Counter
from dataclasses import dataclass, field

from markethub.domain.execution import ExecutionStatus


@dataclass(slots=True)
class EngineMetrics:
    """What this engine has done since it was made; every number only grows.

    ``retried`` and ``crashed`` count leases of chunks and plannings; ``stale`` counts results that came after
    their lease was lost, and were dropped.
    """

    enqueued: int = 0
    finished: Counter[ExecutionStatus] = field(default_factory=Counter)
    chunks_done: int = 0
    chunks_failed: int = 0
    retried: int = 0
    crashed: int = 0
    stale: int = 0


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What the database holds at this moment, for all engines; ``chunks_running`` is this engine's own."""

    executions_pending: int
    executions_running: int
    chunks_pending: int
    chunks_running: int
