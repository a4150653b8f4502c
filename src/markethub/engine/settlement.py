"""Writes how leased work ended, under the fence, and closes executions with their last chunk."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.chunks import (
    ChunkChange,
    ChunkState,
    PlannedChunk,
    change_chunks,
    insert_chunks,
    lock_chunks,
)
from markethub.control.logs import NewLogLine
from markethub.control.planning import (
    ExecutionState,
    lock_executions,
    note_progress,
    return_planning,
    start_running,
)
from markethub.domain.execution import ChunkStatus, ExecutionStatus
from markethub.engine.closing import Closed, Closing, close_executions
from markethub.engine.moves import Ending, Move, Verdict, next_move
from markethub.engine.settings import EngineSettings
from markethub.engine.worklog import WorkContext, new_line

Lease = tuple[int, int | None, int]
"""Names one lease for ever: execution, chunk (None: the execution's planning), and the claim's number."""


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """A lease on a chunk ended."""

    chunk_id: int
    execution_id: int
    claims: int
    ending: Ending
    counters: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    retry_after_s: float = 0.0

    @property
    def lease(self) -> Lease:
        return self.execution_id, self.chunk_id, self.claims


@dataclass(frozen=True, slots=True)
class PlanEnd:
    """A lease on the planning of an execution ended; ``chunks`` holds the plan if it is DONE."""

    execution_id: int
    claims: int
    ending: Ending
    chunks: Sequence[PlannedChunk] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    retry_after_s: float = 0.0

    @property
    def lease(self) -> Lease:
        return self.execution_id, None, self.claims


End = ChunkEnd | PlanEnd


@dataclass(slots=True)
class Settlement:
    """What one transaction settled; true only once it is committed."""

    closing: list[Closing] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    lines: list[NewLogLine] = field(default_factory=list)
    delays_ms: list[int] = field(default_factory=list)
    new_work: bool = False
    chunks_done: int = 0
    chunks_failed: int = 0
    retried: int = 0
    crashed: int = 0
    stale: int = 0


class Settler:
    """Applies ends to the database for one worker."""

    def __init__(self, settings: EngineSettings, chance: random.Random) -> None:
        self._settings = settings
        self._chance = chance

    async def settle(self, connection: AsyncConnection, ends: Sequence[End], now_ms: int) -> Settlement:
        """Write the ends whose lease is still held; the others are stale and change nothing."""
        settlement = Settlement()
        if not ends:
            return settlement
        states = await lock_executions(connection, {end.execution_id for end in ends})
        for end in ends:
            if isinstance(end, PlanEnd):
                await self._settle_plan(connection, end, states.get(end.execution_id), now_ms, settlement)
        chunk_ends = [end for end in ends if isinstance(end, ChunkEnd)]
        if chunk_ends:
            await self._settle_chunks(connection, chunk_ends, states, now_ms, settlement)
        settlement.closed = await close_executions(connection, settlement.closing, now_ms)
        settlement.lines += [closed.line for closed in settlement.closed]
        return settlement

    async def _settle_plan(
        self,
        connection: AsyncConnection,
        end: PlanEnd,
        state: ExecutionState | None,
        now_ms: int,
        settlement: Settlement,
    ) -> None:
        if state is None or not _plan_held(end, state, now_ms):
            settlement.stale += 1
            return
        move = self._move(end, state.attempts, state.crashes)
        if move.verdict is Verdict.DONE:
            await self._start(connection, end, state, now_ms, settlement)
        elif move.verdict is Verdict.FAILED:
            error = f"planning failed: {move.error}"
            settlement.closing.append(
                Closing(state, self._settings.worker_id, ExecutionStatus.FAILURE, error)
            )
        else:
            await return_planning(
                connection,
                state,
                attempts=move.attempts,
                crashes=move.crashes,
                not_before_ms=now_ms + move.delay_ms,
            )
            text = _again_text("Planning", end, move, state.worker_id)
            self._note_again(end, move, self._line(state, text, now_ms), settlement)

    async def _start(
        self,
        connection: AsyncConnection,
        end: PlanEnd,
        state: ExecutionState,
        now_ms: int,
        settlement: Settlement,
    ) -> None:
        failed = sum(one.error is not None for one in end.chunks)
        await insert_chunks(connection, state.id, state.priority, end.chunks, now_ms)
        await start_running(connection, state, chunks=len(end.chunks), failed=failed, counters=end.counters)
        planned = f"Planned | chunks={len(end.chunks)}" + (f" | failed={failed}" if failed else "")
        settlement.lines.append(self._line(state, planned, now_ms, "INFO"))
        for one in end.chunks:
            if one.error is not None:
                text = f"Chunk failed | {one.key} | {one.error}"
                settlement.lines.append(self._line(state, text, now_ms, "ERROR"))
        settlement.chunks_failed += failed
        settlement.new_work |= failed < len(end.chunks)
        if failed == len(end.chunks):
            running = replace(
                state,
                status=ExecutionStatus.RUNNING,
                chunks_total=len(end.chunks),
                chunks_failed=failed,
                counters=end.counters,
            )
            settlement.closing.append(Closing(running, self._settings.worker_id))

    async def _settle_chunks(
        self,
        connection: AsyncConnection,
        ends: Sequence[ChunkEnd],
        states: Mapping[int, ExecutionState],
        now_ms: int,
        settlement: Settlement,
    ) -> None:
        chunks = await lock_chunks(connection, {end.chunk_id for end in ends})
        changes: list[ChunkChange] = []
        progressed: dict[int, ExecutionState] = {}
        for end in ends:
            chunk = chunks.get(end.chunk_id)
            if chunk is None or not _chunk_held(end, chunk, now_ms):
                settlement.stale += 1
                continue
            del chunks[chunk.id]  # a lease ends once
            before = progressed.get(chunk.execution_id, states[chunk.execution_id])
            move = self._move(end, chunk.attempts, chunk.crashes)
            changes.append(_change(chunk, move, now_ms))
            if move.verdict is Verdict.AGAIN:
                if end.counters:
                    progressed[chunk.execution_id] = _count(before, end)
                text = _again_text(f"Chunk {chunk.key}", end, move, chunk.worker_id)
                self._note_again(end, move, self._line(before, text, now_ms), settlement)
                continue
            progressed[chunk.execution_id] = _progress(before, move, end)
            if move.verdict is Verdict.DONE:
                settlement.chunks_done += 1
            else:
                settlement.chunks_failed += 1
                text = f"Chunk failed | {chunk.key} | {move.error}"
                settlement.lines.append(self._line(before, text, now_ms, "ERROR"))
        await change_chunks(connection, changes)
        for state in progressed.values():
            await note_progress(
                connection,
                state.id,
                done=state.chunks_done,
                failed=state.chunks_failed,
                counters=state.counters,
            )
            if state.chunks_done + state.chunks_failed == state.chunks_total:
                settlement.closing.append(Closing(state, self._settings.worker_id))

    def _move(self, end: End, attempts: int, crashes: int) -> Move:
        return next_move(
            end.ending,
            attempts=attempts,
            crashes=crashes,
            error=end.error,
            retry_after_s=end.retry_after_s,
            settings=self._settings,
            chance=self._chance,
        )

    def _note_again(self, end: End, move: Move, line: NewLogLine, settlement: Settlement) -> None:
        if end.ending is Ending.RELEASED:
            settlement.new_work = True
            return
        settlement.lines.append(line)
        if end.ending is Ending.RETRY:
            settlement.retried += 1
            settlement.delays_ms.append(move.delay_ms)
        else:
            settlement.crashed += 1
            settlement.new_work = True

    def _line(self, state: ExecutionState, text: str, now_ms: int, level: str = "WARNING") -> NewLogLine:
        context = WorkContext(state.trace_id, state.job_id, state.id, self._settings.worker_id)
        return new_line(context, level, text, now_ms)


def _again_text(what: str, end: End, move: Move, worker_id: str | None) -> str:
    if end.ending is Ending.CRASHED:
        return f"{what} is taken up again | worker {worker_id} let its lease expire"
    return f"{what} is tried again in {move.delay_ms / 1000:.1f} s | {move.error}"


def _plan_held(end: PlanEnd, state: ExecutionState, now_ms: int) -> bool:
    if state.status is not ExecutionStatus.PENDING or state.claims != end.claims:
        return False
    return _lease_fits(end.ending, state.lease_until_ms, now_ms)


def _chunk_held(end: ChunkEnd, chunk: ChunkState, now_ms: int) -> bool:
    if chunk.status is not ChunkStatus.RUNNING or chunk.claims != end.claims:
        return False
    return _lease_fits(end.ending, chunk.lease_until_ms, now_ms)


def _lease_fits(ending: Ending, lease_until_ms: int | None, now_ms: int) -> bool:
    if lease_until_ms is None:
        return False
    # a worker that was late may have renewed since the sweep looked
    return ending is not Ending.CRASHED or lease_until_ms < now_ms


def _change(chunk: ChunkState, move: Move, now_ms: int) -> ChunkChange:
    status = {
        Verdict.DONE: ChunkStatus.DONE,
        Verdict.FAILED: ChunkStatus.FAILED,
        Verdict.AGAIN: ChunkStatus.PENDING,
    }[move.verdict]
    return ChunkChange(
        id=chunk.id,
        status=status,
        attempts=move.attempts,
        crashes=move.crashes,
        not_before_ms=now_ms + move.delay_ms,
        error=move.error,
        finished_ms=None if move.verdict is Verdict.AGAIN else now_ms,
    )


def _progress(before: ExecutionState, move: Move, end: ChunkEnd) -> ExecutionState:
    done = move.verdict is Verdict.DONE
    return replace(
        _count(before, end),
        chunks_done=before.chunks_done + done,
        chunks_failed=before.chunks_failed + (not done),
    )


def _count(before: ExecutionState, end: ChunkEnd) -> ExecutionState:
    counters = dict(before.counters)
    for name, value in end.counters.items():
        counters[name] = counters.get(name, 0) + value
    return replace(before, counters=counters)
