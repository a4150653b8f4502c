"""Callers who send too slowly, too much, or no HTTP at all."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import httpx2
import orjson
import pytest

from markethub.api.connections import BoundedConnection
from tests.api.bare_served import bare_served
from tests.api.served_hub import ServedHub

PATIENCE_S = 30.0
HURRY_S = 0.3


class BriefConnection(BoundedConnection):
    receive_s = PATIENCE_S
    stalled_s = PATIENCE_S
    message_bytes = 2_000_000

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        self.timeout_keep_alive = 1
        super().connection_made(transport)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    """A hub that keeps nobody long who says nothing, and waits for a whole request only until ``hurry``."""
    with bare_served(tmp_path_factory.mktemp("hasty"), connection=BriefConnection) as served:
        yield served


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Give each request that begins from now on only so many seconds to be here.

    Only where somebody is to be cut off: a slow machine would cut off those who are in time too.
    """
    return lambda receive_s: monkeypatch.setattr(BriefConnection, "receive_s", receive_s)


@pytest.fixture
def hurried(hurry: Callable[[float], None]) -> None:
    """Hurry from the start; to be asked for before ``line``, whose first wait begins as it connects."""
    hurry(HURRY_S)


@pytest.fixture
def line(hasty: ServedHub) -> Iterator[socket.socket]:
    with connected(hasty) as line:
        yield line


@contextlib.contextmanager
def connected(served: ServedHub) -> Iterator[socket.socket]:
    url = httpx2.URL(served.url)
    with socket.create_connection((url.host, url.port or 80), PATIENCE_S) as line:
        line.settimeout(PATIENCE_S)
        yield line


def read_to_end(line: socket.socket) -> bytes:
    """All that comes until the other side closes, politely or not; fails if it never does."""
    content = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := line.recv(65_536):
            content += part
    return bytes(content)


def head(*lines: str) -> bytes:
    return "\r\n".join((*lines, "Host: 127.0.0.1", "", "")).encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def envelope_of(answer: bytes) -> dict[str, str]:
    top, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in top.lower()
    assert b"x-content-type-options: nosniff" in top.lower()
    error: dict[str, str] = orjson.loads(body)["error"]
    return error


def bearer(served: ServedHub) -> str:
    return f"Authorization: Bearer {served.tokens['admin']}"


def test_an_ordinary_request_is_answered(line: socket.socket) -> None:
    line.sendall(head("GET /openapi.json HTTP/1.1", "Connection: close"))
    assert status_of(read_to_end(line)) == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET",
        b"\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    ],
)
def test_who_sends_no_whole_head_is_cut_off(hurried: None, line: socket.socket, sent: bytes) -> None:
    line.sendall(sent)
    assert read_to_end(line) == b""


def test_drops_of_a_head_buy_no_time(hurried: None, line: socket.socket) -> None:
    line.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for number in range(int(PATIENCE_S * 20)):
            line.sendall(f"X-Drop-{number}: 1\r\n".encode())
            line.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                assert line.recv(100) == b""
                return
    # Reset while something was on its way: that is an end too.


@pytest.mark.parametrize("after", [b"", b"\r\n", b"GET / HTT"])
def test_a_kept_connection_that_falls_silent_is_cut_off(
    hasty: ServedHub, hurry: Callable[[float], None], line: socket.socket, after: bytes
) -> None:
    line.sendall(head("GET /openapi.json HTTP/1.1"))
    start = line.recv(100)
    assert start.startswith(b"HTTP/1.1 200")
    hurry(HURRY_S)
    line.sendall(after)
    assert b"HTTP/1.1 4" not in read_to_end(line)


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_is_not_waited_for(
    hurried: None, hasty: ServedHub, line: socket.socket, framing: str
) -> None:
    line.sendall(
        head(
            "POST /api/v1/backfill/symbols HTTP/1.1",
            bearer(hasty),
            "Content-Type: application/json",
            framing,
        )
    )
    assert read_to_end(line) == b""


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        ("GET /api/v1/jobs?search=" + "a" * 40_000 + " HTTP/1.1", []),
        ("GET /" + "a" * 40_000 + " HTTP/1.1", []),
        ("GET / HTTP/1.1", ["X-Long: " + "a" * 40_000]),
        ("GET / HTTP/1.1", [f"X-{number}: {number}" for number in range(5_000)]),
    ],
)
def test_a_head_that_is_too_large_is_refused(line: socket.socket, first: str, rest: list[str]) -> None:
    line.sendall(head(first, *rest))
    answer = read_to_end(line)
    assert status_of(answer) == 431
    error = envelope_of(answer)
    assert error["code"] == "VALIDATION_ERROR"
    assert "32768 bytes" in error["message"]


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nX-Endless: ", b"GET /"])
def test_a_head_without_an_end_is_refused_while_it_comes(line: socket.socket, start: bytes) -> None:
    sent = 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        line.sendall(start)
        for _ in range(10_000):
            line.sendall(b"a" * 10_000)
            sent += 10_000
    assert sent < 50_000_000
    answer = read_to_end(line)
    assert answer == b"" or status_of(answer) == 431


