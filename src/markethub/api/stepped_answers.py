"""Answers that are made while they are sent."""

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping
from typing import Self

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from markethub.api.table_streams import Part
from markethub.api.trace import IS_HEAD

_PIECE_BYTES = 2**20
_TAKEN_WITHIN_S = 60.0
_log = structlog.get_logger(__name__)


class SteppedAnswer(StreamingResponse):
    """An answer of parts from a generator that blocks; each is made on a thread while the last is sent.

    However it ends, the generator is closed: sent in full, the caller gone, or an error, which breaks the
    connection before the end that HTTP marks, so that half an answer is never taken for a whole one. A caller
    who takes less than a megabyte in a minute is broken off likewise while there is more to read: the store
    keeps all that is written meanwhile for as long as its reading is open.
    """

    @classmethod
    async def begin(cls, parts: Generator[Part], media_type: str, headers: Mapping[str, str]) -> Self:
        """Make the first part; its errors are raised here, where they can still be told with their status."""
        steps = _Steps(parts)
        await steps.look_ahead()
        return cls(steps, media_type=media_type, headers=headers)

    def __init__(self, steps: "_Steps", *, media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(steps, media_type=media_type, headers=headers)
        self._steps = steps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope.get(IS_HEAD):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await super().__call__(scope, receive, self._hurry(send))
        except _NotTakenError:
            # The server closes what ends without its end; an error would be told as a crash of ours.
            _log.warning(
                "an answer was broken off: its caller did not take it in time",
                route=getattr(scope.get("route"), "path_format", "unmatched"),
                piece_bytes=_PIECE_BYTES,
                within_s=_TAKEN_WITHIN_S,
            )
        finally:
            await self._steps.close()

    def _hurry(self, send: Send) -> Send:
        async def send_in_time(message: Message) -> None:
            # The server's send waits until what was sent before has gone to the caller's side.
            limit_s = None if self._steps.are_made else _TAKEN_WITHIN_S
            try:
                async with asyncio.timeout(limit_s) as limit:
                    await send(message)
            except TimeoutError:
                if limit.expired():
                    raise _NotTakenError from None
                raise

        return send_in_time


class _NotTakenError(Exception):
    """No OSError, as TimeoutError is: Starlette takes those for a caller who left."""


class _Steps:
    """The parts in pieces of ``_PIECE_BYTES`` at most; one part is taken ahead."""

    def __init__(self, parts: Generator[Part]) -> None:
        self._parts = parts
        self._next = self._take()
        self._rest = memoryview(b"")

    @property
    def are_made(self) -> bool:
        """Whether the generator has come to its end, so that nothing is kept open for the caller's sake."""
        made = self._next
        return made.done() and not made.cancelled() and made.exception() is None and made.result() is None

    async def look_ahead(self) -> None:
        try:
            await asyncio.shield(self._next)
        except BaseException:
            await self.close()
            raise

    def __aiter__(self) -> AsyncIterator[Part]:
        return self

    async def __anext__(self) -> Part:
        if not self._rest:
            # A thread cannot be stopped: who is cancelled here leaves it to its step; close() waits for it.
            part = await asyncio.shield(self._next)
            if part is None:
                raise StopAsyncIteration
            self._next = self._take()
            self._rest = memoryview(part)
        piece, self._rest = self._rest[:_PIECE_BYTES], self._rest[_PIECE_BYTES:]
        return piece

    async def close(self) -> None:
        # A task of its own, since whoever closes may be cancelled in the middle of it.
        await asyncio.shield(asyncio.create_task(self._close()))

    async def _close(self) -> None:
        await asyncio.gather(self._next, return_exceptions=True)
        await asyncio.to_thread(self._parts.close)

    def _take(self) -> "asyncio.Task[Part | None]":
        return asyncio.create_task(asyncio.to_thread(next, self._parts, None))
