"""HTTP connections with an end: how long a caller may take, and how much it may send, until there is a
request."""

import asyncio
from typing import NoReturn, cast

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from markethub.domain.errors import InputError
from markethub.wire.errors import ErrorBody, ErrorEnvelope


class BoundedConnection(HttpToolsProtocol):
    """Uvicorn's connection, which by itself waits for ever and keeps whatever it is sent.

    A request must be here with its whole body ``receive_s`` after its first byte, and the first byte as long
    after the connection was made. Its head may have ``head_bytes``, all of it ``message_bytes``. Who takes
    nothing of an answer for ``stalled_s`` is cut off.
    """

    receive_s = 30.0
    stalled_s = 120.0
    head_bytes = 32_768
    message_bytes = 8_000_000

    _receiving: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _is_in_head = True
    _messages = 0
    _size = 0
    _refusal: tuple[int, str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self._await_message()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_waiting()
        self._end_stall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_idle():
            # Even an empty line, which begins no request, ends uvicorn's own wait for the next one.
            self._await_message()
        message = self._messages
        super().data_received(data)
        if message != self._messages or self.transport.is_closing():
            return
        # What has no end yet is with the parser, which does not say how much it has.
        self._size += len(data)
        if self._is_in_head and self._size > self.head_bytes:
            self._answer_refusal(*self._head_too_large())
        elif self._size > self.message_bytes:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._messages += 1
        self._size = 0
        self._is_in_head = True
        self._await_message()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.head_bytes:
            self._stop_parsing(*self._head_too_large())
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._end_waiting()
        self._messages += 1
        self._size = 0
        self._is_in_head = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_stall(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._end_stall()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed; uvicorn's own way to do so knows no envelope."""
        self._answer_refusal(*(self._refusal or (400, f"this is not HTTP/1.1 as RFC 9112 has it: {msg}")))

    def _is_idle(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None until the first request
        return cycle is None or cycle.response_complete

    def _await_message(self) -> None:
        if self._receiving is None:
            self._receiving = self.loop.call_later(self.receive_s, self.transport.abort)

    def _end_waiting(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None

    def _watch_stall(self, left_bytes: int) -> None:
        self._end_stall()
        self._stalled = self.loop.call_later(self.stalled_s, self._judge_stall, left_bytes)

    def _judge_stall(self, left_bytes: int) -> None:
        # One large write may be on its way for long: slow is allowed, still is not.
        now_left = self.transport.get_write_buffer_size()
        if now_left < left_bytes:
            self._watch_stall(now_left)
        else:
            self.transport.abort()

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _head_too_large(self) -> tuple[int, str]:
        return 431, f"path, query and headers may have {self.head_bytes} bytes together"

    def _stop_parsing(self, status: int, message: str) -> NoReturn:
        self._refusal = (status, message)
        raise InputError(message)  # the parser hands it to uvicorn, which calls send_400_response

    def _answer_refusal(self, status: int, message: str) -> None:
        if not self._is_idle():
            # An earlier request is being answered: nothing may stand in the middle of that.
            self.transport.abort()
            return
        envelope = ErrorEnvelope(error=ErrorBody(code=InputError.code, message=message))
        body = orjson.dumps(envelope.model_dump())
        head = (
            b"content-type: application/json\r\nx-content-type-options: nosniff\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n" % len(body)
        )
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
