"""Look at executions and cancel them."""

from markethub.control import executions
from markethub.control.executions import Execution as Execution  # noqa: PLC0414  (doors take it from here)
from markethub.control.values import parse_id
from markethub.domain.errors import NotFoundError
from markethub.services.hub import Hub
from markethub.services.page import Page


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
    number = parse_id(execution_id)
    async with hub.database.read() as connection:
        if number is not None:
            return await executions.get_execution(connection, number)
        found = await executions.find_by_trace(connection, execution_id)
    if found is None:
        raise NotFoundError(f"Execution not found: {execution_id[:100]}")
    return found


async def cancel_execution(hub: Hub, execution_id: str) -> Execution:
    """Ask for an execution's end: it ends as FAILURE with the error ``cancelled``; what it stored stays."""
    found = await get_execution(hub, execution_id)
    await hub.engine.cancel(found.id)
    return await get_execution(hub, execution_id)
