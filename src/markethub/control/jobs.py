"""Jobs: what can be executed, by name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import job
from markethub.control.values import decode_object, encode_object, is_storable, parse_id
from markethub.domain.errors import NotFoundError


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
    last_run_ms: int | None
    next_run_ms: int | None
    created_ms: int
    updated_ms: int


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
    return None if row is None else _job(row)


async def job_ids(connection: AsyncConnection, names: Collection[str]) -> dict[str, int]:
    """Ids of the jobs of exactly these names; NotFoundError names the first that there is none of."""
    statement = select(job.c.name, job.c.id).where(job.c.name.in_(sorted(filter(is_storable, names))))
    found = {row.name: row.id for row in await connection.execute(statement)}
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
    }


def _job(row: Row[Any]) -> Job:
    return Job(**{**row._asdict(), "parameters": decode_object(row.parameters)})
