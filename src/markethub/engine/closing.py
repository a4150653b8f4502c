"""How an execution ends: its status, its honest counts, and the error that names what failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.chunks import drop_open_chunks, failed_chunks
from markethub.control.logs import NewLogLine
from markethub.control.planning import ExecutionState, finish
from markethub.control.statistics import EndedRun, add_ended_runs
from markethub.control.values import clean_text
from markethub.domain.execution import ExecutionStatus
from markethub.engine.worklog import WorkContext, new_line

CANCELLED = "cancelled"
RESERVED_RESULT_KEYS = frozenset({"chunks", "failures", "error_message"})
"""Keys of a result that the engine writes; no counter may have such a name."""

_MAX_FAILURES = 100
_MAX_NAMED = 20
_MAX_REASON_CHARS = 300


@dataclass(frozen=True, slots=True)
class Closing:
    """A locked execution about to end; ``state`` counts what this transaction has settled.

    Without ``status`` all its chunks have ended, and they say which it is. With one it ends whatever its
    chunks do: the open ones are dropped, what is done stays counted.
    """

    state: ExecutionState
    worker_id: str | None
    status: ExecutionStatus | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """An execution that this transaction ended, and its last log line."""

    execution_id: int
    status: ExecutionStatus
    line: NewLogLine


async def close_executions(
    connection: AsyncConnection, closings: Sequence[Closing], now_ms: int
) -> list[Closed]:
    """End these executions, and add them to their jobs' statistics. ConflictError if one had ended before.

    A transaction ends all of its executions in one call, after it has locked what else it needs: see
    ``add_ended_runs``.
    """
    closed: list[Closed] = []
    ended: list[EndedRun] = []
    for closing in closings:
        one, run = await _close(connection, closing, now_ms)
        closed.append(one)
        ended.append(run)
        if closing.status is not None:
            await drop_open_chunks(connection, one.execution_id)
    await add_ended_runs(connection, ended)
    return closed


def failure_text(failures: Sequence[tuple[str, str]], failed: int, total: int) -> str:
    """One line that names the failed chunks and why: the first 20, then how many more."""
    named = "; ".join(f"{key}: {reason[:_MAX_REASON_CHARS]}" for key, reason in failures[:_MAX_NAMED])
    more = f"; and {failed - _MAX_NAMED} more" if failed > _MAX_NAMED else ""
    return clean_text(f"{failed} of {total} chunks failed: {named}{more}", 10_000)


async def _close(connection: AsyncConnection, closing: Closing, now_ms: int) -> tuple[Closed, EndedRun]:
    state, status, error = closing.state, closing.status, closing.error
    failures = await failed_chunks(connection, state.id, _MAX_FAILURES) if state.chunks_failed else []
    if status is None:
        status = ExecutionStatus.SUCCESS
        if state.chunks_failed:
            status = ExecutionStatus.FAILURE
            error = failure_text(failures, state.chunks_failed, state.chunks_total)
    result: dict[str, Any] = {
        **state.counters,
        "chunks": {
            "total": state.chunks_total,
            "done": state.chunks_done,
            "failed": state.chunks_failed,
        },
        "failures": [{"chunk": key, "error": reason} for key, reason in failures],
    }
    if error is not None:
        result["error_message"] = error
    ended = await finish(connection, state, status, now_ms=now_ms, result=result, error=error)
    context = WorkContext(state.trace_id, state.job_id, state.id, closing.worker_id)
    level = "INFO" if status is ExecutionStatus.SUCCESS else "ERROR"
    line = new_line(context, level, _last_words(state, status, error), now_ms)
    return Closed(state.id, status, line), ended


def _last_words(state: ExecutionState, status: ExecutionStatus, error: str | None) -> str:
    counts = [f"chunks={state.chunks_done}/{state.chunks_total}"]
    counts += [f"{name}={value}" for name, value in state.counters.items()]
    return " | ".join([f"Ended as {status}", *([error] if error else []), *counts])
