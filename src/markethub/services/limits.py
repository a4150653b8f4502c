"""What the exchanges allow, and what was used of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from markethub.ports.venue import VenueLimits
from markethub.services.hub import Hub


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """One budget of ``exchange``, by the name it has there."""

    exchange: str
    budget: str
    limits: VenueLimits


def list_limits(hub: Hub) -> Sequence[BudgetReport]:
    """The budgets of every exchange at this moment, ascending by exchange; asks nobody."""
    return [
        BudgetReport(code, limits.name.removeprefix(f"{code} "), limits)
        for code, venue in sorted(hub.venues.items())
        for limits in venue.limits()
    ]
