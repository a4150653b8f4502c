"""The gate in front of a venue: a shared budget of request weight that waits instead of being refused."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from markethub.domain.errors import VenueThrottledError
from markethub.ports.budget import BudgetPool
from markethub.ports.clock import Clock, system_clock
from markethub.ports.venue import VenueLimits

# Where the venue names no time. Bans are documented to begin at two minutes.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 120.0
_FIRST_BAN_S, _LONGEST_BAN_S = 120.0, 3600.0
_SHORTEST_PAUSE_S = 1.0

Wait = Callable[[asyncio.Event, float | None], Awaitable[None]]
"""Returns when the event is set or the seconds (None: no limit) have passed."""


async def wait_for_event(event: asyncio.Event, timeout_s: float | None) -> None:
    """The real ``Wait``."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


class WeightBudget:
    """Weight per fixed window of the venue's clock, shared by all callers of one event loop.

    Weight is reserved before a request is sent and stays reserved until its answer is in, so any number of
    callers together stay below ``limit`` less the safety ``margin``. First come, first served; a caller that
    is cancelled while waiting leaves nothing behind. What others spend from the same address is learned from
    the venue's own count, which wins when it is higher than ours.
    """

    def __init__(
        self,
        name: str,
        *,
        limit: int | None,
        cap: int | None = None,
        margin: float = 0.0,
        max_in_flight: int,
        window_s: float = 60.0,
        pool: BudgetPool | None = None,
        guard_s: float = 0.25,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Clock = system_clock,
        wait: Wait = wait_for_event,
    ) -> None:
        """``name`` is the venue's code and what it counts together, such as ``OKX market/candles``.

        ``limit`` None counts without a limit; ``cap`` holds whatever limit the venue tells.

        ``guard_s`` is how far the venue's window may turn before or after ours. ``clock`` only dates the
        windows until ``sync`` knows better.
        """
        self._name = name
        self._cap = cap
        self._margin = margin
        self._max_in_flight = max_in_flight
        self._window_s = window_s
        self._pool = pool
        self._guard_s = guard_s
        self._monotonic = monotonic
        self._wait = wait
        self._phase_s = clock() / 1000 - monotonic()
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._waiting = 0
        self._window = self._window_now()
        self._requests = 0
        self._reserved = 0
        self._spent = 0
        self._foreign = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._paused_until_s = 0.0
        self._banned = False
        self._strikes = 0
        self.set_limit(limit)

    async def acquire(self, weight: int, patience_s: float) -> "Reservation":
        """Wait until ``weight`` fits, reserve it, and return the reservation to settle.

        VenueThrottledError at once when the gate is closed for longer than ``patience_s``. A weight above
        the whole limit is let through alone in a fresh window.
        """
        self._waiting += 1
        try:
            async with self._turn:
                while (delay_s := self._delay_s(weight)) != 0.0:
                    self._refuse_long_pause(patience_s)
                    self._changed.clear()
                    await self._wait(self._changed, delay_s)
                # No await from here to the return: a reservation cannot get lost.
                self._reserved += weight
                self._requests += 1
                return Reservation(self, weight, self._window)
        finally:
            self._waiting -= 1

    def set_limit(self, limit: int | None) -> None:
        """Take over the limit that the venue tells, or the cap if that is lower."""
        known = [value for value in (limit, self._cap) if value is not None]
        self._limit = min(known) if known else None
        self._changed.set()

    def sync(self, server_ms: int) -> None:
        """Date the windows by the venue's clock, which shows ``server_ms`` now."""
        self._roll()
        self._phase_s = server_ms / 1000 - self._monotonic()
        window = self._window_now()
        if abs(window - self._window) > 1:
            self._window = window  # the windows were misdated; what was spent stays spent
        self._changed.set()

    def throttle(self, retry_after_s: float | None, *, ban: bool = False) -> float:
        """Close the gate for everyone and return for how many seconds.

        Without a time from the venue each throttling in a row doubles it; refusals of requests that were
        under way when the gate closed belong to the same throttling.
        """
        if retry_after_s is None:
            if self._pause_s() > 0 and self._banned >= ban:
                return self._pause_s()
            first_s, longest_s = (_FIRST_BAN_S, _LONGEST_BAN_S) if ban else (_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
            retry_after_s = min(first_s * 2**self._strikes, longest_s)
            self._strikes = min(self._strikes + 1, 16)
        pause_s = max(retry_after_s, _SHORTEST_PAUSE_S)
        self._paused_until_s = max(self._paused_until_s, self._monotonic() + pause_s)
        self._banned = ban or self._banned
        self._changed.set()
        return pause_s

    def forgive(self) -> None:
        """Forget earlier throttlings: the venue has answered."""
        self._strikes = 0

    def state(self) -> VenueLimits:
        self._roll()
        is_closed = self._pause_s() > 0
        until_ms = int((self._paused_until_s + self._phase_s) * 1000)
        return VenueLimits(
            name=self._name,
            used=self._used(),
            limit=self._limit,
            window_s=self._window_s,
            waiting=self._waiting,
            closed_until_ms=until_ms if is_closed else None,
            is_banned=self._banned,
        )

    def settle(self, weight: int, window: int, venue_count: int | None) -> None:
        """Turn a reservation into spent weight; only ``Reservation`` calls this."""
        self._roll()
        self._requests -= 1
        self._reserved -= weight
        self._spent += weight
        self._remember(weight)
        # A count from across the turn of the window may be the old one's and says nothing about this one.
        if venue_count is not None and window == self._window:
            self._foreign = max(self._foreign, venue_count - self._spent - self._reserved)
        self._changed.set()

    def _remember(self, weight: int) -> None:
        now_s = self._monotonic()
        while self._recent and self._recent[0][0] < now_s - 2 * self._guard_s:
            self._recent.popleft()
        self._recent.append((now_s, weight))

    def _used(self) -> int:
        return self._spent + self._foreign + self._reserved

    def _pause_s(self) -> float:
        left_s = self._paused_until_s - self._monotonic()
        if left_s <= 0:
            self._banned = False
        return max(left_s, 0.0)

    def _window_now(self) -> int:
        return int((self._monotonic() + self._phase_s - self._guard_s) // self._window_s)

    def _roll(self) -> None:
        window = self._window_now()
        if window > self._window:
            self._window = window
            turned_s = window * self._window_s + self._guard_s - self._phase_s
            # Settled so close to the turn that the venue may have counted it in the new window.
            self._spent = sum(w for at_s, w in self._recent if at_s >= turned_s - 2 * self._guard_s)
            self._foreign = 0

    def _delay_s(self, weight: int) -> float | None:
        """Seconds until the next look; 0 when the request may go, None when only an answer can help."""
        pause_s = self._pause_s()
        if pause_s > 0:
            return pause_s
        self._roll()
        if self._requests >= self._max_in_flight:
            return None
        if self._limit is None or self._used() == 0:
            return 0.0
        if self._used() + weight <= int(self._limit * (1 - self._margin)):
            return 0.0
        turn_s = (self._window + 1) * self._window_s + self._guard_s - self._phase_s
        return max(turn_s - self._monotonic(), 0.001)

    def _refuse_long_pause(self, patience_s: float) -> None:
        pause_s = self._pause_s()
        if pause_s > patience_s:
            raise VenueThrottledError(
                f"{self._name}: the venue asked us to stay away for another {pause_s:.0f} s", pause_s
            )


class Reservation:
    """Reserved weight; leaving the ``with`` block settles it, with the venue's count if one was told."""

    def __init__(self, budget: WeightBudget, weight: int, window: int) -> None:
        self._budget = budget
        self._weight = weight
        self._window = window
        self.venue_count: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.settle(self._weight, self._window, self.venue_count)
