"""One answer for everyone who asks at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from markethub.domain.errors import VenueUnavailableError

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs ``fetch`` at most once at a time; whoever asks meanwhile shares its result or its error.

    A caller that is cancelled leaves the others' flight alone; ``close`` ends it with VenueUnavailableError.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        self._fetch = fetch
        self._flight: asyncio.Task[T] | None = None

    async def run(self) -> T:
        """Join the flight that is under way, or start one."""
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
            self._flight.add_done_callback(self._land)
        flight = self._flight
        try:
            # Without the shield the first caller's cancellation would end the flight for all.
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if flight.cancelled() and caller is not None and not caller.cancelling():
                raise VenueUnavailableError("closed while the answer was under way") from None
            raise

    async def close(self) -> None:
        """Cancel the flight under way, if any, and wait for its end."""
        if self._flight is not None:
            flight = self._flight
            flight.cancel()
            await asyncio.wait({flight})

    async def _fly(self) -> T:
        return await self._fetch()

    def _land(self, flight: asyncio.Task[T]) -> None:
        self._flight = None
        if not flight.cancelled():
            flight.exception()  # mark as seen: all callers may have been cancelled meanwhile
