"""Files that are made when someone asks for them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from markethub.sandbox.byte_cache import ByteCache


@dataclass(frozen=True, slots=True)
class _Packed:
    content: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.content)


class Packing:
    """Makes files off the event loop, and each one once however many ask for it together."""

    def __init__(self, cache_bytes: int) -> None:
        self._kept: ByteCache[str, _Packed] = ByteCache(cache_bytes)
        self._making: dict[str, asyncio.Task[bytes | None]] = {}

    async def fetch(self, path: str, make: Callable[[], bytes | None]) -> bytes | None:
        """The file's bytes; None where there is nothing to put in."""
        if (kept := self._kept.find(path)) is not None:
            return kept.content
        if (task := self._making.get(path)) is None:
            task = self._making[path] = asyncio.create_task(asyncio.to_thread(make))
            task.add_done_callback(lambda done: self._finish(path, done))
        # Shielded: that one client hangs up must not end the work the others wait for.
        return await asyncio.shield(task)

    def _finish(self, path: str, done: "asyncio.Task[bytes | None]") -> None:
        del self._making[path]
        if not done.cancelled() and done.exception() is None and (content := done.result()) is not None:
            self._kept.keep(path, _Packed(content))
