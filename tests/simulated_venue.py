"""A venue that counts weight, in simulated time."""

import asyncio
import heapq
from collections.abc import Coroutine
from itertools import count
from typing import Any

from markethub.venues.transport.budget import WeightBudget

WINDOW_S = 60.0
GUARD_S = 0.25


class FakeTime:
    """Time that passes only when nobody can go on without it."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self.now_s = now_s
        self._timers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._ticket = count()

    def monotonic(self) -> float:
        return self.now_s

    def unix_ms(self) -> int:
        return round(self.now_s * 1000)

    async def sleep(self, delay_s: float) -> None:
        timer = asyncio.get_running_loop().create_future()
        heapq.heappush(self._timers, (self.now_s + delay_s, next(self._ticket), timer))
        await timer

    async def wait(self, event: asyncio.Event, timeout_s: float | None) -> None:
        waits = {asyncio.create_task(event.wait())}
        if timeout_s is not None:
            waits |= {asyncio.create_task(self.sleep(timeout_s))}  # type: ignore[arg-type]  # None or True
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def run(self, *jobs: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run the jobs to their end and return their results, or their errors."""
        work = asyncio.gather(*jobs, return_exceptions=True)
        while True:
            for _ in range(30):
                await asyncio.sleep(0)
            if work.done():
                return work.result()
            while self._timers and self._timers[0][2].done():
                heapq.heappop(self._timers)
            assert self._timers, "everyone waits and nothing is going to happen"
            self.now_s, _, timer = heapq.heappop(self._timers)
            timer.set_result(None)


class FakeVenue:
    """Counts weight per minute of its own clock, which runs ``skew_s`` ahead of ours."""

    def __init__(self, time: FakeTime, limit: int, skew_s: float = 0.0) -> None:
        self.time, self.limit, self.skew_s = time, limit, skew_s
        self.used: dict[int, int] = {}
        self.arrivals_s: list[float] = []

    def charge(self, weight: int) -> int:
        window = int((self.time.now_s + self.skew_s) // WINDOW_S)
        self.used[window] = self.used.get(window, 0) + weight
        self.arrivals_s.append(self.time.now_s)
        return self.used[window]

    @property
    def worst(self) -> int:
        return max(self.used.values())


def make_budget(time: FakeTime, limit: int | None, **settings: Any) -> WeightBudget:  # noqa: ANN401
    return WeightBudget(
        "TST",
        limit=limit,
        **({"max_in_flight": 1000} | settings),
        guard_s=GUARD_S,
        monotonic=time.monotonic,
        clock=time.unix_ms,
        wait=time.wait,
    )


async def send(
    budget: WeightBudget, venue: FakeVenue, weight: int, *, after_s: float = 0.0, up_s: float, down_s: float
) -> int:
    """Return what the venue had counted when the request arrived."""
    await venue.time.sleep(after_s)
    with await budget.acquire(weight, patience_s=0) as reservation:
        await venue.time.sleep(up_s)
        told = venue.charge(weight)
        await venue.time.sleep(down_s)
        reservation.venue_count = told
    return told