def test_a_head_just_below_the_limit_is_read(hasty: ServedHub, line: socket.socket) -> None:
    line.sendall(head("GET /openapi.json HTTP/1.1", "Connection: close", "X-Long: " + "a" * 32_000))
    assert status_of(read_to_end(line)) == 200


def test_many_requests_in_one_piece_are_not_taken_for_one(line: socket.socket) -> None:
    line.sendall(head("GET /nowhere HTTP/1.1") * 900 + head("GET /nowhere HTTP/1.1", "Connection: close"))
    assert read_to_end(line).count(b"HTTP/1.1 404") == 901


@pytest.mark.parametrize("kind", ["declared", "chunked"])
def test_a_body_that_is_refused_is_not_listened_to_for_ever(
    hasty: ServedHub, line: socket.socket, kind: str
) -> None:
    framing = "Content-Length: 999999999" if kind == "declared" else "Transfer-Encoding: chunked"
    part = b"a" * 50_000
    part = part if kind == "declared" else b"%x\r\n%s\r\n" % (len(part), part)
    sent = 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        line.sendall(
            head(
                "POST /api/v1/backfill/symbols HTTP/1.1",
                bearer(hasty),
                "Content-Type: application/json",
                framing,
            )
        )
        for _ in range(2_000):
            line.sendall(part)
            sent += len(part)
    assert sent < 20_000_000
    answer = read_to_end(line)
    assert answer == b"" or status_of(answer) == 413


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"<script>alert(1)</script>\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_without_repeating_it(line: socket.socket, sent: bytes) -> None:
    line.sendall(sent)
    answer = read_to_end(line)
    assert 400 <= status_of(answer) < 500
    assert b"script" not in answer
    if status_of(answer) == 400:
        assert envelope_of(answer)["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_an_offer_to_change_the_protocol_is_not_taken(line: socket.socket, protocol: str) -> None:
    line.sendall(head("GET /openapi.json HTTP/1.1", "Connection: Upgrade", f"Upgrade: {protocol}"))
    answer = read_to_end(line)
    assert status_of(answer) in (200, 400)


def test_who_takes_nothing_of_an_answer_is_cut_off(hasty: ServedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BriefConnection, "stalled_s", HURRY_S)
    url = httpx2.URL(hasty.url)
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.settimeout(PATIENCE_S)
        line.connect((url.host, url.port))
        # Answers of more than all buffers between us hold, and nobody who reads them.
        line.sendall(head("GET /openapi.json HTTP/1.1") * 300)
        end_s = time.monotonic() + PATIENCE_S
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() < end_s:
                line.send(b"\r\n")
                time.sleep(0.02)
            pytest.fail("nobody cut the line")


async def test_slow_callers_keep_nobody_else_waiting(
    hurry: Callable[[float], None], hasty: ServedHub
) -> None:
    hurry(10 * HURRY_S)  # the others are in time, and the slow ones are still there when they come
    url = httpx2.URL(hasty.url)
    slow = [await asyncio.open_connection(url.host, url.port) for _ in range(100)]
    for _, writer in slow:
        writer.write(b"GET / HTTP/1.1\r\n")
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        answers = await asyncio.gather(*(client.get(f"{hasty.url}/openapi.json") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    for reader, writer in slow:
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        writer.close()
