"""What a connection counts, piece by piece, as no socket would deliver it twice alike."""

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from markethub.api.connections import BoundedConnection

START = b"GET / HTTP/1.1\r\nHost: a\r\n"


class Line(asyncio.Transport):
    """Takes what is written and remembers how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False
        self.aborted = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  (asyncio's signature)
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that never answers."""
    await asyncio.get_running_loop().create_future()


@pytest.fixture
async def line() -> Line:
    return Line()


@pytest.fixture
async def connection(line: Line) -> BoundedConnection:
    config = uvicorn.Config(silent, log_config=None)
    config.load()
    made = BoundedConnection(config, ServerState(), {}, asyncio.get_running_loop())
    made.connection_made(line)
    return made


async def test_a_head_without_an_end_is_refused_as_soon_as_it_is_too_long(
    connection: BoundedConnection, line: Line
) -> None:
    connection.data_received(START + b"X-Endless: ")
    connection.data_received(b"a" * 32_000)
    assert not line.is_closing()
    connection.data_received(b"a" * 1_000)
    assert line.closed
    assert line.written.startswith(b"HTTP/1.1 431 ")


async def test_what_came_before_a_head_in_one_piece_is_not_counted_to_it(
    connection: BoundedConnection, line: Line
) -> None:
    connection.data_received((START + b"\r\n") * 2_000 + START + b"X-Rest: ")
    connection.data_received(b"a" * 20_000)
    assert not line.is_closing()
    connection.data_received(b"a" * 20_000)
    # An answer is on its way on this line: nothing may be written into it.
    assert line.aborted
    assert line.written == b""


async def test_a_body_without_an_end_is_cut_off(connection: BoundedConnection, line: Line) -> None:
    connection.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    for _ in range(BoundedConnection.message_bytes // len(piece)):
        connection.data_received(piece)
        assert not line.is_closing()
    connection.data_received(piece)
    assert line.aborted


async def test_trailers_without_an_end_are_cut_off(connection: BoundedConnection, line: Line) -> None:
    connection.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    for number in range(200_000):
        connection.data_received(b"X-Trailer-%d: %s\r\n" % (number, b"a" * 100))
        if line.is_closing():
            break
    assert line.aborted
