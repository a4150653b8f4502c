"""A hub behind uvicorn on a loopback socket, in a thread of its own."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import uvicorn

from markethub.api.access import AccessRules
from markethub.api.app import create_api
from markethub.api.connections import BoundedConnection
from markethub.ports.clock import system_clock
from markethub.services.access import SCOPES, create_token
from markethub.services.hub import Hub

OpenHub = Callable[[], AbstractAsyncContextManager[Hub]]

UNLIMITED = AccessRules(requests_per_minute=0, failed_logins_per_minute=1_000_000)
"""For tests of anything else than limits."""


@dataclass
class ServedHub:
    """Where the hub listens, and one token for each scope by the scope's name."""

    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def served_hub(
    open_hub: OpenHub,
    access: AccessRules = UNLIMITED,
    connection: type[BoundedConnection] = BoundedConnection,
    listener: socket.socket | None = None,
) -> Iterator[ServedHub]:
    """Serve the hub that ``open_hub`` opens, while the block lasts; what fails inside is raised here.

    ``listener`` is bound already, where others have to know the port before; else any free port is taken.
    """
    served, ready, stop = ServedHub(), threading.Event(), threading.Event()
    with ThreadPoolExecutor(1, "served hub") as executor:
        running = executor.submit(
            lambda: asyncio.run(
                _serve(
                    open_hub,
                    access=access,
                    connection=connection,
                    listener=listener or bind_loopback(),
                    served=served,
                    ready=ready,
                    stop=stop,
                )
            )
        )
        running.add_done_callback(lambda _: ready.set())
        try:
            ready.wait(60)
            if not running.done():
                yield served
        finally:
            stop.set()
            running.result(60)


def bind_loopback() -> socket.socket:
    """A socket of a free port."""
    # asyncio turns Nagle's delay off only where the protocol number says TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


async def _serve(
    open_hub: OpenHub,
    *,
    access: AccessRules,
    connection: type[BoundedConnection],
    listener: socket.socket,
    served: ServedHub,
    ready: threading.Event,
    stop: threading.Event,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(listener)
        hub = await stack.enter_async_context(open_hub())
        for scope in SCOPES:
            served.tokens[scope], _ = await create_token(
                hub.database, system_clock(), name=scope, scopes=[scope]
            )
        listener.listen(64)
        server = uvicorn.Server(
            uvicorn.Config(
                create_api(hub, access=access),
                http=connection,
                lifespan="on",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=5,
                timeout_keep_alive=75,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        served.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ready.set()
        await asyncio.to_thread(stop.wait)
        server.should_exit = True
        await serving
