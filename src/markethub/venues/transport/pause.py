"""How long the venue wants silence."""

from collections.abc import Callable

# Where the venue names no time. Bans are documented to begin at two minutes.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 120.0
_FIRST_BAN_S, _LONGEST_BAN_S = 120.0, 3600.0
_SHORTEST_PAUSE_S = 1.0


class Pause:
    """The end of the present pause on the monotonic clock, and what came before it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._strikes = 0
        self._is_ban = False
        self.until_s = 0.0

    @property
    def left_s(self) -> float:
        return max(self.until_s - self._monotonic(), 0.0)

    @property
    def is_ban(self) -> bool:
        return self._is_ban and self.left_s > 0

    def begin(self, retry_after_s: float | None, *, ban: bool) -> float:
        """Take note of a throttling and return the seconds until its end.

        Without a time from the venue each throttling in a row doubles it; refusals of requests that were
        under way when the pause began belong to the same throttling.
        """
        if retry_after_s is None:
            if self.left_s > 0 and self.is_ban >= ban:
                return self.left_s
            first_s, longest_s = (_FIRST_BAN_S, _LONGEST_BAN_S) if ban else (_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
            retry_after_s = min(first_s * 2**self._strikes, longest_s)
            self._strikes = min(self._strikes + 1, 16)
        pause_s = max(retry_after_s, _SHORTEST_PAUSE_S)
        self.extend(self._monotonic() + pause_s, ban=ban)
        return pause_s

    def extend(self, until_s: float, *, ban: bool) -> None:
        """Last at least until then; a shorter pause does not reopen a longer one."""
        self._is_ban = ban or self.is_ban
        self.until_s = max(self.until_s, until_s)

    def forgive(self) -> None:
        """Forget earlier throttlings: the venue has answered."""
        self._strikes = 0
