"""The loops of one worker: turns that settle and claim, and beside them the keeper."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.chunks import ClaimedChunk, claim_chunks
from markethub.control.database import Database
from markethub.control.jobs import mark_run
from markethub.control.logs import NewLogLine, insert_logs
from markethub.control.planning import (
    ExecutionState,
    claim_executions,
)
from markethub.domain.errors import MarketHubError
from markethub.engine.bench import Bench
from markethub.engine.handler import Handler
from markethub.engine.keeper import Keeper
from markethub.engine.loops import repeat
from markethub.engine.metrics import EngineMetrics
from markethub.engine.moves import Ending
from markethub.engine.news import announce
from markethub.engine.settings import EngineSettings
from markethub.engine.settlement import End, PlanEnd, Settlement, Settler
from markethub.engine.worklog import LogBuffer, emit
from markethub.ports.clock import Clock

_ENDS_PER_TURN = 1_000
_FLUSH_PATIENCE_S = 5.0
_CANCEL_PATIENCE_S = 5.0
_log = structlog.get_logger("markethub.engine")


@dataclass(frozen=True, slots=True)
class _Claimed:
    plans: Sequence[ExecutionState] = ()
    chunks: Sequence[ClaimedChunk] = ()


class Worker:
    """Claims, runs and settles work until it is drained.

    All its writing to the database happens in its own loops, never in the handlers' tasks, so cancelling a
    handler cannot tear a transaction. ``on_closed`` is called with the ids of executions that ended,
    ``on_news`` with those of which something new is stored.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        settings: EngineSettings,
        clock: Clock,
        metrics: EngineMetrics,
        *,
        on_closed: Callable[[Sequence[int]], None],
        on_news: Callable[[Collection[int]], None],
    ) -> None:
        self._database = database
        self._handlers = handlers
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._on_closed = on_closed
        self._on_news = on_news
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._keep_soon = asyncio.Event()
        self._stopped = asyncio.Event()
        self._claiming = True
        self._turning = asyncio.Lock()
        self._alarms: set[int] = set()
        self._singly = 0
        self._ends: deque[End] = deque()
        self._settler = Settler(settings, random.SystemRandom())
        self.lines = LogBuffer(clock, self._line_came)
        self.bench = Bench(
            handlers, self.lines, settings.worker_id, on_end=self._end_came, on_free=self._wake.set
        )
        self._keeper = Keeper(database, self._settler, self.bench, settings, clock, on_settled=self._note)

    async def run(self) -> None:
        """Work until ``drain`` has ended."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as loops:
            loops.create_task(
                repeat(self._turn, wake=self._wake, stopped=self._stopped, pause_s=self._settings.poll_s)
            )
            loops.create_task(
                repeat(
                    self._keeper.keep,
                    wake=self._keep_soon,
                    stopped=self._stopped,
                    pause_s=self._settings.heartbeat_s,
                )
            )

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    def forget_executions(self, execution_ids: Sequence[int]) -> None:
        """Stop working on executions that have ended, whoever ended them."""
        self.bench.drop_executions(execution_ids)

    async def drain(self, grace_s: float) -> None:
        """Claim no more, let running work end for ``grace_s``, then cancel it and give its leases back.

        Work that does not heed its cancellation keeps its lease, which expires in time.
        """
        self._claiming = False
        # a turn that is claiming right now starts its work before we look for any
        await self._turning.acquire()
        self._turning.release()
        if not await self.bench.wait_idle(grace_s):
            self.bench.release_all()
            if not await self.bench.wait_idle(_CANCEL_PATIENCE_S):
                _log.warning("handlers do not stop", running=self.bench.running_chunks)
        try:
            async with asyncio.timeout(_FLUSH_PATIENCE_S):
                while self._ends or len(self.lines) or self._turning.locked():
                    self._wake.set()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            _log.error("results could not be stored before the end", results=len(self._ends))
        self._stopped.set()
        self._wake.set()
        self._keep_soon.set()

    async def _turn(self) -> None:
        """Settle what ended, claim what is due, store the log: one transaction."""
        async with self._turning:
            await self._take_turn()

    async def _take_turn(self) -> None:
        # after a refused batch nothing else is mixed in: only the result at fault shall be blamed
        most, lines = (1, []) if self._singly else (_ENDS_PER_TURN, self.lines.take())
        ends = [self._ends.popleft() for _ in range(min(len(self._ends), most))]
        try:
            settlement, claimed = await self._settle_and_claim(ends, lines)
        except MarketHubError as error:
            self._give_up_or_keep(ends, lines, error)
            raise
        except BaseException:
            self._keep_for_later(ends, lines)
            raise
        self._singly = max(0, self._singly - len(ends))
        self.bench.settled(ends)
        self._note(settlement)
        for plan in claimed.plans:
            self._set_alarm(plan.deadline_ms)
            self.bench.start_plan(plan)
        for chunk in claimed.chunks:
            self._set_alarm(chunk.deadline_ms)
            self.bench.start_chunk(chunk)
        self._tell_news(ends, lines, claimed)
        if self._ends or len(self.lines):
            self._wake.set()

    def _tell_news(self, ends: Sequence[End], lines: Sequence[NewLogLine], claimed: _Claimed) -> None:
        told = {end.execution_id for end in ends} | {plan.id for plan in claimed.plans}
        told |= {chunk.execution_id for chunk in claimed.chunks}
        told |= {line.execution_id for line in lines if line.execution_id is not None}
        if told:
            self._on_news(told)

    async def _settle_and_claim(
        self, ends: Sequence[End], lines: Sequence[NewLogLine]
    ) -> tuple[Settlement, _Claimed]:
        async with self._database.begin() as connection:
            now_ms = self._clock()
            settlement = await self._settler.settle(connection, ends, now_ms)
            claimed = await self._claim(connection, now_ms)
            await insert_logs(connection, [*lines, *settlement.lines])
            await announce(self._database, connection, settlement)
        return settlement, claimed

    async def _claim(self, connection: AsyncConnection, now_ms: int) -> _Claimed:
        settings, bench = self._settings, self.bench
        if not (self._handlers and self._claiming) or self._singly:
            return _Claimed()
        lease_until_ms = now_ms + settings.lease_ms
        plans: Sequence[ExecutionState] = ()
        chunks: Sequence[ClaimedChunk] = ()
        if (free := settings.plan_concurrency - bench.running_plans) > 0:
            plans = await claim_executions(
                connection,
                worker_id=settings.worker_id,
                now_ms=now_ms,
                lease_until_ms=lease_until_ms,
                limit=free,
                handlers=self._handlers,
            )
        if (free := self._free_places()) > 0:
            busy = bench.running_by_queue
            chunks = await claim_chunks(
                connection,
                worker_id=settings.worker_id,
                now_ms=now_ms,
                lease_until_ms=lease_until_ms,
                limit=free,
                handlers=self._handlers,
                room={queue: limit - busy[queue] for queue, limit in settings.queue_limits.items()},
            )
        await mark_run(connection, {plan.job_id for plan in plans}, now_ms)
        return _Claimed(plans, chunks)

    def _free_places(self) -> int:
        # Looked at anew: while executions are claimed a drain may begin, and work end.
        return self._settings.concurrency - self.bench.running_chunks if self._claiming else 0

    def _keep_for_later(self, ends: Sequence[End], lines: Sequence[NewLogLine]) -> None:
        self._ends.extendleft(reversed(ends))
        self.lines.put_back(lines)

    def _give_up_or_keep(
        self, ends: Sequence[End], lines: Sequence[NewLogLine], error: MarketHubError
    ) -> None:
        """Keep everything for the next turn, unless the database will refuse it for ever.

        A refused batch is tried again one by one; a refused single result becomes a failure, and a failure
        that is refused too is left to the sweep, which counts it as a crash.
        """
        if error.retryable:
            self._keep_for_later(ends, lines)
            return
        if not ends:
            _log.error("log lines were refused", lines=len(lines), error=str(error))
            return
        if not self._singly:
            self._keep_for_later(ends, lines)
            self._singly = len(ends)
            return
        (end,) = ends
        self._singly -= 1
        if end.ending is Ending.DONE:
            text = f"the result could not be stored: {error}"
            failed = (
                replace(end, ending=Ending.FAILED, counters={}, chunks=(), error=text)
                if isinstance(end, PlanEnd)
                else replace(end, ending=Ending.FAILED, counters={}, error=text)
            )
            self._ends.appendleft(failed)
        else:
            self.bench.drop([end.lease])

    def _note(self, settlement: Settlement) -> None:
        metrics = self._metrics
        metrics.chunks_done += settlement.chunks_done
        metrics.chunks_failed += settlement.chunks_failed
        metrics.retried += settlement.retried
        metrics.crashed += settlement.crashed
        metrics.stale += settlement.stale
        for line in settlement.lines:
            emit(line)
        if settlement.closed:
            metrics.finished.update(closed.status for closed in settlement.closed)
            self._on_closed([closed.execution_id for closed in settlement.closed])
        if settlement.new_work:
            self._wake.set()
        for delay_ms in settlement.delays_ms:
            self._call_later(delay_ms / 1000, self._wake.set)

    def _end_came(self, end: End) -> None:
        self._ends.append(end)
        self._wake.set()

    def _line_came(self) -> None:
        # from any thread; after the loop has ended there is nobody left to store the line
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._call_later, self._settings.log_flush_s, self._wake.set)

    def _set_alarm(self, deadline_ms: int | None) -> None:
        if deadline_ms is None or deadline_ms in self._alarms:
            return
        self._alarms.add(deadline_ms)

        def ring() -> None:
            self._alarms.discard(deadline_ms)
            self._keep_soon.set()

        # a little late rather than early: the keeper must find it overdue
        self._call_later(max(0, deadline_ms - self._clock() + 1) / 1000, ring)

    def _call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        if self._loop is not None:
            self._loop.call_later(delay_s, call)
