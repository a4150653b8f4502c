"""Answers that are made while they are sent."""

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping
from typing import Self

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from markethub.api.table_streams import Part
from markethub.api.trace import IS_HEAD


class SteppedAnswer(StreamingResponse):
    """An answer of parts from a generator that blocks; each is made on a thread while the last is sent.

    However it ends, the generator is closed: sent in full, the caller gone, or an error, which breaks the
    connection before the end that HTTP marks, so that half an answer is never taken for a whole one.
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
                await super().__call__(scope, receive, send)
        finally:
            await self._steps.close()


class _Steps:
    """The parts, one taken ahead."""

    def __init__(self, parts: Generator[Part]) -> None:
        self._parts = parts
        self._next = self._take()

    async def look_ahead(self) -> None:
        try:
            await asyncio.shield(self._next)
        except BaseException:
            await self.close()
            raise

    def __aiter__(self) -> AsyncIterator[Part]:
        return self

    async def __anext__(self) -> Part:
        # A thread cannot be stopped: who is cancelled here leaves it to its step, and close() waits for it.
        part = await asyncio.shield(self._next)
        if part is None:
            raise StopAsyncIteration
        self._next = self._take()
        return part

    async def close(self) -> None:
        # A task of its own, since whoever closes may be cancelled in the middle of it.
        await asyncio.shield(asyncio.create_task(self._close()))

    async def _close(self) -> None:
        await asyncio.gather(self._next, return_exceptions=True)
        await asyncio.to_thread(self._parts.close)

    def _take(self) -> "asyncio.Task[Part | None]":
        return asyncio.create_task(asyncio.to_thread(next, self._parts, None))
