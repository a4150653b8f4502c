"""An answer made while it is sent, on a real socket whose other end takes it slowly, or not at all."""

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import structlog
import uvicorn
from fastapi import FastAPI

from markethub.api import stepped_answers
from markethub.api.connections import BoundedConnection
from markethub.api.metrics import RequestMetrics
from markethub.api.stepped_answers import SteppedAnswer
from markethub.api.trace import RequestTrace
from tests.api.served_hub import bind_loopback

_PART = bytes(2**20)
_MANY = 64
"""More than the kernel keeps on both sides."""


@dataclass
class Readings:
    """How many are open now, and how many parts were made by all."""

    opened: int = 0
    made: int = 0

    def run(self, parts: int) -> Generator[bytes]:
        self.opened += 1
        try:
            for _ in range(parts):
                self.made += 1
                yield _PART
        finally:
            self.opened -= 1


class HastyConnection(BoundedConnection):
    stalled_s = 1.0


@asynccontextmanager
async def serving(
    readings: Readings, connection: type[BoundedConnection] = BoundedConnection
) -> AsyncIterator[uvicorn.Server]:
    """Serve ``/parts/{count}`` while the block lasts."""
    app = FastAPI()
    app.add_middleware(RequestTrace, metrics=RequestMetrics())

    @app.get("/parts/{count}")
    async def read_parts(count: int) -> SteppedAnswer:
        return await SteppedAnswer.begin(readings.run(count), "application/x", {})

    listener = bind_loopback()
    listener.listen(8)
    server = uvicorn.Server(
        uvicorn.Config(app, http=connection, lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    )
    with listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.01)
            yield server
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def asking(server: uvicorn.Server, count: int) -> AsyncIterator[socket.socket]:
    """A caller who has asked for so many parts."""
    with socket.socket() as caller:
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(caller, server.servers[0].sockets[0].getsockname())
        await loop.sock_sendall(caller, b"GET /parts/%d HTTP/1.1\r\nHost: hub\r\n\r\n" % count)
        yield caller


async def take_all(caller: socket.socket, most_bytes: int = 2**17, pause_s: float = 0.0) -> bytes:
    """Everything up to the answer's end, or to the connection's."""
    loop, taken = asyncio.get_running_loop(), bytearray()
    while not taken.endswith(b"\r\n0\r\n\r\n"):
        try:
            piece = await loop.sock_recv(caller, most_bytes)
        except ConnectionResetError:
            break
        if not piece:
            break
        taken += piece
        await asyncio.sleep(pause_s)
    return bytes(taken)


async def test_who_takes_nothing_keeps_no_reading_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepped_answers, "_TAKEN_WITHIN_S", 0.2)
    readings = Readings()
    with structlog.testing.capture_logs() as logs:
        async with serving(readings) as server, asking(server, _MANY) as caller, asyncio.timeout(60):
            while readings.made == 0 or readings.opened:  # noqa: ASYNC110 - a thread's doing
                await asyncio.sleep(0.01)
            assert readings.made < _MANY
            taken = await take_all(caller)
    assert taken.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"transfer-encoding: chunked" in taken
    assert not taken.endswith(b"\r\n0\r\n\r\n")
    assert len(taken) < _MANY * len(_PART)
    told = [one for one in logs if one["log_level"] != "debug"]
    assert [(one["event"], one["route"]) for one in told] == [
        ("an answer was broken off: its caller did not take it in time", "/parts/{count}")
    ]


async def test_one_who_takes_nothing_for_ever_loses_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepped_answers, "_TAKEN_WITHIN_S", 0.2)
    readings = Readings()
    async with serving(readings, HastyConnection) as server, asking(server, _MANY), asyncio.timeout(60):
        while readings.made == 0 or readings.opened:  # noqa: ASYNC110 - a thread's doing
            await asyncio.sleep(0.01)
        while server.server_state.connections:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)


async def test_a_slow_caller_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it takes 512 pauses, which is longer than a piece may take."""
    monkeypatch.setattr(stepped_answers, "_TAKEN_WITHIN_S", 1.5)
    readings = Readings()
    async with serving(readings) as server, asking(server, 16) as caller, asyncio.timeout(60):
        begun_s = asyncio.get_running_loop().time()
        taken = await take_all(caller, 2**15, pause_s=0.005)
        assert asyncio.get_running_loop().time() - begun_s > 1.5
    assert taken.endswith(b"\r\n0\r\n\r\n")
    assert taken.count(_PART) == 16
    assert readings.opened == 0
