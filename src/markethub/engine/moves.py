"""What becomes of leased work when it ends: pure rules, the same for planning and for chunks."""

import random
from dataclasses import dataclass
from enum import StrEnum

from markethub.engine.settings import EngineSettings


class Ending(StrEnum):
    """How a lease ended."""

    DONE = "done"
    FAILED = "failed"
    RETRY = "retry"
    RELEASED = "released"
    CRASHED = "crashed"


class Verdict(StrEnum):
    """What the work is afterwards."""

    DONE = "done"
    FAILED = "failed"
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Move:
    """The work's next state. ``delay_ms`` is how long it must rest before it is taken AGAIN."""

    verdict: Verdict
    attempts: int
    crashes: int
    delay_ms: int = 0
    error: str | None = None


def next_move(
    ending: Ending,
    *,
    attempts: int,
    crashes: int,
    error: str | None,
    retry_after_s: float,
    settings: EngineSettings,
    chance: random.Random,
) -> Move:
    """Decide what follows on ``ending`` for work with these spent ``attempts``, ``crashes`` among them.

    A lease that was given back counts as nothing. ``attempts`` and ``crashes`` never fall.
    """
    match ending:
        case Ending.DONE:
            return Move(Verdict.DONE, attempts + 1, crashes)
        case Ending.RELEASED:
            return Move(Verdict.AGAIN, attempts, crashes)
        case Ending.FAILED:
            return Move(Verdict.FAILED, attempts + 1, crashes, error=error)
        case Ending.CRASHED:
            dead = crashes + 1 >= settings.max_crashes
            verdict = Verdict.FAILED if dead else Verdict.AGAIN
            return Move(verdict, attempts + 1, crashes + 1, error=f"worker died {crashes + 1} times")
        case Ending.RETRY:
            tried = attempts + 1 - crashes
            if tried >= settings.max_attempts:
                return Move(Verdict.FAILED, attempts + 1, crashes, error=f"{error} (after {tried} attempts)")
            delay_s = max(backoff_s(tried, settings, chance), retry_after_s)
            return Move(Verdict.AGAIN, attempts + 1, crashes, delay_ms=round(delay_s * 1000), error=error)


def backoff_s(tried: int, settings: EngineSettings, chance: random.Random) -> float:
    """Seconds to wait after the ``tried``-th failure: doubling up to the cap, the upper half at random."""
    # the exponent is bounded so that no number of attempts overflows
    full_s = min(settings.backoff_cap_s, settings.backoff_base_s * 2.0 ** min(tried - 1, 60))
    return full_s * chance.uniform(0.5, 1.0)
