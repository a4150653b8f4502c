"""The gate in front of a venue: a shared budget of request weight that waits instead of being refused."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from markethub.domain.errors import VenueThrottledError
from markethub.ports.budget import BudgetPool, current_asker
from markethub.ports.clock import Clock, system_clock
from markethub.ports.venue import VenueLimits
from markethub.venues.transport.fleet import FleetWindow
from markethub.venues.transport.line import Line, Waiter
from markethub.venues.transport.pause import Pause
from markethub.venues.transport.share import Gate, Share
from markethub.venues.transport.tally import Tally

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
    callers together stay below ``limit`` less the safety ``margin``. Who waits stands in a fair ``Line``, on
    behalf of the ``current_asker``; a caller that is cancelled while waiting leaves nothing behind. What
    others spend from the same address is learned from the venue's own count, which wins when it is higher
    than ours.

    With a ``pool`` the window and the gate are shared by processes: only granted weight is spent, and the
    gate that another process has closed is seen a second later at most, or with the first request after that.
    Without an answer from the pool the process goes on with its usual part.
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
        """``name`` is the venue's code and what it counts together, such as ``OKX market/candles``; processes
        share by it.

        ``limit`` None counts without a limit; ``cap`` holds whatever limit the venue tells.

        ``guard_s`` is how far the venue's window may turn before or after ours. ``clock`` only dates the
        windows until ``sync`` knows better.
        """
        self._name = name
        self._cap = cap
        self._margin = margin
        self._max_in_flight = max_in_flight
        self._wait = wait
        self._monotonic = monotonic
        self._tally = Tally(window_s, guard_s, monotonic, clock)
        self._pause = Pause(monotonic)
        self._share = Share(pool, name, monotonic) if pool is not None else None
        self._fleet = FleetWindow(self._share, self._tally) if self._share is not None else None
        self._line = Line[Reservation]()
        self._clerk: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._requests = 0
        self._limit: int | None = None
        self.set_limit(limit)

    async def acquire(self, weight: int, patience_s: float) -> "Reservation":
        """Wait until ``weight`` fits and it is the asker's turn, reserve it, and return the reservation to
        settle.

        VenueThrottledError as soon as the gate is closed for longer than ``patience_s``. A weight above
        the whole limit is let through alone in a fresh window.
        """
        self._refuse_long_pause(patience_s)
        if not self._line and self._delay_s(weight) == 0.0 and self._may_send(weight):
            return self._reserve(weight)
        admitted = asyncio.get_running_loop().create_future()
        waiter = Waiter[Reservation](current_asker.get(), weight, patience_s, admitted)
        self._line.join(waiter)
        self._changed.set()
        self._call_clerk()
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            self._line.leave(waiter)
            self._changed.set()
            if not admitted.cancelled() and admitted.exception() is None:
                self._give_back(weight)
            raise

    def set_limit(self, limit: int | None, window_s: float | None = None) -> None:
        """Take over the limit that the venue tells, or the cap if that is lower, and the length of its
        window where it tells that, too."""
        known = [value for value in (limit, self._cap) if value is not None]
        new = min(known) if known else None
        if window_s is not None:
            self._tally.set_window(window_s)
        if new != self._limit and self._share is not None:
            self._share.reconsider()
        self._limit = new
        self._changed.set()

    def sync(self, server_ms: int) -> None:
        """Date the windows by the venue's clock, which shows ``server_ms`` now."""
        self._tally.sync(server_ms)
        self._changed.set()

    def throttle(self, retry_after_s: float | None, *, ban: bool = False) -> float:
        """Close the gate for everyone of this process and return for how many seconds.

        Without a time from the venue each throttling in a row doubles it; refusals of requests that were
        under way when the gate closed belong to the same throttling.
        """
        pause_s = self._pause.begin(retry_after_s, ban=ban)
        if self._share is not None:
            self._share.close((self._tally.unix_ms(self._pause.until_s), self._pause.is_ban))
        self._changed.set()
        return pause_s

    async def publish(self) -> None:
        """Tell the other processes of the last ``throttle``."""
        if self._share is not None:
            await self._share.publish()

    def forgive(self) -> None:
        """Forget earlier throttlings: the venue has answered."""
        self._pause.forgive()

    def state(self) -> VenueLimits:
        self._roll()
        tally, pause = self._tally, self._pause
        return VenueLimits(
            name=self._name,
            used=tally.used,
            limit=self._limit,
            window_s=tally.window_s,
            waiting=len(self._line),
            closed_until_ms=tally.unix_ms(pause.until_s) if pause.left_s > 0 else None,
            is_banned=pause.is_ban,
            fleet_used=self._fleet.used if self._fleet is not None else None,
        )

    def settle(self, weight: int, window: int, venue_count: int | None, took_s: float = 0.0) -> None:
        """Turn a reservation of ``took_s`` ago into spent weight; only ``Reservation`` calls this."""
        self._requests -= 1
        self._tally.settle(weight, window, venue_count, took_s)
        self._changed.set()
        if self._fleet is not None and self._is_in_debt(self._fleet):
            self._call_clerk()

    def _reserve(self, weight: int) -> "Reservation":
        self._requests += 1
        self._tally.reserve(weight)
        return Reservation(self, weight, self._tally.number, self._monotonic)

    def _give_back(self, weight: int) -> None:
        self._requests -= 1
        self._tally.give_back(weight)
        self._changed.set()

    def _roll(self) -> None:
        self._tally.roll()
        if self._share is not None:
            self._share.turn(self._tally.number)

    def _delay_s(self, weight: int) -> float | None:
        """Seconds until the next look; 0 when this process's own count lets the request go, None when only
        an answer can help."""
        if (pause_s := self._pause.left_s) > 0:
            return pause_s
        self._roll()
        if self._requests >= self._max_in_flight:
            return None
        used = self._tally.used
        spendable = self._spendable
        if spendable is None or used == 0 or used + weight <= spendable:
            return 0.0
        return self._tally.to_turn_s

    @property
    def _spendable(self) -> int | None:
        return None if self._limit is None else int(self._limit * (1 - self._margin))

    def _refuse_long_pause(self, patience_s: float) -> None:
        pause_s = self._pause.left_s
        if pause_s > patience_s:
            raise self._throttled(pause_s)

    def _throttled(self, pause_s: float) -> VenueThrottledError:
        text = f"{self._name}: the venue asked us to stay away for another {pause_s:.0f} s"
        return VenueThrottledError(text, pause_s)

    def _call_clerk(self) -> None:
        if self._clerk is None or self._clerk.done():
            self._clerk = asyncio.create_task(self._serve_line(), name=f"budget {self._name}")
            self._clerk.add_done_callback(self._clerk_left)

    def _clerk_left(self, clerk: "asyncio.Task[None]") -> None:
        if self._clerk is clerk:
            self._clerk = None
        error = None if clerk.cancelled() else clerk.exception()
        if error is None and not clerk.cancelled():
            return
        for waiter in list(self._line):
            # The loop is ending, or we have made a mistake: nobody is left to admit them.
            self._line.leave(waiter)
            if error is not None and not waiter.admitted.done():
                waiter.admitted.set_exception(error)
            waiter.admitted.cancel()

    async def _serve_line(self) -> None:
        while True:
            await self._settle_with_fleet()
            if not self._line:
                return
            waiter = self._line.first()
            if waiter.admitted.done():  # cancelled, and has not had the time to leave
                self._line.leave(waiter)
                continue
            delay_s = self._delay_s(waiter.weight)
            if delay_s == 0.0 and self._may_send(waiter.weight):
                self._line.serve().admitted.set_result(self._reserve(waiter.weight))
                continue
            if delay_s == 0.0:
                delay_s = await self._ask_fleet(waiter.weight)
            if delay_s == 0.0:
                continue
            self._dismiss_impatient()
            self._changed.clear()
            if self._line:
                await self._wait(self._changed, delay_s)

    def _dismiss_impatient(self) -> None:
        if (pause_s := self._pause.left_s) == 0:
            return
        for waiter in [waiter for waiter in self._line if waiter.patience_s < pause_s]:
            self._line.leave(waiter)
            if not waiter.admitted.done():
                waiter.admitted.set_exception(self._throttled(pause_s))

    def _may_send(self, weight: int) -> bool:
        return self._fleet is None or self._fleet.may_send(weight, self._spendable)

    async def _ask_fleet(self, weight: int) -> float:
        if self._fleet is None:
            return 0.0
        delay_s, gate = await self._fleet.ask(weight, self._spendable, self._line.weight - weight)
        self._heed(gate)
        return delay_s

    def _is_in_debt(self, fleet: FleetWindow) -> bool:
        self._roll()
        return fleet.is_in_debt(self._spendable)

    async def _settle_with_fleet(self) -> None:
        while self._fleet is not None and self._is_in_debt(self._fleet):
            if (spendable := self._spendable) is not None:
                self._heed(await self._fleet.pay_debt(spendable))

    def _heed(self, gate: Gate | None) -> None:
        if gate is not None:
            self._pause.extend(self._tally.monotonic_s(gate[0]), ban=gate[1])
            self._changed.set()


class Reservation:
    """Reserved weight; leaving the ``with`` block settles it, with the venue's count if one was told."""

    def __init__(
        self, budget: WeightBudget, weight: int, window: int, monotonic: Callable[[], float]
    ) -> None:
        self._budget = budget
        self._weight = weight
        self._window = window
        self._monotonic = monotonic
        self._made_s = monotonic()
        self.venue_count: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took_s = self._monotonic() - self._made_s
        self._budget.settle(self._weight, self._window, self.venue_count, took_s)
