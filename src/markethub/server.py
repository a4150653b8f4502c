"""Run one node: bind, open the hub, serve, drain."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from pathlib import Path

import structlog
import uvicorn
import uvloop

from markethub.api.access import AccessRules
from markethub.api.app import create_api
from markethub.api.connections import BoundedConnection
from markethub.app import open_hub
from markethub.config import Settings
from markethub.listening import bind_listener, check_opened_on_purpose, is_open_to_others, url_of
from markethub.log_format import configure_logging
from markethub.registry import registered, write_private
from markethub.reloading import reload_when
from markethub.services.access import create_first_admin
from markethub.services.execution_events import EventFeeds
from markethub.services.hub import Hub
from markethub.tls import check_server_tls, shown_certificate

TOKEN_FILE = "admin.token"  # noqa: S105  (a file name)

_log = structlog.get_logger(__name__)

Announce = Callable[[str], None]
"""Takes a line meant for the person at the terminal."""

ReadSettings = Callable[[], Settings]
"""Reads the settings as they are now, from where they were read at the start."""


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its signal handling: it would kill the process before the engine has drained."""

    def __init__(self, config: uvicorn.Config, feeds: EventFeeds) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._feeds = feeds

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
        # Streams of events would last as long as the executions that they are about.
        self._feeds.close()


def run_server(read: ReadSettings, announce: Announce) -> None:
    """Serve until SIGTERM or SIGINT, then drain; on SIGHUP read the settings again.

    StoreLockedError while another server holds the data folder; UnavailableError when the address is taken;
    InputError when other machines could reach it, and nobody has made a token on purpose, and when its
    certificate cannot be used.
    """
    settings = read()
    configure_logging(settings.server.log_format, settings.server.log_level)
    check_server_tls(settings)
    host, port = settings.server.host, settings.server.port
    with bind_listener(host, port) as listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if is_open_to_others(listener):
            runner.run(check_opened_on_purpose(settings))
        runner.run(_serve(settings, read, listener, announce))


def access_rules(settings: Settings) -> AccessRules:
    """Who may ask how much, as the settings have it; what opens the door to all is logged."""
    if settings.dms.auth == "none":
        _log.warning("dms.auth is none: whoever reaches the port may read and steer under /api/dms")
    return AccessRules(
        requests_per_minute=settings.access.requests_per_minute,
        burst_requests=settings.access.burst_requests,
        failed_logins_per_minute=settings.access.failed_logins_per_minute,
        cors_origins=frozenset(settings.access.cors_origins),
        dms_auth=settings.dms.auth,
    )


async def _serve(settings: Settings, read: ReadSettings, listener: socket.socket, announce: Announce) -> None:
    loop = asyncio.get_running_loop()
    wanted = asyncio.Event()
    # From the first moment on: by default SIGHUP kills.
    loop.add_signal_handler(signal.SIGHUP, wanted.set)
    # Keys are checked beside everything else: an exchange that is away delays nothing.
    port = listener.getsockname()[1]
    async with open_hub(settings, port=port) as hub, _meanwhile(hub.accounts.check()):
        await _ensure_admin_token(hub, settings.data_dir, announce)
        api = create_api(
            hub,
            answer_tokens=settings.mcp.answer_tokens,
            access=access_rules(settings),
        )
        server = _Uvicorn(
            uvicorn.Config(
                api,
                http=BoundedConnection,
                log_config=None,
                access_log=False,
                lifespan="on",
                server_header=False,
                # Longer than clients keep an idle connection, or they would send into one that is closing.
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(1, int(settings.server.drain_s)),
                ssl_certfile=settings.server.tls_cert_file,
                ssl_keyfile=settings.server.tls_key_file,
            ),
            api.state.event_feeds,
        )
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, server.stop)
        async with _meanwhile(reload_when(wanted, hub, settings, read)), asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            await server.listening.wait()
            certificate = shown_certificate(settings)
            url = url_of(listener, is_tls=certificate is not None)
            tasks.create_task(_stay_registered(server, settings.data_dir, url, certificate))
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


async def _stay_registered(server: _Uvicorn, data_dir: Path, url: str, certificate: str | None) -> None:
    """Tell local clients where this node is, for as long as it serves."""
    with registered(data_dir, url, certificate):
        while not server.should_exit:  # noqa: ASYNC110  (a flag that uvicorn polls too)
            await asyncio.sleep(0.1)


async def _ensure_admin_token(hub: Hub, data_dir: Path, announce: Announce) -> None:
    token = await create_first_admin(hub.database, hub.clock())
    if token is None:
        return
    path = data_dir / TOKEN_FILE
    write_private(path, token.encode())
    announce(f"Admin token (shown once; this machine's own clients read it from {path}): {token}")
