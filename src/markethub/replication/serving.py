"""How much a node does for its followers at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from markethub.domain.errors import UnavailableError

_OPEN = 16
_READING = 2
_DIGESTING = 2


class Serving:
    """Bounds the memory that answers to followers take; one event loop uses it.

    An answer is kept until its follower has taken it, and a slow one takes long: so many may be open. Few are
    made at the same moment; the others wait for their turn.
    """

    def __init__(self, most_open: int = _OPEN) -> None:
        self._most_open = most_open
        self._open = 0
        self._reading = asyncio.Semaphore(_READING)
        self._digesting = asyncio.Semaphore(_DIGESTING)

    @asynccontextmanager
    async def answer(self) -> AsyncIterator[None]:
        """Count one answer while the block lasts; UnavailableError where there are too many."""
        if self._open >= self._most_open:
            raise UnavailableError(f"{self._open} requests of followers are being answered; try again soon")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn to read and to pack, and keep it while the block lasts."""
        async with self._reading:
            yield

    @asynccontextmanager
    async def long_turn(self) -> AsyncIterator[None]:
        """As ``turn``, for digests, which may take minutes: changes need not wait for them."""
        async with self._digesting:
            yield
