"""What was spent in the venue's present window, as far as one can know from outside."""

from collections import deque
from collections.abc import Callable

from markethub.ports.clock import Clock

_SET_ANEW_S = 2.0
"""Two readings of a clock that differ by more were not delayed on the way: it was set."""
_DRIFT = 0.001


class Tally:
    """Weight by fixed windows of the venue's clock, numbered from 1970.

    What is ``reserved`` for requests under way counts in every window it reaches into. ``spent`` is settled
    weight of the window ``number``, ``foreign`` what others spent in it as far as the venue has told.
    """

    def __init__(self, window_s: float, guard_s: float, monotonic: Callable[[], float], clock: Clock) -> None:
        """``guard_s`` is how far the venue's window may turn before or after ours; ``clock`` only dates the
        windows until ``sync`` knows better."""
        self.window_s = window_s
        self._guard_s = guard_s
        self._monotonic = monotonic
        self._phase_s = clock() / 1000 - monotonic()
        self._synced_s: float | None = None
        self._recent: deque[tuple[float, int]] = deque()
        self._late = 0
        self._slowest_s = self._slowest_before_s = 0.0
        self.number = self._number_now()
        self.is_shared = False
        self.reserved = 0
        self.spent = 0
        self.foreign = 0

    @property
    def own(self) -> int:
        """What this process has spent or reserved."""
        return self.spent + self.reserved

    @property
    def used(self) -> int:
        return self.own + self.foreign

    @property
    def late(self) -> int:
        """Weight sent so close to the turn that the venue may count it in the next window."""
        return self._late

    @property
    def is_late(self) -> bool:
        return self.to_turn_s <= self._doubt_s

    @property
    def to_turn_s(self) -> float:
        """Seconds until the next window begins."""
        turn_s = (self.number + 1) * self.window_s + self._guard_s - self._phase_s
        return max(turn_s - self._monotonic(), 0.001)

    @property
    def to_middle_s(self) -> float:
        """Seconds until half of the window is over; 0 from then on."""
        return max(self.to_turn_s - self.window_s / 2, 0.0)

    def unix_ms(self, monotonic_s: float) -> int:
        """What the venue's clock shows at a moment of the monotonic one."""
        return round((monotonic_s + self._phase_s) * 1000)

    def monotonic_s(self, unix_ms: int) -> float:
        """When the venue's clock shows a time."""
        return unix_ms / 1000 - self._phase_s

    def roll(self) -> None:
        """Begin the window that the clock shows, if it is a new one."""
        number = self._number_now()
        if number > self.number:
            self.number = number
            turned_s = number * self.window_s + self._guard_s - self._phase_s
            # Settled so close to the turn that the venue may have counted it in the new window.
            self.spent = sum(w for at_s, w in self._recent if at_s >= turned_s - self._doubt_s)
            self.foreign = 0
            self._late = 0
            self._slowest_before_s, self._slowest_s = self._slowest_s, 0.0

    def sync(self, server_ms: int) -> None:
        """Take note that the venue's clock shows ``server_ms`` now, or did when it sent its answer.

        An answer that was long under way makes the clock look slow, so an earlier reading that showed more
        is believed longer.
        """
        self.roll()
        now_s = self._monotonic()
        phase_s = server_ms / 1000 - now_s
        if self._synced_s is not None and 0 < self._phase_s - phase_s <= _SET_ANEW_S:
            phase_s = max(phase_s, self._phase_s - _DRIFT * (now_s - self._synced_s))
        was_guess, self._synced_s = self._synced_s is None, now_s
        self._phase_s = phase_s
        number = self._number_now()
        if abs(number - self.number) > 1 or (was_guess and number < self.number):
            self.number = number  # the windows were misdated; what was spent stays spent

    def set_window(self, window_s: float) -> None:
        """Count by windows of another length from now on; what was spent stays spent."""
        if window_s != self.window_s:
            self.window_s = window_s
            self.number = self._number_now()

    def reserve(self, weight: int) -> None:
        self.reserved += weight
        if self.is_late:
            self._late += weight

    def give_back(self, weight: int) -> None:
        """Undo a reservation that nothing was sent with."""
        self.reserved -= weight

    def settle(self, weight: int, number: int, venue_count: int | None, took_s: float) -> None:
        """Turn weight that was reserved in window ``number``, ``took_s`` ago, into spent weight."""
        self.roll()
        self._slowest_s = max(self._slowest_s, took_s)
        self.reserved -= weight
        self.spent += weight
        self._remember(weight)
        # A count from across the turn of the window may be the old one's and says nothing about this one.
        if venue_count is not None and number == self.number:
            self.foreign = max(self.foreign, venue_count - self.own)

    def _remember(self, weight: int) -> None:
        now_s = self._monotonic()
        longest_s = 2 * self._guard_s + self.window_s / 4
        while self._recent and self._recent[0][0] < now_s - longest_s:
            self._recent.popleft()
        self._recent.append((now_s, weight))

    @property
    def _doubt_s(self) -> float:
        """How long before the turn a request may be counted after it, as the clocks differ.

        Others cannot know of it, so for them the venue's clock is known no better than answers are quick.
        """
        if not self.is_shared:
            return 2 * self._guard_s
        slowest_s = max(self._slowest_s, self._slowest_before_s)
        return 2 * self._guard_s + min(slowest_s, self.window_s / 4)

    def _number_now(self) -> int:
        return int((self._monotonic() + self._phase_s - self._guard_s) // self.window_s)
