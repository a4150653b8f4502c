"""The sandbox as one web application, and how to run it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from markethub.sandbox import binance, gate, okx, yahoo
from markethub.sandbox.control import Meters, create_control_app
from markethub.sandbox.faults import STOPPING, FaultPlan
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.market import Market
from markethub.sandbox.recorded import Recordings
from markethub.sandbox.settings import SandboxSettings
from markethub.sandbox.traffic import Traffic

# One folder per venue; each offers `mounts`.
_VENUES: Final = (binance, okx, gate, yahoo)
_TRAFFIC: Final = web.AppKey("TRAFFIC", Traffic)
_SHUTDOWN_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers at ``url`` (no trailing slash); ``stats`` are its live counts."""

    url: str
    stats: Traffic


def create_sandbox(settings: SandboxSettings) -> web.Application:
    """The whole sandbox: every venue it plays, and its own doors below ``/sandbox``.

    InputError if the fault plan of the settings cannot be read.
    """
    market = Market(settings.seed, SymbolCatalog(settings.generated_symbols), Recordings.load())
    traffic, faults = Traffic(settings.clock), FaultPlan()
    if settings.fault_plan is not None:
        faults.load(settings.fault_plan)
    meters: Meters = {}
    app = web.Application(middlewares=[traffic.middleware(), faults.middleware()])
    app[_TRAFFIC] = traffic
    app[STOPPING] = asyncio.Event()
    app.on_shutdown.append(_end_hanging_replies)
    app.add_subapp("/sandbox", create_control_app(market.recordings, traffic, meters, faults))
    for venue in _VENUES:
        for path, door in venue.mounts(market, settings, meters):
            app.add_subapp(path, door)
    return app


@asynccontextmanager
async def running_sandbox(
    settings: SandboxSettings | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[RunningSandbox]:
    """Run a sandbox in this event loop while the block lasts; port 0 takes a free one.

    Raises OSError if the address cannot be bound.
    """
    app = create_sandbox(settings or SandboxSettings())
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_TIMEOUT_S
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound_host, bound_port = runner.addresses[0][:2]
        shown_host = f"[{bound_host}]" if ":" in bound_host else bound_host
        yield RunningSandbox(f"http://{shown_host}:{bound_port}", app[_TRAFFIC])
    finally:
        await runner.cleanup()


async def serve_sandbox(
    settings: SandboxSettings,
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until cancelled, then finish the replies under way; ``on_ready`` is told the URL.

    The sandbox knows no passwords: bind it to a loopback address.
    """
    async with running_sandbox(settings, host, port) as sandbox:
        if on_ready is not None:
            on_ready(sandbox.url)
        await asyncio.Event().wait()


async def _end_hanging_replies(app: web.Application) -> None:
    app[STOPPING].set()
