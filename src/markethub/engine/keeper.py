"""Keeps leases alive, and ends what nobody else will: overdue executions, and the work of dead workers."""

import asyncio
from collections.abc import Callable, Sequence

from markethub.control.chunks import expired_chunks, renew_chunks
from markethub.control.database import Database
from markethub.control.leases import expire_leases, leased_workers
from markethub.control.logs import insert_logs
from markethub.control.planning import (
    expired_plannings,
    lock_executions,
    overdue_executions,
    renew_executions,
)
from markethub.domain.execution import ExecutionStatus
from markethub.engine.bench import Bench
from markethub.engine.closing import close_early
from markethub.engine.identity import is_surely_dead
from markethub.engine.moves import Ending
from markethub.engine.news import announce
from markethub.engine.settings import EngineSettings
from markethub.engine.settlement import ChunkEnd, End, PlanEnd, Settlement, Settler
from markethub.ports.clock import Clock

_SWEEP_LIMIT = 500
_CLOCK_EVERY_S = 60.0


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
        """Renew our leases, end what is overdue, and take back what dead workers held."""
        await self._renew()
        await self._follow_clock()
        await self._expire_dead()
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

    async def _end_overdue(self, execution_ids: Sequence[int]) -> None:
        settlement = Settlement()
        async with self._database.begin() as connection:
            now_ms = self._clock()
            for state in (await lock_executions(connection, execution_ids)).values():
                if state.status.is_final or state.deadline_ms is None or state.deadline_ms > now_ms:
                    continue
                closed = await close_early(
                    connection,
                    state,
                    ExecutionStatus.TIMEOUT,
                    f"timed out after {(state.timeout_ms or 0) / 1000:g} s",
                    worker_id=self._settings.worker_id,
                    now_ms=now_ms,
                )
                settlement.closed.append(closed)
                settlement.lines.append(closed.line)
            await insert_logs(connection, settlement.lines)
            await announce(self._database, connection, settlement)
        self._on_settled(settlement)
