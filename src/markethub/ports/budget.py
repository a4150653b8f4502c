"""Who asks, and how processes share what a venue allows."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf a request is sent: ``name`` (an execution) gets its fair share among others, and what
    is ``fresh`` (the newest data) goes before history."""

    name: str
    is_fresh: bool = False


NOBODY = Asker("")

current_asker: ContextVar[Asker] = ContextVar("current_asker", default=NOBODY)
"""Set by whoever runs the work, read by the gate in front of a venue."""


@dataclass(frozen=True, slots=True)
class Grant:
    """``weight`` that this process may spend in the window it asked for, beside what it was granted before.

    ``used`` is what all processes were granted in that window; the gate is closed until ``closed_until_ms``.
    ``sharers`` processes, this one included, took in that window or the one before, or tried to.
    """

    weight: int
    used: int
    closed_until_ms: int | None
    is_banned: bool
    sharers: int = 1


class BudgetPool(Protocol):
    """One budget for all processes behind an address; answers within a few milliseconds or raises
    UnavailableError.

    Windows are numbered, and gates are dated, by the venue's clock: every process reads that one.
    """

    async def take(self, budget: str, window: int, weight: int, limit: int) -> Grant:
        """Book up to ``weight`` of what is left of ``limit`` in the window; fewer, also none, when less
        is."""

    async def close_gate(self, budget: str, until_ms: int, *, is_ban: bool) -> None:
        """Tell every process that the venue wants silence until then; an earlier time changes nothing."""

    async def closed_until(self, budget: str) -> tuple[int, bool] | None:
        """Until when someone has closed the gate, and whether for a ban; None when it is open."""
