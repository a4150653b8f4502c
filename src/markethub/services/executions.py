"""Look at executions, cancel them, and run what failed again."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control import executions
from markethub.control.chunk_pages import ShownChunk, count_chunks, list_chunks, total_of
from markethub.control.executions import Execution as Execution  # noqa: PLC0414  (doors take it from here)
from markethub.control.values import parse_id
from markethub.domain.errors import ConflictError, NotFoundError
from markethub.domain.execution import ChunkStatus, ExecutionStatus, new_trace_id
from markethub.engine.handler import NewExecution
from markethub.services.backfill import Queued
from markethub.services.caller import name_act
from markethub.services.hub import Hub
from markethub.services.page import Page


@dataclass(frozen=True, slots=True)
class Progress:
    """An execution, how many of its chunks are in each status, and a page of them."""

    execution: Execution
    counts: Mapping[ChunkStatus, int]
    chunks: Page[ShownChunk]


async def list_executions(
    hub: Hub,
    *,
    search: str | None = None,
    limit: int = 50,
    offset: int = 0,
    order_by: str = "started_at",
    order_desc: bool = True,
    before_ms: int | None = None,
    after_ms: int | None = None,
) -> Page[Execution]:
    """The execution history; ``search`` is part of a job name, a status, or a word that stands for one."""
    async with hub.database.read() as connection:
        rows, total = await executions.list_executions(
            connection,
            search=search,
            limit=limit,
            offset=offset,
            order_by=order_by,
            order_desc=order_desc,
            before_ms=before_ms,
            after_ms=after_ms,
        )
    return Page(rows, total, limit, offset)


async def get_execution(hub: Hub, execution_id: str) -> Execution:
    """One execution with its progress, by its id or its trace id; NotFoundError otherwise."""
    async with hub.database.read() as connection:
        return await _find(connection, execution_id)


async def show_progress(
    hub: Hub, execution_id: str, *, status: ChunkStatus | None = None, limit: int = 50, offset: int = 0
) -> Progress:
    """One execution with a page of its chunks by key, all of them or those in one status.

    Chunks that had not ended when it was cancelled or overdue are gone. NotFoundError as get_execution.
    """
    async with hub.database.read() as connection:
        found = await _find(connection, execution_id)
        counts = await count_chunks(connection, found)
        rows = await list_chunks(connection, found.id, status=status, limit=limit, offset=offset)
    return Progress(found, counts, Page(rows, total_of(counts, status), limit, offset))


async def retry_execution(hub: Hub, execution_id: str) -> Queued:
    """Queue the job of an execution that ended as FAILURE or TIMEOUT again, with its parameters.

    It fetches what is missing: what the first one stored is known. ConflictError when that one has not ended,
    or ended as SUCCESS, so that nothing of it failed.
    """
    hub.node.reign.require_write()
    failed = await get_execution(hub, execution_id)
    if not failed.status.is_final:
        raise ConflictError(f"execution {failed.id} is {failed.status}; it can be retried once it has ended")
    if failed.status is ExecutionStatus.SUCCESS:
        raise ConflictError(f"execution {failed.id} ended as SUCCESS; nothing of it failed")
    trace_id = new_trace_id(failed.job_name)
    message = f"Retry of {failed.trace_id} queued | failed_chunks={failed.chunks_failed}"
    number = await hub.engine.enqueue(
        NewExecution(
            job_name=failed.job_name,
            parameters=failed.parameters,
            trace_id=trace_id,
            message=message,
            priority=failed.priority,
            timeout_s=None if failed.timeout_ms is None else failed.timeout_ms / 1000,
            retry_of=failed.id,
            act=name_act("execution.retry"),
        )
    )
    return Queued(number, trace_id, "queued", message)


async def cancel_execution(hub: Hub, execution_id: str) -> Execution:
    """Ask for an execution's end: it ends as FAILURE with the error ``cancelled``; what it stored stays."""
    hub.node.reign.require_write()
    found = await get_execution(hub, execution_id)
    await hub.engine.cancel(found.id, name_act("execution.cancel"))
    return await get_execution(hub, execution_id)


async def _find(connection: AsyncConnection, execution_id: str) -> Execution:
    number = parse_id(execution_id)
    if number is not None:
        return await executions.get_execution(connection, number)
    found = await executions.find_by_trace(connection, execution_id)
    if found is None:
        raise NotFoundError(f"Execution not found: {execution_id[:100]}")
    return found
