"""What the exchanges allow, and what was used of it."""

from markethub.wire.model import AnswerModel
from markethub.wire.times import AnswerTime


class Limit(AnswerModel):
    """One budget of an exchange as this hub sees it now: weight or requests in a window of time.

    ``used`` is what this hub used of the present window, and others as far as the exchange told; ``limit`` is
    null where there is none. ``fleet_used`` is what all hubs on the same control database were granted of the
    window when this one last asked, null where it did not. ``waiting`` requests of this hub stand in line.
    Nothing is asked before ``closed_until``; ``banned`` tells a ban from a pause.
    """

    exchange: str
    budget: str
    used: int
    limit: int | None
    window_seconds: float
    fleet_used: int | None
    waiting: int
    closed_until: AnswerTime | None
    banned: bool


class LimitList(AnswerModel):
    """Every budget, ascending by exchange."""

    data: list[Limit]
