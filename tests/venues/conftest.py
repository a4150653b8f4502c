"""A loopback HTTP server that answers as a test wishes, and the recorded payloads."""

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAYLOADS = Path(__file__).parent / "payloads"


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    """Start a server that gives every request to one handler; returns its base URL."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture(scope="session")
def payload() -> Callable[[str], bytes]:
    """Read a recorded payload by file name, unpacked if it ends in ``.gz``."""

    def read(name: str) -> bytes:
        body = (_PAYLOADS / name).read_bytes()
        return gzip.decompress(body) if name.endswith(".gz") else body

    return read
