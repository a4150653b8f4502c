"""The engine: takes executions, runs them on handlers, and tells when they have ended."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

from markethub.control.audit import Act, insert_audit
from markethub.control.chunks import count_pending_chunks
from markethub.control.database import Database
from markethub.control.executions import Execution, get_execution
from markethub.control.logs import insert_logs
from markethub.control.planning import count_unfinished, lock_executions
from markethub.domain.errors import ConflictError, MarketHubError, NotFoundError
from markethub.domain.execution import ExecutionStatus
from markethub.engine.closing import CANCELLED, Closing, close_executions
from markethub.engine.handler import Handler, NewExecution
from markethub.engine.metrics import EngineMetrics, QueueDepth
from markethub.engine.news import announce_closed, parse_closed
from markethub.engine.queueing import Queued, check_request, queue_executions
from markethub.engine.settings import EngineSettings
from markethub.engine.worker import Worker
from markethub.engine.worklog import emit
from markethub.ports.clock import Clock

_LISTEN_AGAIN_S = 1.0
_log = structlog.get_logger("markethub.engine")


class Engine:
    """One engine in one process; any number of them may share a database.

    ``enqueue``, ``cancel`` and ``wait`` work before ``start`` and without handlers: executions then wait for
    an engine that has the job's handler. ``clock`` is the database's own unless given.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        settings: EngineSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings or EngineSettings()
        self.metrics = EngineMetrics()
        self._database = database
        self._clock: Clock = clock or database.clock
        self._handlers = dict(handlers)
        self._worker = Worker(
            database,
            self._handlers,
            self.settings,
            self._clock,
            self.metrics,
            on_closed=self._note_closed,
            on_news=self._tell_followers,
        )
        self._waiters: dict[int, set[asyncio.Event]] = {}
        self._followers: dict[int, set[asyncio.Event]] = {}
        self._working: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._drained: asyncio.Task[None] | None = None

    async def enqueue(self, request: NewExecution) -> int:
        """Store an execution for good and return its id; work on it begins at once if a worker is free.

        Raises:
            NotFoundError: no such job.
            ConflictError: the trace id or the request key is taken.
            InputError: parameters are not JSON, or a number is out of range.
        """
        (execution_id,) = await self.enqueue_many([request])
        return execution_id

    async def enqueue_many(self, requests: Sequence[NewExecution]) -> list[int]:
        """Store executions in one transaction, each with its first log line; return their ids in order."""
        if not requests:
            return []
        for request in requests:  # before the database is asked for its lock
            check_request(request)
        async with self._database.begin(durable=True) as connection:
            queued = await queue_executions(self._database, connection, requests, self._clock())
        self.note_queued(queued)
        return queued.ids

    def note_queued(self, queued: Queued) -> None:
        """Count and log what a committed transaction has queued, and begin to work on it."""
        self.metrics.enqueued += len(queued.ids)
        for line in queued.lines:
            emit(line)
        self.wake()

    async def start(self) -> None:
        """Begin to work; returns at once. ConflictError if it was started before."""
        if self._working is not None:
            raise ConflictError("the engine was started before")
        self._working = asyncio.create_task(self._worker.run(), name="engine worker")
        self._listening = asyncio.create_task(self._listen(), name="engine listener")

    async def drain(self, grace_s: float | None = None) -> None:
        """Stop for good: claim no more, let work end within ``grace_s``, cancel the rest, give leases back.

        ``grace_s`` is the settings' unless given. A lease given back costs the chunk no attempt. When this
        returns, every result and log line that could be stored is stored. Calling again waits for the same
        end.
        """
        if self._drained is None:
            grace = self.settings.grace_s if grace_s is None else grace_s
            self._drained = asyncio.create_task(self._drain(grace), name="engine drain")
        await asyncio.shield(self._drained)

    async def cancel(self, execution_id: int, act: Act | None = None) -> None:
        """End an execution as FAILURE with the error ``cancelled``; its running chunks are cancelled.

        What finished chunks have stored stays. ``act`` says who wants it, for the audit. NotFoundError, or
        ConflictError if it has already ended.
        """
        async with self._database.begin(durable=True) as connection:
            now_ms = self._clock()
            state = (await lock_executions(connection, [execution_id])).get(execution_id)
            if state is None:
                raise NotFoundError(f"Execution not found: {execution_id}")
            closing = Closing(state, None, ExecutionStatus.FAILURE, CANCELLED)
            (closed,) = await close_executions(connection, [closing], now_ms)
            await insert_logs(connection, [closed.line])
            if act is not None:
                noted = {"execution_id": execution_id}
                await insert_audit(connection, act, state.trace_id, noted, now_ms)
            await announce_closed(self._database, connection, execution_id)
        emit(closed.line)
        self.metrics.finished[closed.status] += 1
        self._note_closed([execution_id])

    async def wait(self, execution_id: int, timeout_s: float) -> Execution:
        """The execution once it has ended, or as it stands after ``timeout_s``; NotFoundError if none."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        closed = asyncio.Event()
        waiters = self._waiters.setdefault(execution_id, set())
        waiters.add(closed)
        try:
            while True:
                async with self._database.read() as connection:
                    execution = await get_execution(connection, execution_id)
                left_s = end_s - loop.time()
                if execution.status.is_final or left_s <= 0:
                    return execution
                try:
                    # the database is asked again now and then: news from other processes can be missed
                    await asyncio.wait_for(closed.wait(), min(left_s, self.settings.poll_s))
                except TimeoutError:
                    continue
        finally:
            waiters.discard(closed)
            if not waiters:
                self._waiters.pop(execution_id, None)

    @contextmanager
    def follow(self, execution_id: int) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever something new of an execution is stored: progress, lines, its
        end. What other processes store is not told, but for the end on PostgreSQL."""
        news = asyncio.Event()
        followers = self._followers.setdefault(execution_id, set())
        followers.add(news)
        try:
            yield news
        finally:
            followers.discard(news)
            if not followers:
                self._followers.pop(execution_id, None)

    def wake(self) -> None:
        """Look for due work now instead of at the next poll."""
        self._worker.wake()

    @property
    def handlers(self) -> frozenset[str]:
        """The categories and types of jobs that this process works on, as ``backfill_kline``."""
        return frozenset(self._handlers)

    def handler(self, name: str) -> Handler | None:
        """What runs the jobs of that category and type, as ``backfill_kline``, in this process, if any."""
        return self._handlers.get(name)

    async def queue_depth(self) -> QueueDepth:
        """What waits and runs at this moment."""
        async with self._database.read() as connection:
            executions = await count_unfinished(connection)
            chunks = await count_pending_chunks(connection)
        return QueueDepth(
            executions_pending=executions[ExecutionStatus.PENDING],
            executions_running=executions[ExecutionStatus.RUNNING],
            chunks_pending=chunks,
            chunks_running=self._worker.bench.running_chunks,
        )

    @property
    def is_working(self) -> bool:
        """Whether the engine was started and has neither been drained nor died."""
        return self._working is not None and not self._working.done() and self._drained is None

    @property
    def is_drained(self) -> bool:
        """Whether it was told to stop for good; then it cannot be started any more."""
        return self._drained is not None

    @property
    def log_lines_dropped(self) -> int:
        """Log lines lost because the database was away for too long."""
        return self._worker.lines.dropped_total

    async def _drain(self, grace_s: float) -> None:
        if self._working is not None:
            await self._worker.drain(grace_s)
            await self._working
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        while True:
            try:
                await self._database.listen(self._hear)
            except Exception as error:  # noqa: BLE001 - a worker that heard nothing would work late for ever
                _log.warning(
                    "news of other workers cannot be heard now",
                    error=str(error) or type(error).__name__,
                    exc_info=None if isinstance(error, MarketHubError) else error,
                )
                await asyncio.sleep(_LISTEN_AGAIN_S)
                self.wake()  # for what was missed meanwhile

    def _hear(self, message: str) -> None:
        execution_id = parse_closed(message)
        if execution_id is None:
            self.wake()
        else:
            self._note_closed([execution_id])

    def _note_closed(self, execution_ids: Sequence[int]) -> None:
        self._worker.forget_executions(execution_ids)
        for execution_id in execution_ids:
            for closed in self._waiters.get(execution_id, ()):
                closed.set()
        self._tell_followers(execution_ids)

    def _tell_followers(self, execution_ids: Collection[int]) -> None:
        if self._followers:
            for execution_id in execution_ids:
                for news in self._followers.get(execution_id, ()):
                    news.set()
