"""A TCP link between two nodes that can be made as bad as a real one, while it runs."""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_PIECE_BYTES = 64 * 1024
_SLOW_PIECES_PER_S = 20
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for a close that is a reset."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What a link does to what goes through it; a good link where nothing is said.

    ``down`` resets every connection, those that are open too. ``cut_after_bytes`` closes each connection in
    the middle of its answers, that many bytes after the weather came up. ``bytes_per_s`` holds for all
    answers of the link together. ``stalled`` lets no byte pass, and keeps what came until it ends.
    ``delay_s`` holds up each piece, of 64 KiB at most, in both directions.
    """

    down: bool = False
    stalled: bool = False
    delay_s: float = 0.0
    bytes_per_s: float | None = None
    cut_after_bytes: int | None = None


FINE = Weather()


def draw_weather(chance: random.Random) -> Weather:
    """One of all kinds of weather, bad more often than not."""
    return chance.choice(
        [
            FINE,
            Weather(down=True),
            Weather(stalled=True),
            Weather(delay_s=chance.uniform(0.001, 0.05)),
            Weather(bytes_per_s=chance.uniform(20_000, 2_000_000)),
            Weather(cut_after_bytes=int(10 ** chance.uniform(1, 6))),
        ]
    )


class LinkProxy:
    """Listens on a free port of this machine and passes on to ``target``; one event loop uses it.

    Where nobody listens at ``target``, or there is none yet, connections are reset.
    """

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.answered_bytes = 0
        """How much went back to those who asked, in all weather."""
        self._weather = FINE
        self._changed = asyncio.Event()
        self._answers_free_s = 0.0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def weather(self) -> Weather:
        return self._weather

    def turn(self, weather: Weather) -> None:
        """Change the weather, for connections that are open too."""
        self._weather = weather
        self._changed.set()
        self._changed = asyncio.Event()
        if weather.down:
            for writer in self._open:
                _reset(writer)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.turn(Weather(down=True))
        await self._server.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if self._weather.down or self.target is None:
                return
            far_reader, far = await asyncio.open_connection(*self.target)
            self._open.add(far)
            async with asyncio.TaskGroup() as pumps:
                asked = pumps.create_task(self._pump(reader, far, answers=False))
                await self._pump(far_reader, writer, answers=True)
                asked.cancel()  # a server that has closed reads no more
            writer.close()  # in good order: what was sent on arrives, and then the end
        except* OSError:
            pass  # either end is gone, so both are
        finally:
            for end in (writer, far):
                if end is not None:
                    self._open.discard(end)
                    if not end.is_closing():
                        _reset(end)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        """Pass on until the end of either side, or until the link cuts it."""
        passed, weather = 0, self._weather
        while piece := await reader.read(self._piece_bytes(answers=answers)):
            while self._weather.stalled:
                await self._changed.wait()
            if self._weather is not weather:
                passed, weather = 0, self._weather
            if answers:
                piece = self._cut(piece, passed)
                passed += len(piece)
                self.answered_bytes += len(piece)
            await self._hold_up(len(piece) if answers else 0)
            writer.write(piece)
            await writer.drain()
            if answers and passed == weather.cut_after_bytes:
                return
        if writer.can_write_eof():
            writer.write_eof()

    def _piece_bytes(self, *, answers: bool) -> int:
        speed = self._weather.bytes_per_s
        if speed is None or not answers:
            return _PIECE_BYTES
        return max(1, int(min(_PIECE_BYTES, speed / _SLOW_PIECES_PER_S)))

    def _cut(self, piece: bytes, passed: int) -> bytes:
        most = self._weather.cut_after_bytes
        return piece if most is None else piece[: most - passed]

    async def _hold_up(self, answered: int) -> None:
        weather = self._weather
        if weather.delay_s:
            await asyncio.sleep(weather.delay_s)
        if weather.bytes_per_s is not None and answered:
            now_s = asyncio.get_running_loop().time()
            self._answers_free_s = max(now_s, self._answers_free_s) + answered / weather.bytes_per_s
            await asyncio.sleep(self._answers_free_s - now_s)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


class Link:
    """A ``LinkProxy`` on another thread's loop, for programs without one."""

    def __init__(self, proxy: LinkProxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop
        self.port = proxy.port

    @property
    def answered_bytes(self) -> int:
        return self._proxy.answered_bytes

    def turn(self, weather: Weather) -> None:
        """Change the weather; it counts when this returns."""

        async def turn() -> None:
            self._proxy.turn(weather)

        asyncio.run_coroutine_threadsafe(turn(), self._loop).result()

    def lead_to(self, url: str) -> None:
        """Pass new connections on to the host and port of ``url``."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._proxy.target = (parts.hostname, parts.port)


@contextmanager
def running_links(count: int) -> Iterator[list[Link]]:
    """That many links, all on one thread of their own."""
    opened: Future[tuple[list[Link], asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as stack:
            links = [Link(await stack.enter_async_context(LinkProxy()), loop) for _ in range(count)]
            opened.set_result((links, loop, end))
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    links, loop, end = opened.result(20)
    try:
        yield links
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
