"""The life of an execution: its statuses, their legal moves, those of its chunks, and its trace id."""

import secrets
import string
from enum import StrEnum

_ALPHABET = string.ascii_lowercase + string.digits


class ExecutionStatus(StrEnum):
    """What the jobs API shows."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    TIMEOUT = "TIMEOUT"

    @property
    def is_final(self) -> bool:
        return self in (ExecutionStatus.SUCCESS, ExecutionStatus.FAILURE, ExecutionStatus.TIMEOUT)


LEGAL_MOVES: dict[ExecutionStatus, frozenset[ExecutionStatus]] = {
    # A cancelled or overdue execution may end before anyone has run it.
    ExecutionStatus.PENDING: frozenset(
        {ExecutionStatus.RUNNING, ExecutionStatus.FAILURE, ExecutionStatus.TIMEOUT}
    ),
    ExecutionStatus.RUNNING: frozenset(
        {ExecutionStatus.SUCCESS, ExecutionStatus.FAILURE, ExecutionStatus.TIMEOUT}
    ),
    ExecutionStatus.SUCCESS: frozenset(),
    ExecutionStatus.FAILURE: frozenset(),
    ExecutionStatus.TIMEOUT: frozenset(),
}


class ChunkStatus(StrEnum):
    """Where a chunk, one unit of an execution's work, is in its life."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


def new_trace_id(job_name: str) -> str:
    """``backfill_kline_a1b2c3d4``: the job's name and 8 random characters of ``[a-z0-9]``."""
    return f"{job_name}_{''.join(secrets.choice(_ALPHABET) for _ in range(8))}"
