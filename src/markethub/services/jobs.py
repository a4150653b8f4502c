"""Look at jobs and at what became of their runs."""

from markethub.control import executions, jobs
from markethub.control.executions import Execution
from markethub.control.jobs import Job as Job  # noqa: PLC0414  (doors take it from here)
from markethub.services.hub import Hub
from markethub.services.page import Page


async def list_jobs(
    hub: Hub,
    *,
    search: str | None = None,
    limit: int = 50,
    offset: int = 0,
    order_by: str = "name",
    order_desc: bool = False,
) -> Page[Job]:
    """The jobs by name; ``search`` is part of a name, a type or a category."""
    async with hub.database.read() as connection:
        rows, total = await jobs.list_jobs(
            connection, search=search, order_by=order_by, order_desc=order_desc, limit=limit, offset=offset
        )
    return Page(rows, total, limit, offset)


async def get_job(hub: Hub, job_id: str) -> Job:
    """The job of that name, else of that numeric id; NotFoundError otherwise."""
    async with hub.database.read() as connection:
        return await jobs.get_job(connection, job_id)


async def list_job_executions(
    hub: Hub,
    job_id: str,
    *,
    search: str | None = None,
    limit: int = 50,
    offset: int = 0,
    order_by: str = "started_at",
    order_desc: bool = True,
    before_ms: int | None = None,
    after_ms: int | None = None,
) -> Page[Execution]:
    """The history of one job, named as in ``get_job``; ``search`` is a status or a word that stands for one.

    NotFoundError where there is no such job.
    """
    async with hub.database.read() as connection:
        found = await jobs.get_job(connection, job_id)
        rows, total = await executions.list_executions(
            connection,
            job_id=found.id,
            search=search,
            limit=limit,
            offset=offset,
            order_by=order_by,
            order_desc=order_desc,
            before_ms=before_ms,
            after_ms=after_ms,
        )
    return Page(rows, total, limit, offset)
