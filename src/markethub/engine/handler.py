"""What the engine runs: an execution is planned into chunks, chunks are run, counters are summed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from markethub.control.audit import Act
from markethub.control.request_keys import RequestKey

Counters = Mapping[str, int]
"""What a plan or a chunk did, by name; the engine adds equal names up and knows no more of them."""

Parameters = Mapping[str, Any]
"""JSON values only; stored with the row and shown by the API, so never a secret."""


@dataclass(frozen=True, slots=True)
class NewExecution:
    """A request to run a job once. ``message`` becomes its first log line, in the same transaction.

    So is ``request_key``, the caller's own name for the request, with the answer that belongs to it.
    So is the audit row of ``act``, who asked for it; what nobody asked for, such as a due run, has none.
    ``retry_of`` is the id of the execution that this one runs again. ``due_ms`` is the moment of the job's
    schedule that it is for; each has one execution at most.
    """

    job_name: str
    parameters: Parameters
    trace_id: str
    message: str
    priority: int = 0
    timeout_s: float | None = None
    retry_of: int | None = None
    request_key: RequestKey | None = None
    due_ms: int | None = None
    act: Act | None = None


@dataclass(frozen=True, slots=True)
class RunningExecution:
    """An execution as its handler sees it."""

    id: int
    job_name: str
    trace_id: str
    parameters: Parameters
    priority: int


@dataclass(frozen=True, slots=True)
class NewChunk:
    """One unit of work. ``key`` is unique within the execution and names the chunk to people, such as
    ``BTC_USDT.BNC 1h 2021``; higher ``priority`` runs first, equal ones in the order given."""

    key: str
    queue: str
    parameters: Parameters
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The chunks of an execution, what planning already counted, and what it already knows must fail."""

    chunks: Sequence[NewChunk]
    counters: Counters = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunningChunk:
    """A claimed chunk as its handler sees it; ``attempt`` counts from 1.

    ``counters`` are the handler's to fill as it goes: what an attempt had done when it failed stays counted.
    An attempt that ends well counts what ``run`` returns, which may be these.
    """

    id: int
    execution_id: int
    trace_id: str
    key: str
    queue: str
    parameters: Parameters
    attempt: int
    counters: Counter[str] = field(default_factory=Counter)


class WorkLog(Protocol):
    """Writes log rows of the work at hand; never blocks, keeps their order."""

    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


class Handler(Protocol):
    """What runs the jobs of one category and type. Both methods may run twice after a crash, so both must be
    idempotent.

    They are cancelled (``asyncio.CancelledError``) on timeout, cancel, lost lease and shutdown. A
    MarketHubError with ``retryable`` is tried again with backoff (not before its ``retry_after_s``); any
    other one fails the chunk.
    """

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan: ...

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters: ...
