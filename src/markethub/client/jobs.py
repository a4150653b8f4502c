"""The calls that look at jobs and their histories, of both clients."""

from typing import Protocol, TypeVar

from markethub.client import calls
from markethub.client.answers import ExecutionPage, JobAnswer, JobPage, JobStatisticsAnswer
from markethub.client.calls import Call, Moment

Answer = TypeVar("Answer")


class Jobs(Protocol):
    """Look at jobs and at what became of their runs; ``job_id`` is a job's name or numeric id."""

    def _send(self, call: Call[Answer]) -> Answer: ...

    def list_jobs(
        self,
        search: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: str | None = None,
        order_desc: bool | None = None,
    ) -> JobPage:
        """Return a page of the jobs, by name unless asked otherwise.

        ``search`` is part of a job's name, type or category.
        """
        return self._send(
            calls.list_jobs(
                search=search, limit=limit, offset=offset, order_by=order_by, order_desc=order_desc
            )
        )

    def get_job(self, job_id: str | int) -> JobAnswer:
        """Return one job."""
        return self._send(calls.get_job(job_id))

    def get_job_statistics(
        self, job_id: str | int, since: Moment | None = None, until: Moment | None = None
    ) -> JobStatisticsAnswer:
        """Return what a job's ended executions did, added up by UTC days from that of ``since`` on.

        Days that begin before ``until`` count, and executions whose rows were cleaned up.
        """
        return self._send(calls.get_job_statistics(job_id, since=since, until=until))

    def list_job_executions(
        self,
        search: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: str | None = None,
        order_desc: bool | None = None,
        before: Moment | None = None,
        after: Moment | None = None,
    ) -> ExecutionPage:
        """Return a page of the execution history, newest first unless asked otherwise."""
        return self._send(
            calls.list_executions(
                search=search,
                limit=limit,
                offset=offset,
                order_by=order_by,
                order_desc=order_desc,
                before=before,
                after=after,
            )
        )

    def get_job_executions(
        self,
        job_id: str | int,
        search: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: str | None = None,
        order_desc: bool | None = None,
        before: Moment | None = None,
        after: Moment | None = None,
    ) -> ExecutionPage:
        """Return a page of one job's history, newest first unless asked otherwise."""
        return self._send(
            calls.list_executions(
                job_id=job_id,
                search=search,
                limit=limit,
                offset=offset,
                order_by=order_by,
                order_desc=order_desc,
                before=before,
                after=after,
            )
        )


class AsyncJobs(Protocol):
    """As Jobs, for asyncio."""

    async def _send(self, call: Call[Answer]) -> Answer: ...

    async def list_jobs(
        self,
        search: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: str | None = None,
        order_desc: bool | None = None,
    ) -> JobPage:
        """As DataHub.list_jobs."""
        return await self._send(
            calls.list_jobs(
                search=search, limit=limit, offset=offset, order_by=order_by, order_desc=order_desc
            )
        )

    async def get_job(self, job_id: str | int) -> JobAnswer:
        """As DataHub.get_job."""
        return await self._send(calls.get_job(job_id))

    async def get_job_statistics(
        self, job_id: str | int, since: Moment | None = None, until: Moment | None = None
    ) -> JobStatisticsAnswer:
        """As DataHub.get_job_statistics."""
        return await self._send(calls.get_job_statistics(job_id, since=since, until=until))

    async def list_job_executions(
        self,
        search: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: str | None = None,
        order_desc: bool | None = None,
        before: Moment | None = None,
        after: Moment | None = None,
    ) -> ExecutionPage:
        """As DataHub.list_job_executions."""
        return await self._send(
            calls.list_executions(
                search=search,
                limit=limit,
                offset=offset,
                order_by=order_by,
                order_desc=order_desc,
                before=before,
                after=after,
            )
        )

    async def get_job_executions(
        self,
        job_id: str | int,
        search: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: str | None = None,
        order_desc: bool | None = None,
        before: Moment | None = None,
        after: Moment | None = None,
    ) -> ExecutionPage:
        """As DataHub.get_job_executions."""
        return await self._send(
            calls.list_executions(
                job_id=job_id,
                search=search,
                limit=limit,
                offset=offset,
                order_by=order_by,
                order_desc=order_desc,
                before=before,
                after=after,
            )
        )
