"""How many requests someone may send: one bucket a key, in this process's memory."""

import time
from collections.abc import Callable, Hashable

MonotonicClock = Callable[[], float]
"""Seconds that only ever grow."""


class RequestBuckets:
    """A bucket for each key, which fills by the minute and which every request takes one from.

    One number is kept a key: when its bucket will be full again. A key with a full bucket is not kept at all,
    and of more than ``most_keys`` the ones that were seen first are forgotten, as if they were full.
    """

    def __init__(self, most_keys: int = 10_000, clock: MonotonicClock = time.monotonic) -> None:
        self._most_keys = most_keys
        self._clock = clock
        self._full_at_s: dict[Hashable, float] = {}

    def take(self, key: Hashable, *, per_minute: int, burst: int) -> float:
        """Take one from the key's bucket of ``burst``; return 0, or the seconds until there is one to take.

        Who is refused has taken nothing, so that asking in vain costs no time.
        """
        now_s = self._clock()
        spacing_s = 60.0 / per_minute
        full_at_s = max(self._full_at_s.get(key, now_s), now_s) + spacing_s
        # Thousands of additions may leave the last of a burst a hair's breadth over the edge.
        wait_s = full_at_s - now_s - burst * spacing_s
        if wait_s > 1e-6:
            return wait_s
        if key not in self._full_at_s and len(self._full_at_s) >= self._most_keys:
            self._forget(now_s)
        self._full_at_s[key] = full_at_s
        return 0.0

    def __len__(self) -> int:
        """How many keys are kept."""
        return len(self._full_at_s)

    def _forget(self, now_s: float) -> None:
        self._full_at_s = {key: full_s for key, full_s in self._full_at_s.items() if full_s > now_s}
        # A tenth at once, so that a flood of new keys does not sweep for each of them.
        while len(self._full_at_s) > self._most_keys * 9 // 10:
            del self._full_at_s[next(iter(self._full_at_s))]
