"""Runs handlers as tasks: the work that this process holds leases on."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

import structlog

from markethub.control.chunks import ClaimedChunk, PlannedChunk
from markethub.control.planning import ExecutionState
from markethub.control.values import clean_text, decode_object, encode_object, is_storable
from markethub.domain.errors import MarketHubError
from markethub.engine.closing import RESERVED_RESULT_KEYS
from markethub.engine.handler import Counters, Handler, Plan, RunningChunk, RunningExecution
from markethub.engine.moves import Ending
from markethub.engine.settlement import ChunkEnd, End, Lease, PlanEnd
from markethub.engine.worklog import BufferedWorkLog, LogBuffer, WorkContext

_MAX_ERROR_CHARS = 2_000
_MAX_COUNT = 2**53  # what any JSON reader holds exactly
_log = structlog.get_logger("markethub.engine")


class Fate(Enum):
    """Why the engine cancelled a task: its result is not wanted, or its lease goes back."""

    DROPPED = auto()
    RELEASED = auto()


@dataclass(slots=True, eq=False)
class Held:
    """One lease of this process; held until its end is settled, so that it is renewed meanwhile."""

    lease: Lease
    queue: str | None  # None for planning
    deadline_ms: int | None
    task: "asyncio.Task[None] | None" = None
    fate: Fate | None = None

    @property
    def is_running(self) -> bool:
        return self.task is not None and not self.task.done()


class Bench:
    """The tasks of one worker. ``on_end`` is called with the end of every task that the engine must settle,
    ``on_free`` whenever a task has stopped."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        lines: LogBuffer,
        worker_id: str,
        on_end: Callable[[End], None],
        on_free: Callable[[], None],
    ) -> None:
        self._handlers = handlers
        self._lines = lines
        self._worker_id = worker_id
        self._on_end = on_end
        self._on_free = on_free
        self._held: dict[Lease, Held] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.running_plans = 0
        self.running_by_queue: Counter[str] = Counter()

    @property
    def running_chunks(self) -> int:
        return self.running_by_queue.total()

    def start_plan(self, claimed: ExecutionState) -> None:
        """Begin to plan a claimed execution."""
        held = Held((claimed.id, None, claimed.claims), None, claimed.deadline_ms)
        log = self._log_for(claimed.trace_id, claimed.job_id, claimed.id)
        execution = RunningExecution(
            id=claimed.id,
            job_name=claimed.job_name,
            trace_id=claimed.trace_id,
            parameters=decode_object(claimed.parameters),
            priority=claimed.priority,
        )
        handler = self._handlers[claimed.handler]

        async def work() -> End:
            plan = await handler.plan(execution, log)
            chunks, counters = _encode_plan(plan)
            return PlanEnd(claimed.id, claimed.claims, Ending.DONE, chunks, counters)

        def failed(ending: Ending, error: str | None, retry_after_s: float) -> End:
            return PlanEnd(claimed.id, claimed.claims, ending, error=error, retry_after_s=retry_after_s)

        self._start(held, work, failed)

    def start_chunk(self, claimed: ClaimedChunk) -> None:
        """Begin to run a claimed chunk."""
        lease = (claimed.execution_id, claimed.id, claimed.claims)
        held = Held(lease, claimed.queue, claimed.deadline_ms)
        log = self._log_for(claimed.trace_id, claimed.job_id, claimed.execution_id)
        chunk = RunningChunk(
            id=claimed.id,
            execution_id=claimed.execution_id,
            trace_id=claimed.trace_id,
            key=claimed.key,
            queue=claimed.queue,
            parameters=decode_object(claimed.parameters),
            attempt=claimed.attempts + 1,
        )
        handler = self._handlers[claimed.handler]

        async def work() -> End:
            counters = _check_counters(await handler.run(chunk, log))
            return ChunkEnd(claimed.id, claimed.execution_id, claimed.claims, Ending.DONE, counters)

        def failed(ending: Ending, error: str | None, retry_after_s: float) -> End:
            return ChunkEnd(
                claimed.id,
                claimed.execution_id,
                claimed.claims,
                ending,
                _countable(chunk.counters),
                error=error,
                retry_after_s=retry_after_s,
            )

        self._start(held, work, failed)

    def leases(self) -> list[Lease]:
        """The leases that must be renewed."""
        return list(self._held)

    def next_deadline_ms(self) -> int | None:
        """The earliest deadline of an execution at work here."""
        return min((held.deadline_ms for held in self._held.values() if held.deadline_ms), default=None)

    def drop(self, leases: Iterable[Lease]) -> None:
        """Cancel the work of leases that are no longer ours, and forget them."""
        for lease in leases:
            held = self._held.pop(lease, None)
            if held is not None:
                held.fate = Fate.DROPPED
                if held.is_running and held.task is not None:
                    held.task.cancel()

    def drop_executions(self, execution_ids: Collection[int]) -> None:
        """Cancel the work of executions that have ended, and forget its leases."""
        self.drop([lease for lease in self._held if lease[0] in execution_ids])

    def settled(self, ends: Iterable[End]) -> None:
        """Forget the leases whose ends have been written, or found stale."""
        for end in ends:
            self._held.pop(end.lease, None)

    async def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no task runs; whether that came in time."""
        if not self._tasks:
            return True
        _, pending = await asyncio.wait(set(self._tasks), timeout=timeout_s)
        return not pending

    def release_all(self) -> None:
        """Cancel all work so that its leases can be given back."""
        for held in self._held.values():
            if held.is_running and held.fate is None and held.task is not None:
                held.fate = Fate.RELEASED
                held.task.cancel()

    def _start(
        self,
        held: Held,
        work: Callable[[], Awaitable[End]],
        failed: Callable[[Ending, str | None, float], End],
    ) -> None:
        if held.queue is None:
            self.running_plans += 1
        else:
            self.running_by_queue[held.queue] += 1
        self._held[held.lease] = held
        held.task = asyncio.create_task(self._supervise(held, work, failed))
        self._tasks.add(held.task)
        held.task.add_done_callback(lambda task: self._stopped(held, task))

    async def _supervise(
        self,
        held: Held,
        work: Callable[[], Awaitable[End]],
        failed: Callable[[Ending, str | None, float], End],
    ) -> None:
        try:
            end = await work()
        except asyncio.CancelledError:
            if held.fate is None:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise  # the process is ending without a drain
                end = failed(Ending.FAILED, "the handler cancelled itself", 0.0)
            else:
                end = failed(Ending.RELEASED, None, 0.0)
        except MarketHubError as error:
            ending = Ending.RETRY if error.retryable else Ending.FAILED
            retry_after_s = getattr(error, "retry_after_s", 0.0)
            end = failed(ending, _error_text(str(error) or type(error).__name__), retry_after_s)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises must not stop the worker
            _log.error("handler raised", exc_info=error, execution_id=held.lease[0])
            end = failed(Ending.FAILED, _error_text(f"{type(error).__name__}: {error}"), 0.0)
        if held.fate is Fate.RELEASED and end.ending is not Ending.DONE:
            end = failed(Ending.RELEASED, None, 0.0)  # whatever it made of being cancelled
        if held.fate is not Fate.DROPPED:
            self._on_end(end)

    def _stopped(self, held: Held, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if held.queue is None:
            self.running_plans -= 1
        else:
            self.running_by_queue[held.queue] -= 1
        self._on_free()

    def _log_for(self, trace_id: str, job_id: int, execution_id: int) -> BufferedWorkLog:
        return BufferedWorkLog(self._lines, WorkContext(trace_id, job_id, execution_id, self._worker_id))


def _error_text(text: str) -> str:
    return clean_text(text, _MAX_ERROR_CHARS)


def _countable(counters: Counters) -> dict[str, int]:
    """What can be stored of unchecked counters: a failed attempt must not fail again by them."""
    try:
        return _check_counters(counters)
    except (TypeError, ValueError, MarketHubError):
        return {}


def _check_counters(counters: Counters) -> dict[str, int]:
    checked = dict(counters)
    for name, value in checked.items():
        if name in RESERVED_RESULT_KEYS:
            raise ValueError(f"handler counted under {name!r}, which is the engine's own")
        # annotations hold nobody: a float or a numpy integer would only fail when the result is written
        if type(value) is not int or abs(value) > _MAX_COUNT:
            raise TypeError(f"handler counted {name} = {value!r}, which is not a plain int")
    encode_object(checked, "counters")
    return checked


def _encode_plan(plan: Plan) -> tuple[list[PlannedChunk], dict[str, int]]:
    planned = [
        PlannedChunk(
            key=chunk.key,
            queue=chunk.queue,
            parameters=encode_object(chunk.parameters, f"parameters of chunk {chunk.key!r}"),
            priority=chunk.priority,
        )
        for chunk in plan.chunks
    ]
    planned += [
        PlannedChunk(key=key, queue="", parameters="{}", priority=0, error=_error_text(why))
        for key, why in plan.failures.items()
    ]
    seen: set[str] = set()
    for one in planned:
        if one.key in seen:
            raise ValueError(f"plan has the chunk key {one.key!r} twice")
        if not is_storable(one.key + one.queue) or abs(one.priority) > _MAX_COUNT:
            raise ValueError(f"key, queue or priority of chunk {one.key!r} cannot be stored")
        seen.add(one.key)
    return planned, _check_counters(plan.counters)
