"""What a venue's budgets say, looked up by name."""

from markethub.ports.venue import Venue, VenueLimits


def budget_of(venue: Venue, name: str) -> VenueLimits:
    """The budget whose name ends in ``name``."""
    (found,) = [limits for limits in venue.limits() if limits.name.endswith(name)]
    return found
