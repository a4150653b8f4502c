"""The venue's clock, as far as one can be sure of it from outside."""

import math
import time
from collections.abc import Awaitable, Callable

from markethub.venues.transport.single_flight import SingleFlight

_FRESH_S = 60.0
_SLOWEST_TICK = 0.999  # a bound must hold even if our oscillator runs 1 ms per second ahead of theirs


class ServerClock:
    """A lower bound of the venue's time that never rests on our own wall clock.

    When the venue answered "it is s", its clock stood at s or later at the moment we had the answer; from
    there our monotonic clock counts on.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[int]],
        on_measured: Callable[[int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ask`` gets the venue's time in Unix milliseconds; ``on_measured`` is told each answer at once."""
        self._ask = ask
        self._on_measured = on_measured
        self._monotonic = monotonic
        self._measured: tuple[int, float] | None = None
        self._flight = SingleFlight(self._measure)

    async def passed_ms(self, wanted_ms: int) -> int:
        """A time that the venue's clock has surely reached by now.

        The venue is asked only when what is known does not reach ``wanted_ms`` and is over a minute old.
        """
        if self._measured is not None:
            bound_ms = self.bound_ms()
            if bound_ms >= wanted_ms or self._age_s() < _FRESH_S:
                return bound_ms
        return await self.measure_ms()

    async def known(self) -> None:
        """Ask the venue for its time unless it was asked within a minute.

        The bound falls behind with age, and venues refuse requests that are dated seconds ago.
        """
        if self._age_s() >= _FRESH_S:
            await self.measure_ms()

    def bound_ms(self) -> int:
        """The lower bound now, without asking; only after ``known``. It lags by the time an answer took."""
        if self._measured is None:
            raise RuntimeError("the venue's clock was never measured")
        return self._measured[0] + int(self._age_s() * 1000 * _SLOWEST_TICK)

    async def measure_ms(self) -> int:
        """The venue's own answer, asked now."""
        return await self._flight.run()

    async def close(self) -> None:
        await self._flight.close()

    async def _measure(self) -> int:
        server_ms = await self._ask()
        self._measured = (server_ms, self._monotonic())
        self._on_measured(server_ms)
        return server_ms

    def _age_s(self) -> float:
        return self._monotonic() - self._measured[1] if self._measured else math.inf
