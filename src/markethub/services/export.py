"""The history of executions as one file, of any length."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from markethub.control.execution_export import Export, begin_export, read_page
from markethub.control.jobs import get_job
from markethub.jobs.row_encoding import EXECUTION_COLUMNS, RowFormat, create_encoder
from markethub.services.hub import Hub

_PAGE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class ExecutionFile:
    """``total`` executions were there when it began; ``parts`` are the bytes, in order."""

    total: int
    parts: AsyncIterator[bytes]


async def export_executions(
    hub: Hub,
    *,
    format_name: Literal["jsonl", "parquet"],
    job_id: str | None = None,
    search: str | None = None,
    before_ms: int | None = None,
    after_ms: int | None = None,
) -> ExecutionFile:
    """The executions that ``list_executions`` lists, by id; what is queued later is not in it.

    Read in one pass, page by page, so that no transaction stays open and no page costs more than another.
    NotFoundError where there is no such job.
    """
    async with hub.database.read() as connection:
        number = None if job_id is None else (await get_job(connection, job_id)).id
        export = await begin_export(
            connection, job_id=number, search=search, after_ms=after_ms, before_ms=before_ms
        )
    return ExecutionFile(export.total, _write(hub, export, RowFormat(format_name)))


async def _write(hub: Hub, export: Export, format_name: RowFormat) -> AsyncIterator[bytes]:
    encoder = create_encoder(format_name, EXECUTION_COLUMNS)
    after_id, is_more = 0, True
    while is_more:
        async with hub.database.read() as connection:
            rows = await read_page(connection, export, after_id, _PAGE_ROWS)
        if rows and (part := await asyncio.to_thread(encoder.encode, rows)):
            yield part
        is_more = len(rows) == _PAGE_ROWS
        after_id = int(rows[-1]["id"]) if rows else after_id
    if part := await asyncio.to_thread(encoder.finish):
        yield part
