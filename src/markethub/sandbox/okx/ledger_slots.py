"""Time in slots, each of which holds one made-up record."""

from collections.abc import Sequence
from typing import Final

from markethub.sandbox.intervals import DAY_MS

LEDGER_DAYS: Final = 120
_OPENING_STEP_MS: Final = 30 * DAY_MS
_AHEAD_MS: Final = 3_600_000


def opened_ms(now_ms: int) -> int:
    """Since when the accounts have a history; moves on by 30 days at a time."""
    return now_ms // _OPENING_STEP_MS * _OPENING_STEP_MS - LEDGER_DAYS * DAY_MS


class SlotClock:
    """Tells which slots must be filled for a moment and are not yet, also when the clock was set back."""

    def __init__(self, per_account: int, *, before_ms: int = 0, ahead_slots: int = 0) -> None:
        """``per_account`` slots are as long as the history is at least; records of ``before_ms`` before the
        opening and of ``ahead_slots`` after now still count."""
        self.slot_ms: Final = max(LEDGER_DAYS * DAY_MS // per_account, 1)
        self._before_ms = before_ms
        self._ahead_slots = ahead_slots
        self._filled = range(0)

    def take_missing(self, now_ms: int) -> Sequence[int]:
        """The slots that were not taken before; those of the next hour as well, to seldom come back."""
        first = (opened_ms(now_ms) - self._before_ms) // self.slot_ms
        last = now_ms // self.slot_ms + self._ahead_slots
        if self._filled and self._filled.start <= first and last < self._filled.stop:
            return ()
        filled = self._filled or range(first, first)
        wanted = range(min(first, filled.start), max(last + _AHEAD_MS // self.slot_ms + 1, filled.stop))
        self._filled = wanted
        return [*range(wanted.start, filled.start), *range(filled.stop, wanted.stop)]
