"""Keeps leases alive, and ends what nobody else will: overdue executions, and the work of dead workers."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from markethub.control.chunks import expired_chunks, renew_chunks
from markethub.control.database import Database
from markethub.control.leases import expire_leases, leased_workers
from markethub.control.log_tally import count_waiting_lines, find_settled_id, tally_lines
from markethub.control.logs import insert_logs
from markethub.control.planning import (
    expired_plannings,
    lock_executions,
    overdue_executions,
    renew_executions,
)
from markethub.domain.errors import UnavailableError
from markethub.domain.execution import ExecutionStatus
from markethub.engine.bench import Bench
from markethub.engine.closing import Closing, close_executions
from markethub.engine.identity import is_surely_dead
from markethub.engine.moves import Ending
from markethub.engine.news import announce
from markethub.engine.settings import EngineSettings
from markethub.engine.settlement import ChunkEnd, End, PlanEnd, Settlement, Settler
from markethub.ports.clock import Clock

_SWEEP_LIMIT = 500
_CLOCK_EVERY_S = 60.0
# So few are counted one by one in a few milliseconds; so many hold SQLite's lock no longer than that either.
_WAITING_LINES = 10_000
_LINES_PER_TALLY = 20_000
_TALLIES_PER_BEAT = 20
_log = structlog.get_logger("markethub.engine")


class Keeper:
    """One worker's upkeep; ``on_settled`` is called with what each of its transactions settled."""

    def __init__(
        self,
        database: Database,
        settler: Settler,
        bench: Bench,
        settings: EngineSettings,
        clock: Clock,
        *,
        on_settled: Callable[[Settlement], None],
    ) -> None:
        self._database = database
        self._settler = settler
        self._bench = bench
        self._settings = settings
        self._clock = clock
        self._on_settled = on_settled
        self._clock_due_s = 0.0

    async def keep(self) -> None:
        """Renew our leases, end what is overdue, take back what dead workers held, and tally log lines."""
        await self._renew()
        await self._follow_clock()
        await self._expire_dead()
        await self._sweep()
        await self._tally()

    async def _sweep(self) -> None:
        now_ms = self._clock()
        async with self._database.read() as connection:
            overdue = await overdue_executions(connection, now_ms, _SWEEP_LIMIT)
            plannings = await expired_plannings(connection, now_ms, _SWEEP_LIMIT)
            chunks = await expired_chunks(connection, now_ms, _SWEEP_LIMIT)
        if overdue:
            await self._end_overdue(overdue)
        crashed: list[End] = [PlanEnd(one.id, one.claims, Ending.CRASHED) for one in plannings]
        crashed += [ChunkEnd(one.id, one.execution_id, one.claims, Ending.CRASHED) for one in chunks]
        if crashed:
            async with self._database.begin() as connection:
                settlement = await self._settler.settle(connection, crashed, self._clock())
                settlement.stale = 0  # another worker's sweep was faster: no result was lost
                await insert_logs(connection, settlement.lines)
                await announce(self._database, connection, settlement)
            self._on_settled(settlement)

    async def _renew(self) -> None:
        leases = self._bench.leases()
        if not leases:
            return
        plans = {execution_id: claims for execution_id, chunk_id, claims in leases if chunk_id is None}
        chunks = {chunk_id: claims for _, chunk_id, claims in leases if chunk_id is not None}
        # two transactions: an execution is never locked after a chunk
        lease_until_ms = self._clock() + self._settings.lease_ms
        async with self._database.begin() as connection:
            kept_plans = await renew_executions(connection, plans, lease_until_ms)
        async with self._database.begin() as connection:
            kept_chunks = await renew_chunks(connection, chunks, lease_until_ms)
        self._bench.drop(
            lease
            for lease in leases
            if (lease[0] not in kept_plans if lease[1] is None else lease[1] not in kept_chunks)
        )

    async def _expire_dead(self) -> None:
        async with self._database.read() as connection:
            workers = await leased_workers(connection)
        dead = {worker_id for worker_id in workers if is_surely_dead(worker_id)}
        if dead:
            async with self._database.begin() as connection:
                await expire_leases(connection, dead)

    async def _follow_clock(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._clock_due_s:
            await self._database.synchronise_clock()
            self._clock_due_s = now_s + _CLOCK_EVERY_S

    async def _tally(self) -> None:
        async with self._database.read() as connection:
            waiting = await count_waiting_lines(connection)
        if waiting < _WAITING_LINES:
            return
        try:
            async with self._database.begin() as connection:
                settled_id = await find_settled_id(connection)
        except UnavailableError as error:
            # Nothing is lost by it: lists count a few more lines one by one until the next beat.
            _log.debug("log lines cannot be tallied now", error=str(error))
            return
        for _ in range(_TALLIES_PER_BEAT):
            async with self._database.begin() as connection:
                if not await tally_lines(connection, settled_id, _LINES_PER_TALLY):
                    return

    async def _end_overdue(self, execution_ids: Sequence[int]) -> None:
        settlement = Settlement()
        async with self._database.begin() as connection:
            now_ms = self._clock()
            settlement.closing = [
                Closing(
                    state,
                    self._settings.worker_id,
                    ExecutionStatus.TIMEOUT,
                    f"timed out after {(state.timeout_ms or 0) / 1000:g} s",
                )
                for state in (await lock_executions(connection, execution_ids)).values()
                if not state.status.is_final and state.deadline_ms is not None and state.deadline_ms <= now_ms
            ]
            settlement.closed = await close_executions(connection, settlement.closing, now_ms)
            settlement.lines = [closed.line for closed in settlement.closed]
            await insert_logs(connection, settlement.lines)
            await announce(self._database, connection, settlement)
        self._on_settled(settlement)
