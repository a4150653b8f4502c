"""Run one node: bind, open the hub, serve, drain."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from pathlib import Path

import orjson
import uvicorn
import uvloop

from markethub.api.app import create_api
from markethub.app import open_hub
from markethub.config import Settings
from markethub.domain.errors import UnavailableError
from markethub.log_format import configure_logging
from markethub.services.access import create_token, list_tokens
from markethub.services.hub import Hub

TOKEN_FILE = "admin.token"  # noqa: S105  (a file name)
REGISTRY_FILE = "server.json"

Announce = Callable[[str], None]
"""Takes a line meant for the person at the terminal."""


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its signal handling: it would kill the process before the engine has drained."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def stop(self) -> None:
        """The first signal ends politely, the second one drops open connections."""
        self.force_exit = self.should_exit
        self.should_exit = True


def run_server(settings: Settings, announce: Announce) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    StoreLockedError while another server holds the data folder; UnavailableError when the address is taken.
    """
    configure_logging(settings.server.log_format, settings.server.log_level)
    with _bind(settings) as listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener, announce))


async def _serve(settings: Settings, listener: socket.socket, announce: Announce) -> None:
    # Keys are checked beside everything else: an exchange that is away delays nothing.
    async with open_hub(settings) as hub, _meanwhile(hub.accounts.check()):
        await _ensure_admin_token(hub, settings.data_dir, announce)
        server = _Uvicorn(
            uvicorn.Config(
                create_api(hub, answer_tokens=settings.mcp.answer_tokens),
                log_config=None,
                access_log=False,
                lifespan="on",
                server_header=False,
                timeout_graceful_shutdown=max(1, int(settings.server.drain_s)),
            )
        )
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, server.stop)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            await server.listening.wait()
            url = _url(listener)
            tasks.create_task(_stay_registered(server, settings.data_dir, url))
            announce(f"MarketHub listens on {url}, its data in {settings.data_dir}; docs at {url}/docs")
        announce("Draining: running work finishes, or goes back to the queue")


@contextlib.asynccontextmanager
async def _meanwhile(work: Coroutine[object, object, object]) -> AsyncIterator[None]:
    """Do ``work`` beside the block, and cancel what of it is left at the block's end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _bind(settings: Settings) -> socket.socket:
    host, port = settings.server.host, settings.server.port
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # With the protocol spelled out asyncio sees TCP and sets TCP_NODELAY: 40 ms less an answer.
        listener = socket.socket(info[0], info[1], info[2])
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(info[4])
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UnavailableError(
            f"cannot listen on {host}:{port}: {error.strerror}; set another with --port or server.port"
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    # An address that means "all interfaces" is no address to call.
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


async def _stay_registered(server: _Uvicorn, data_dir: Path, url: str) -> None:
    """Tell local clients where this node is, for as long as it serves."""
    with _registered(data_dir, url):
        while not server.should_exit:  # noqa: ASYNC110  (a flag that uvicorn polls too)
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def _registered(data_dir: Path, url: str) -> Iterator[None]:
    registry = data_dir / REGISTRY_FILE
    _write_private(registry, orjson.dumps({"url": url, "pid": os.getpid()}))
    try:
        yield
    finally:
        registry.unlink(missing_ok=True)


async def _ensure_admin_token(hub: Hub, data_dir: Path, announce: Announce) -> None:
    if await list_tokens(hub.database):
        return
    token, _ = await create_token(hub.database, hub.clock(), name="first admin", scopes=["admin"])
    path = data_dir / TOKEN_FILE
    _write_private(path, token.encode())
    announce(f"Admin token (shown once; this machine's own clients read it from {path}): {token}")


def _write_private(path: Path, content: bytes) -> None:
    """Replace the file in one step; nobody but its owner can ever read it."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
