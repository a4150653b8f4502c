"""How an engine works: bounds, leases, retries."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from markethub.domain.errors import InputError
from markethub.engine.identity import new_worker_id


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Settings of one engine in one process; ``queue_limits`` bounds chunks of a queue running in it at once.

    ``max_attempts`` counts tries that failed in a way worth trying again, ``max_crashes`` those whose worker
    died: more of them, since a restart of the machine is no fault of the chunk.
    """

    concurrency: int = 16
    plan_concurrency: int = 4
    queue_limits: Mapping[str, int] = field(default_factory=dict)
    lease_s: float = 15.0
    poll_s: float = 1.0
    max_attempts: int = 5
    max_crashes: int = 20
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 300.0
    grace_s: float = 10.0
    log_flush_s: float = 0.2
    worker_id: str = field(default_factory=new_worker_id)

    def __post_init__(self) -> None:
        for name in ("concurrency", "plan_concurrency", "max_attempts", "max_crashes"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be at least 1")
        for name in ("lease_s", "poll_s", "backoff_base_s", "backoff_cap_s", "log_flush_s"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} {getattr(self, name)} must be greater than 0")
        if self.grace_s < 0:
            raise InputError(f"grace_s {self.grace_s} must not be negative")

    @property
    def lease_ms(self) -> int:
        return round(self.lease_s * 1000)

    @property
    def heartbeat_s(self) -> float:
        """Leases are renewed this often: three heartbeats may be lost before one expires."""
        return self.lease_s / 4
