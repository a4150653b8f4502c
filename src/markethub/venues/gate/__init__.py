"""Gate.io spot (GIO): public klines over REST, as far back as the venue tells them there."""

from markethub.venues.gate.venue import create_venue

__all__ = ["create_venue"]
