"""The history of executions as a file, of both clients."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import httpx2

from markethub.client import calls
from markethub.client.calls import Call, Moment
from markethub.client.connection import request_options
from markethub.client.discovery import Endpoint
from markethub.client.failures import error_of, not_a_hub, unreachable

ExportFormat = Literal["jsonl", "parquet"]


@dataclass(frozen=True, slots=True)
class Exported:
    """How much of an export has been written: ``size_bytes``, and of JSON lines ``rows`` of ``total_rows``.

    How many rows of a Parquet file there are shows only once it is whole: until then ``rows`` is None.
    """

    size_bytes: int
    rows: int | None
    total_rows: int


ShowExported = Callable[[Exported], None]


class Exports(Protocol):
    """Write long lists to files."""

    def _connect(self) -> tuple[Endpoint, httpx2.Client]: ...

    def export_executions(
        self,
        output: str | Path | BinaryIO,
        *,
        format: ExportFormat = "jsonl",  # noqa: A002  (the API's word)
        job_id: str | int | None = None,
        search: str | None = None,
        before: Moment | None = None,
        after: Moment | None = None,
        progress: ShowExported | None = None,
    ) -> Exported:
        """Write every execution that matches to ``output``, in one pass, as JSON lines or Parquet.

        A path is replaced once all of it has come, and left as it was when it has not. ``progress`` is called
        as parts arrive. UnavailableError when the connection breaks: nothing of it is asked again.
        """
        call = calls.export_executions(
            format_name=format, job_id=job_id, search=search, before=before, after=after
        )
        with open_output(output) as sink:
            return self._write_export(call, _Writing(sink, format, progress))

    def _write_export(self, call: Call[None], writing: "_Writing") -> Exported:
        endpoint, client = self._connect()
        try:
            with client.stream(**request_options(endpoint, call)) as response:
                if not response.is_success:
                    raise error_of(response)
                writing.begin(response)
                for part in response.iter_bytes():
                    writing.write(part)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise unreachable(endpoint.url, error) from error
        return writing.state


class AsyncExports(Protocol):
    """As Exports, for asyncio."""

    def _connect(self) -> tuple[Endpoint, httpx2.AsyncClient]: ...

    async def export_executions(
        self,
        output: str | Path | BinaryIO,
        *,
        format: ExportFormat = "jsonl",  # noqa: A002  (the API's word)
        job_id: str | int | None = None,
        search: str | None = None,
        before: Moment | None = None,
        after: Moment | None = None,
        progress: ShowExported | None = None,
    ) -> Exported:
        """As DataHub.export_executions."""
        call = calls.export_executions(
            format_name=format, job_id=job_id, search=search, before=before, after=after
        )
        with open_output(output) as sink:
            return await self._write_export(call, _Writing(sink, format, progress))

    async def _write_export(self, call: Call[None], writing: "_Writing") -> Exported:
        endpoint, client = self._connect()
        try:
            async with client.stream(**request_options(endpoint, call)) as response:
                if not response.is_success:
                    await response.aread()
                    raise error_of(response)
                writing.begin(response)
                async for part in response.aiter_bytes():
                    writing.write(part)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise unreachable(endpoint.url, error) from error
        return writing.state


@contextmanager
def open_output(output: str | Path | BinaryIO) -> Iterator[BinaryIO]:
    """Yield what to write to; a path gets its new content when the block ends well, and only then."""
    if not isinstance(output, str | Path):
        yield output
        return
    path = Path(output)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as sink:
            yield sink
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Writing:
    def __init__(self, sink: BinaryIO, format_name: ExportFormat, progress: ShowExported | None) -> None:
        self._sink = sink
        self._progress = progress
        self.state = Exported(0, 0 if format_name == "jsonl" else None, 0)

    def begin(self, response: Any) -> None:  # noqa: ANN401  (of either client)
        total = response.headers.get("x-total-count", "")
        if not total.isdigit():
            raise not_a_hub(response)
        self._show(Exported(0, self.state.rows, int(total)))

    def write(self, part: bytes) -> None:
        self._sink.write(part)
        before = self.state
        rows = None if before.rows is None else before.rows + part.count(b"\n")
        self._show(Exported(before.size_bytes + len(part), rows, before.total_rows))

    def _show(self, state: Exported) -> None:
        self.state = state
        if self._progress is not None:
            self._progress(state)
