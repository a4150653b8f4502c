"""Jobs: what can be executed, by name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, and_, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.listing import check_search, contains, fetch_page, ordering
from markethub.control.schema import job
from markethub.control.values import decode_object, encode_object, is_storable, parse_id
from markethub.domain.errors import NotFoundError

ORDER_FIELDS: dict[str, ColumnElement[Any]] = {
    "id": job.c.name,
    "job_type": job.c.job_type,
    "name": job.c.name,
    "job_category": job.c.job_category,
    "description": job.c.description,
    "schedule_type": job.c.schedule_type,
    "schedule": job.c.schedule,
    "interval_seconds": job.c.interval_seconds,
    "parameters": job.c.parameters,
    "timeout_seconds": job.c.timeout_seconds,
    "max_instances": job.c.max_instances,
    "enabled": and_(job.c.enabled, not_(job.c.paused)),
    "last_run_at": job.c.last_run_ms,
    "next_run_at": job.c.next_run_ms,
    "created_at": job.c.created_ms,
    "updated_at": job.c.updated_ms,
    "time_zone": job.c.time_zone,
    "paused": job.c.paused,
}
"""What ``order_by`` takes; a job's public ``id`` is its name."""


def handler_name(job_category: str, job_type: str) -> str:
    """What runs jobs of this category and type, whatever their names."""
    return f"{job_category}_{job_type}"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job as configuration defines it, identified by ``name``; one run on request has no schedule."""

    name: str
    job_type: str
    job_category: str
    description: str
    schedule_type: str | None = None
    schedule: str | None = None
    interval_seconds: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout_seconds: int | None = None
    max_instances: int = 1
    enabled: bool = True
    time_zone: str | None = None
    misfire_grace_seconds: int | None = None
    catch_up: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job; field names are the jobs API's, times in ms."""

    id: int
    name: str
    job_type: str
    job_category: str
    description: str
    schedule_type: str | None
    schedule: str | None
    interval_seconds: int | None
    parameters: Mapping[str, Any]
    timeout_seconds: int | None
    max_instances: int
    enabled: bool
    time_zone: str | None
    misfire_grace_seconds: int | None
    catch_up: bool
    paused: bool
    last_run_ms: int | None
    next_run_ms: int | None
    created_ms: int
    updated_ms: int

    @property
    def is_active(self) -> bool:
        """Whether its schedule counts: the configuration has it, and nobody has paused it."""
        return self.enabled and not self.paused


async def ensure_jobs(connection: AsyncConnection, specs: Sequence[JobSpec], now_ms: int) -> dict[str, int]:
    """Make the stored jobs of these names equal to ``specs``; return their ids by name.

    Jobs of other names stay as they are. ``updated_ms`` moves only where something changed.
    """
    if not specs:
        return {}
    rows = [_columns(spec) for spec in specs]
    stamps = {"created_ms": now_ms, "updated_ms": now_ms}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    await connection.execute(
        dialect.insert(job).on_conflict_do_nothing(index_elements=["name"]), [row | stamps for row in rows]
    )
    found = await connection.execute(select(job).where(job.c.name.in_([spec.name for spec in specs])))
    stored = {row.name: row for row in found}
    for row in rows:
        before = stored[row["name"]]
        if any(getattr(before, column) != value for column, value in row.items()):
            await connection.execute(
                update(job).where(job.c.id == before.id).values(**row, updated_ms=now_ms)
            )
    return {name: row.id for name, row in stored.items()}


async def find_job(connection: AsyncConnection, name_or_id: str) -> Job | None:
    """The job of that name, else of that numeric id, else None."""
    if not is_storable(name_or_id):
        return None
    row = (await connection.execute(select(job).where(job.c.name == name_or_id))).one_or_none()
    if row is None and (number := parse_id(name_or_id)) is not None:
        row = (await connection.execute(select(job).where(job.c.id == number))).one_or_none()
    return None if row is None else job_of(row)


class JobKey(NamedTuple):
    """A job as its executions name it."""

    id: int
    handler: str


async def job_keys(connection: AsyncConnection, names: Collection[str]) -> dict[str, JobKey]:
    """The jobs of exactly these names; NotFoundError names the first that there is none of."""
    statement = select(job.c.name, job.c.id, job.c.job_category, job.c.job_type).where(
        job.c.name.in_(sorted(filter(is_storable, names)))
    )
    found = {
        row.name: JobKey(row.id, handler_name(row.job_category, row.job_type))
        for row in await connection.execute(statement)
    }
    for name in names:
        if name not in found:
            raise NotFoundError(f"Job not found: {name[:100]}")
    return found


async def get_job(connection: AsyncConnection, name_or_id: str) -> Job:
    """Like ``find_job``, but NotFoundError instead of None."""
    found = await find_job(connection, name_or_id)
    if found is None:
        raise NotFoundError(f"Job not found: {name_or_id[:100]}")
    return found


async def list_jobs(
    connection: AsyncConnection,
    *,
    search: str | None = None,
    order_by: str = "name",
    order_desc: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[Job], int]:
    """One window of the matching jobs, and how many match.

    ``search`` finds a part of the name, the type or the category in any case.
    """
    where = []
    if search:
        text = check_search(search)
        columns = (job.c.name, job.c.job_type, job.c.job_category)
        where.append(or_(*(contains(column, text) for column in columns)))
    order = ordering(ORDER_FIELDS, order_by, descending=order_desc, tie=job.c.id)
    rows, total = await fetch_page(
        connection, select(job), where=where, order=order, limit=limit, offset=offset
    )
    return [job_of(row) for row in rows], total


async def jobs_of_handler(connection: AsyncConnection, job_category: str, job_type: str) -> list[Job]:
    """Every stored job of this category and type, by name, disabled ones too."""
    statement = (
        select(job).where(job.c.job_category == job_category, job.c.job_type == job_type).order_by(job.c.name)
    )
    return [job_of(row) for row in await connection.execute(statement)]


async def mark_run(connection: AsyncConnection, job_ids: set[int], now_ms: int) -> None:
    """Note that executions of these jobs have just started."""
    for job_id in sorted(job_ids):  # one order everywhere, or two workers could wait for each other
        await connection.execute(update(job).where(job.c.id == job_id).values(last_run_ms=now_ms))


def _columns(spec: JobSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "job_type": spec.job_type,
        "job_category": spec.job_category,
        "description": spec.description,
        "schedule_type": spec.schedule_type,
        "schedule": spec.schedule,
        "interval_seconds": spec.interval_seconds,
        "parameters": encode_object(spec.parameters, "parameters"),
        "timeout_seconds": spec.timeout_seconds,
        "max_instances": spec.max_instances,
        "enabled": spec.enabled,
        "time_zone": spec.time_zone,
        "misfire_grace_seconds": spec.misfire_grace_seconds,
        "catch_up": spec.catch_up,
    }


def job_of(row: Row[Any]) -> Job:
    """The job that a whole row of the table holds."""
    return Job(**{**row._asdict(), "parameters": decode_object(row.parameters)})
