"""Following one execution: its events, and its end."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import httpx2

from markethub.client import calls
from markethub.client.answers import ExecutionDetailAnswer
from markethub.client.calls import Call
from markethub.client.discovery import Endpoint
from markethub.client.events import BEATS_MISSED_S, EventReading, ExecutionEvent, name_execution
from markethub.client.failures import error_of, unreachable
from markethub.client.progress_bar import Progress, choose_progress
from markethub.client.waiting import Patience, check_end
from markethub.domain.errors import MarketHubError

Answer = TypeVar("Answer")
Execution = Mapping[str, Any] | str | int
"""An id, a trace id, or the answer of a call that queued or showed an execution."""


class Following(Protocol):
    """Follow executions."""

    _timeout_s: float

    def _connect(self) -> tuple[Endpoint, httpx2.Client]: ...
    def _send(self, call: Call[Answer]) -> Answer: ...

    def events(self, execution: Execution) -> Iterator[ExecutionEvent]:
        """Yield what happens to an execution until it has ended: ``progress`` with its state now and whenever
        that changes, ``log`` with each line of its log, oldest first, and at last ``end``.

        What an ended one logged is told at once. A connection that breaks is made anew, and goes on after the
        last line; UnavailableError when that fails for long. Lines come only to who has ``read:logs``.
        """
        reading = EventReading(execution)
        while not reading.is_over:
            error: MarketHubError | None = None
            try:
                yield from self._read_events(reading)
            except MarketHubError as caught:
                error = caught
            if not reading.is_over:
                time.sleep(reading.delay_s_after(error))

    def _read_events(self, reading: EventReading) -> Iterator[ExecutionEvent]:
        endpoint, client = self._connect()
        options = _stream_options(endpoint, reading, self._timeout_s)
        try:
            with client.stream(**options) as response:
                if not response.is_success:
                    raise error_of(response)
                for content in response.iter_bytes():
                    yield from reading.feed(content)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise unreachable(endpoint.url, error) from error

    def wait(
        self,
        trace_id: Execution,
        timeout: float | None = None,
        progress: Progress | bool | None = None,
        *,
        check: bool = False,
    ) -> ExecutionDetailAnswer:
        """Return the execution once it has ended, however it ended: look at its ``status``.

        It is named by its id, its trace id, or the answer of the call that queued it. ``progress`` is a bar
        on stderr (True), nothing (False), a bar where a person looks on, at a terminal or in a notebook
        (None), or a function to call with each state seen, the last one included. UnavailableError after
        ``timeout`` seconds; the execution itself goes on. With ``check`` one that did not end as SUCCESS
        raises ExecutionFailedError.
        """
        name = name_execution(trace_id)
        patience = Patience(name, timeout)
        with choose_progress(progress, name) as show:
            while True:
                seen = self._send(calls.get_execution(name))
                show(seen)
                delay_s = patience.delay_s_after(seen)
                if delay_s is None:
                    break
                time.sleep(delay_s)
        return check_end(seen) if check else seen


class AsyncFollowing(Protocol):
    """As Following, for asyncio."""

    _timeout_s: float

    def _connect(self) -> tuple[Endpoint, httpx2.AsyncClient]: ...
    async def _send(self, call: Call[Answer]) -> Answer: ...

    async def events(self, execution: Execution) -> AsyncIterator[ExecutionEvent]:
        """As DataHub.events."""
        reading = EventReading(execution)
        while not reading.is_over:
            error: MarketHubError | None = None
            try:
                async for event in self._read_events(reading):
                    yield event
            except MarketHubError as caught:
                error = caught
            if not reading.is_over:
                await asyncio.sleep(reading.delay_s_after(error))

    async def _read_events(self, reading: EventReading) -> AsyncIterator[ExecutionEvent]:
        endpoint, client = self._connect()
        options = _stream_options(endpoint, reading, self._timeout_s)
        try:
            async with client.stream(**options) as response:
                if not response.is_success:
                    await response.aread()
                    raise error_of(response)
                async for content in response.aiter_bytes():
                    for event in reading.feed(content):
                        yield event
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise unreachable(endpoint.url, error) from error

    async def wait(
        self,
        trace_id: Execution,
        timeout: float | None = None,  # noqa: ASYNC109  (the twin's signature; asyncio.timeout would cut a call)
        progress: Progress | bool | None = None,
        *,
        check: bool = False,
    ) -> ExecutionDetailAnswer:
        """As DataHub.wait."""
        name = name_execution(trace_id)
        patience = Patience(name, timeout)
        with choose_progress(progress, name) as show:
            while True:
                seen = await self._send(calls.get_execution(name))
                show(seen)
                delay_s = patience.delay_s_after(seen)
                if delay_s is None:
                    break
                await asyncio.sleep(delay_s)
        return check_end(seen) if check else seen


def _stream_options(endpoint: Endpoint, reading: EventReading, timeout_s: float) -> dict[str, Any]:
    silence_s = max(timeout_s, BEATS_MISSED_S)
    return {
        "method": "GET",
        "url": endpoint.url + reading.path,
        "headers": reading.open(),
        "timeout": httpx2.Timeout(timeout_s, read=silence_s),
    }
