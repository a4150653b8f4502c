"""This process's part of a budget that several processes share."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from markethub.domain.errors import UnavailableError
from markethub.ports.budget import BudgetPool

_CHECK_EVERY_S = 1.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 15.0

Gate = tuple[int, bool]
"""Until when, in Unix milliseconds of the venue's clock, nobody may ask, and whether that is a ban."""

_log = structlog.get_logger("markethub.venues")


@dataclass(slots=True)
class _Part:
    """What we were granted of one window, and what we know of it.

    ``strangers`` is what others than our processes have surely spent. An ``allowance`` was made when the pool
    did not answer, and holds for the rest of the window: nobody knows what the others made theirs.
    """

    granted: int = 0
    fleet_used: int = 0
    strangers: int = 0
    block: int = 0
    is_exhausted: bool = False
    allowance: int = 0


class Share:
    """Weight of windows, taken from the pool in blocks that grow with the demand.

    A process alone takes half of what is left at a time, so that a newcomer finds something. Several each
    have an equal part of the window for themselves; from its middle on, whoever needs it takes what the
    others left. Weight that is not spent by the end of its window is gone.

    While the pool does not answer, a window is granted what the last one was, which all processes together
    were allowed; to one that was idle a sixteenth of the limit.
    """

    def __init__(self, pool: BudgetPool, budget: str, monotonic: Callable[[], float]) -> None:
        self._pool = pool
        self._budget = budget
        self._monotonic = monotonic
        self._parts: dict[int, _Part] = {}
        self._check_due_s = monotonic()
        self._retry_s = monotonic()
        self._failures = 0
        self._unpublished: Gate | None = None
        self.sharers = 1

    @property
    def is_checked(self) -> bool:
        """Whether the gate was looked at a moment ago."""
        return self._monotonic() < self._check_due_s

    def has(self, window: int, weight: int) -> bool:
        """Whether so much of the window is ours."""
        part = self._parts.get(window)
        if part is None:
            return False
        return weight <= (part.allowance or part.granted)

    def lacks(self, window: int, weight: int) -> bool:
        """Whether more is spent of the window than is ours, and the pool can still be told."""
        part = self._parts.get(window, _Part())
        return part.granted < weight and not (part.is_exhausted or part.allowance or self._is_away)

    def strangers(self, window: int) -> int:
        """What others than our processes have surely spent of the window."""
        part = self._parts.get(window)
        return part.strangers if part else 0

    def fleet_used(self, window: int) -> int | None:
        """What all processes were granted of the window when we last asked; None if the pool did not say."""
        part = self._parts.get(window)
        return part.fleet_used if part and not self._is_away else None

    def turn(self, window: int) -> None:
        """Forget what is neither of this window nor next to it."""
        for number in [number for number in self._parts if abs(number - window) > 1]:
            del self._parts[number]

    def reconsider(self) -> None:
        """Ask again for windows that were used up: the limit has changed."""
        for part in self._parts.values():
            part.is_exhausted = False

    def hold_up_s(self, window: int, weight: int, limit: int, to_middle_s: float, to_turn_s: float) -> float:
        """Seconds until asking for more can help; 0 when ``take`` should be tried now."""
        part = self._parts.get(window)
        if part is None:
            return 0.0
        if self._is_away and part.allowance:
            return min(to_turn_s, self._retry_s - self._monotonic())
        if part.is_exhausted or part.allowance:
            return to_turn_s
        return to_middle_s if weight > self._fair_part(limit) else 0.0

    async def take(
        self,
        window: int,
        weight: int,
        limit: int,
        *,
        spent: int,
        foreign: int,
        waiting: int = 0,
        is_early: bool,
    ) -> Gate | None:
        """Try to bring what is ours of the window up to ``weight``; return the gate if it is closed.

        ``spent`` of it is used already, and ``waiting`` more stands behind it; ``foreign`` was spent by
        anyone else. Before its middle a window is early, and what the others may want is left to them.
        """
        part = self._parts.setdefault(window, _Part())
        if self._is_away:
            self._make_do(part, window, weight, limit, spent)
            return None
        block = self._block(part, weight - part.granted, limit, waiting, is_early)
        try:
            await self._publish_rest()
            grant = await self._pool.take(self._budget, window, block, limit)
        except UnavailableError as error:
            self._note_failure(error)
            self._make_do(part, window, weight, limit, spent)
            return None
        self._note_answer()
        part.granted += grant.weight
        part.fleet_used = grant.used
        # Only now: what was granted meanwhile explains what the venue has counted.
        part.strangers = max(part.strangers, foreign - (part.fleet_used - part.granted))
        part.block = block
        part.is_exhausted = grant.weight < block
        self.sharers = grant.sharers
        return None if grant.closed_until_ms is None else (grant.closed_until_ms, grant.is_banned)

    def is_made_do(self, window: int) -> bool:
        """Whether the window was divided without the pool."""
        part = self._parts.get(window)
        return part is not None and part.allowance > 0

    async def check(self, window: int, limit: int | None) -> Gate | None:
        """Look whether someone has closed the gate; tell what was spent without the pool."""
        part = self._parts.get(window, _Part())
        try:
            await self._publish_rest()
            if limit is not None and part.allowance > part.granted:
                unknown = part.allowance - part.granted
                part.granted += (await self._pool.take(self._budget, window, unknown, limit)).weight
            gate = await self._pool.closed_until(self._budget)
        except UnavailableError as error:
            self._note_failure(error)
            return None
        self._note_answer()
        return gate

    def close(self, gate: Gate) -> None:
        """Remember that the venue wants silence, for ``publish``."""
        self._unpublished = gate

    async def publish(self) -> None:
        """Tell the others; what cannot be told now is told with the next question."""
        if self._is_away:
            return
        try:
            await self._publish_rest()
        except UnavailableError as error:
            self._note_failure(error)

    async def _publish_rest(self) -> None:
        if (gate := self._unpublished) is None:
            return
        await self._pool.close_gate(self._budget, gate[0], is_ban=gate[1])
        if self._unpublished == gate:
            self._unpublished = None

    @property
    def _is_away(self) -> bool:
        return self._monotonic() < self._retry_s

    def _fair_part(self, limit: int) -> int:
        return -(-limit // self.sharers)

    def _block(self, part: _Part, missing: int, limit: int, waiting: int, is_early: bool) -> int:
        left = max(limit - part.fleet_used, 0)
        if self.sharers > 1 and is_early:
            most = self._fair_part(limit) - part.granted
        else:
            most = max(left // (2 * self.sharers), limit // (8 * self.sharers))
        return max(missing, min(most, max(missing + waiting, 2 * part.block)))

    def _make_do(self, part: _Part, window: int, weight: int, limit: int, spent: int) -> None:
        if part.granted:
            part.allowance = part.granted  # this window is divided already
            return
        before = self._parts.get(window - 1)
        usual = max(before.granted, before.allowance) if before else 0
        # One request in a window always may go: nobody shall wait for ever.
        part.allowance = max(usual, limit // 16, 1, weight if spent == 0 else 0)

    def _note_failure(self, error: UnavailableError) -> None:
        if not self._failures:
            _log.warning(
                "budget cannot be shared now; spending this process's usual part",
                budget=self._budget,
                error=str(error),
            )
        pause_s = min(_FIRST_RETRY_S * 2.0 ** min(self._failures, 10), _LONGEST_RETRY_S)
        self._failures += 1
        self._retry_s = self._check_due_s = self._monotonic() + pause_s

    def _note_answer(self) -> None:
        if self._failures:
            _log.info("budget is shared again", budget=self._budget)
        self._failures = 0
        self._check_due_s = self._monotonic() + _CHECK_EVERY_S
