"""The sandbox in a thread of this process, telling when each request came in.

It shares this process's clock: an arrival can be compared with the moment something was sent from here.
"""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from markethub.sandbox import SandboxSettings, create_sandbox

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StampedSandbox:
    """``arrivals_s`` are the ``time.perf_counter`` times at which requests came in, ascending."""

    url: str
    arrivals_s: list[float] = field(default_factory=list)


@contextmanager
def running_stamped_sandbox() -> Iterator[StampedSandbox]:
    """A sandbox without limits that answers while the block lasts."""
    arrivals_s: list[float] = []
    app = create_sandbox(SandboxSettings(weight_per_minute=None, raw_requests_per_5_minutes=None))
    app.middlewares.insert(0, _stamp(arrivals_s))
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=5.0)
    with _running_loop() as loop:
        try:
            yield StampedSandbox(_call(loop, _start(runner)), arrivals_s)
        finally:
            _call(loop, runner.cleanup())


async def _start(runner: web.AppRunner) -> str:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


def _stamp(arrivals_s: list[float]) -> Middleware:
    @web.middleware
    async def stamp(request: web.Request, handler: Handler) -> web.StreamResponse:
        arrivals_s.append(time.perf_counter())
        return await handler(request)

    return stamp


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stamped sandbox")
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _call(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()
