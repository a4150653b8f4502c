"""The life of leases under any order of claims, ends, crashes, sweeps, renewals, zombies and cancels."""

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from sqlalchemy import select

from markethub.control.chunks import (
    PlannedChunk,
    claim_chunks,
    expired_chunks,
    renew_chunks,
)
from markethub.control.database import Database, open_database
from markethub.control.executions import Execution, get_execution, list_executions
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.control.planning import claim_executions, expired_plannings
from markethub.control.schema import chunk
from markethub.control.statistics import sum_statistics
from markethub.domain.errors import ConflictError
from markethub.domain.execution import ChunkStatus, ExecutionStatus
from markethub.engine.engine import Engine
from markethub.engine.handler import NewExecution
from markethub.engine.moves import Ending
from markethub.engine.settings import EngineSettings
from markethub.engine.settlement import ChunkEnd, End, PlanEnd, Settler
from tests.drawn_cases import drawn

LEASE_MS = 1_000
SETTINGS = EngineSettings(max_attempts=3, max_crashes=3, backoff_base_s=1.0, worker_id="w")


class Leases(RuleBasedStateMachine):
    """Drives the control database as workers do; a lease may be used long after it was lost."""

    template: Path
    """An empty database with one job, copied by every run."""

    plans = Bundle("plans")
    leases = Bundle("leases")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="markethub-leases-")
        self.runner = asyncio.Runner()
        self.now_ms = 1_000_000
        self.closed: Counter[int] = Counter()
        self.done_claims: dict[int, int] = {}
        self.attempts: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        self.cancelled: set[int] = set()
        self.settler = Settler(SETTINGS, random.Random(7))
        self.database = self.runner.run(self._open())
        self.engine = Engine(self.database, {}, SETTINGS, lambda: self.now_ms)

    async def _open(self) -> Database:
        path = shutil.copy(self.template, Path(self.folder.name) / "control.db")
        return await open_database(f"sqlite:///{path}")

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.database.close())
            self.runner.close()
            self.folder.cleanup()

    async def _settle(self, *ends: End) -> None:
        async with self.database.begin() as connection:
            settlement = await self.settler.settle(connection, ends, self.now_ms)
        self.closed.update(one.execution_id for one in settlement.closed)
        assert settlement.chunks_done + settlement.chunks_failed <= sum(
            len(end.chunks) if isinstance(end, PlanEnd) else 1 for end in ends
        )

    @rule(number=st.integers(0, 10**9))
    def enqueue(self, number: int) -> None:
        trace_id = f"work_{len(self.sizes)}_{number}"
        execution_id = self.runner.run(self.engine.enqueue(NewExecution("work", {}, trace_id, "queued")))
        self.sizes[execution_id] = -1

    @rule(target=plans)
    def claim_plan(self) -> tuple[int, int] | None:
        async def claim() -> tuple[int, int] | None:
            async with self.database.begin() as connection:
                states = await claim_executions(
                    connection,
                    worker_id="w",
                    now_ms=self.now_ms,
                    lease_until_ms=self.now_ms + LEASE_MS,
                    limit=1,
                    handlers=["backfill_kline"],
                )
            return (states[0].id, states[0].claims) if states else None

        return self.runner.run(claim())

    @rule(
        plan=plans,
        chunks=st.integers(0, 4),
        failures=st.integers(0, 1),
        ending=st.sampled_from([Ending.DONE, Ending.DONE, Ending.RETRY, Ending.RELEASED, Ending.FAILED]),
    )
    def end_plan(self, plan: tuple[int, int] | None, chunks: int, failures: int, ending: Ending) -> None:
        if plan is None:
            return
        planned = [PlannedChunk(f"c{n}", "q", "{}", 0) for n in range(chunks)]
        planned += [PlannedChunk(f"f{n}", "", "{}", 0, "why") for n in range(failures)]
        before = self.runner.run(self._execution(plan[0]))
        self.runner.run(self._settle(PlanEnd(*plan, ending, planned, {"planned": 1}, "why")))
        after = self.runner.run(self._execution(plan[0]))
        if before.status is ExecutionStatus.PENDING and after.chunks_total + after.counters.get("planned", 0):
            self.sizes[plan[0]] = chunks + failures

    @rule(target=leases, limit=st.integers(1, 3), lease_ms=st.sampled_from([1, LEASE_MS]))
    def claim(self, limit: int, lease_ms: int) -> list[ChunkEnd]:
        async def claim() -> list[ChunkEnd]:
            async with self.database.begin() as connection:
                claimed = await claim_chunks(
                    connection,
                    worker_id="w",
                    now_ms=self.now_ms,
                    lease_until_ms=self.now_ms + lease_ms,
                    limit=limit,
                    handlers=["backfill_kline"],
                    room={},
                )
            return [
                ChunkEnd(one.id, one.execution_id, one.claims, Ending.DONE, {"processed": 1}, "why")
                for one in claimed
            ]

        return self.runner.run(claim())

    @rule(held=leases, ending=st.sampled_from(Ending))
    def end_chunks(self, held: list[ChunkEnd], ending: Ending) -> None:
        ends = [
            ChunkEnd(end.chunk_id, end.execution_id, end.claims, ending, end.counters, end.error)
            for end in held
        ]
        self.runner.run(self._settle(*ends))

    @rule(held=leases)
    def renew(self, held: list[ChunkEnd]) -> None:
        async def renew() -> None:
            async with self.database.begin() as connection:
                claims = {end.chunk_id: end.claims for end in held}
                kept = await renew_chunks(connection, claims, self.now_ms + LEASE_MS)
                rows = await connection.execute(
                    select(chunk.c.id, chunk.c.claims, chunk.c.status).where(chunk.c.id.in_(claims))
                )
                ours = {row.id for row in rows if row.status == "RUNNING" and row.claims == claims[row.id]}
            assert kept == ours

        self.runner.run(renew())

    @rule(held=consumes(leases))
    def forget(self, held: list[ChunkEnd]) -> None:
        """The worker dies: nobody will end these leases."""

    @rule()
    def sweep(self) -> None:
        async def sweep() -> None:
            async with self.database.read() as connection:
                chunks = await expired_chunks(connection, self.now_ms, 100)
                plannings = await expired_plannings(connection, self.now_ms, 100)
            ends: list[End] = [
                ChunkEnd(one.id, one.execution_id, one.claims, Ending.CRASHED) for one in chunks
            ]
            ends += [PlanEnd(one.id, one.claims, Ending.CRASHED) for one in plannings]
            await self._settle(*ends)

        self.runner.run(sweep())

    @rule(ms=st.sampled_from([1, 100, LEASE_MS + 1, 600_000]))
    def pass_time(self, ms: int) -> None:
        self.now_ms += ms

    @rule(choice=st.integers(0, 100))
    def cancel(self, choice: int) -> None:
        if not self.sizes:
            return
        execution_id = sorted(self.sizes)[choice % len(self.sizes)]
        try:
            self.runner.run(self.engine.cancel(execution_id))
        except ConflictError:
            assert self.closed[execution_id] == 1
        else:
            self.closed[execution_id] += 1
            self.cancelled.add(execution_id)

    async def _execution(self, execution_id: int) -> Execution:
        async with self.database.read() as connection:
            return await get_execution(connection, execution_id)

    @invariant()
    def hold(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self._check())

    async def _check(self) -> None:
        async with self.database.read() as connection:
            rows = (await connection.execute(select(chunk))).all()
            executions, total = await list_executions(connection, limit=1_000)
            by_status = {
                status: (await list_executions(connection, search=status.value))[1]
                for status in ExecutionStatus
            }
            did = await sum_statistics(connection, 1)
        assert total == len(executions) == len(self.sizes)
        assert by_status == {
            status: sum(one.status is status for one in executions) for status in ExecutionStatus
        }
        ended = [one for one in executions if one.status.is_final]
        assert (did.runs, did.successes, did.failures, did.timeouts) == (
            len(ended),
            by_status[ExecutionStatus.SUCCESS],
            by_status[ExecutionStatus.FAILURE],
            by_status[ExecutionStatus.TIMEOUT],
        )
        assert did.processed == sum(one.counters.get("processed", 0) for one in ended)
        assert did.duration_ms == sum(one.duration_ms or 0 for one in ended)
        assert did.begun_runs == sum(one.duration_ms is not None for one in ended)
        for row in rows:
            assert row.attempts >= self.attempts.get(row.id, 0)
            self.attempts[row.id] = row.attempts
            assert row.attempts <= row.claims
            assert (row.lease_until_ms is not None) == (row.status == ChunkStatus.RUNNING)
            if row.status == ChunkStatus.DONE:
                # whoever finished it first stays the one who did
                assert self.done_claims.setdefault(row.id, row.claims) == row.claims
        for one in executions:
            mine = [row for row in rows if row.execution_id == one.id]
            counted = Counter(row.status for row in mine)
            done, failed = counted[ChunkStatus.DONE], counted[ChunkStatus.FAILED]
            assert (one.chunks_done, one.chunks_failed) == (done, failed)
            assert one.counters.get("processed", 0) == done
            assert self.closed[one.id] == (1 if one.status.is_final else 0)
            if one.id in self.cancelled:
                assert one.error == "cancelled"
                assert len(mine) == done + failed
            else:
                assert len(mine) == one.chunks_total  # none lost
            if one.status is ExecutionStatus.RUNNING:
                assert done + failed < one.chunks_total
            if one.status is ExecutionStatus.SUCCESS:
                assert done == one.chunks_total


@pytest.fixture(scope="module", autouse=True)
def template(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def make() -> None:
        database = await open_database(f"sqlite:///{Leases.template}")
        async with database.begin() as connection:
            await ensure_jobs(connection, [JobSpec("work", "kline", "backfill", "")], 1)
        await database.close()

    Leases.template = tmp_path_factory.mktemp("leases") / "template.db"
    asyncio.run(make())


class TestLeases(Leases.TestCase):  # type: ignore[misc, valid-type] # hypothesis makes it at run time
    settings = settings(
        max_examples=drawn(8),
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
