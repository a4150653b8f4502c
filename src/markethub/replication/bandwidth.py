"""A cap on bytes a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable

_PIECE_S = 0.05
"""What a piece may hold ahead of its time; so the cap holds over any second."""


class Bandwidth:
    """Lets ``bytes_per_s`` pass, as far as whoever moves bytes takes turns for them; None lets all pass.

    ``piece_bytes`` is how much to move at once. One event loop uses it; several streams share the cap.
    """

    def __init__(
        self,
        bytes_per_s: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._free_s = clock()
        self.piece_bytes = 2**20 if bytes_per_s is None else min(2**20, max(int(bytes_per_s * _PIECE_S), 1))

    async def take(self, size_bytes: int) -> None:
        """Return when the bytes that were moved just now are paid for."""
        if self._bytes_per_s is None:
            return
        now_s = self._clock()
        # What was not used is gone: a pause earns no burst.
        self._free_s = max(self._free_s, now_s) + size_bytes / self._bytes_per_s
        await self._sleep(self._free_s - now_s)
