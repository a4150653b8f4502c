"""Gate.io spot (GIO): public market data over REST, and bulk files of older klines where switched on."""

from markethub.venues.gate.venue import create_venue

__all__ = ["create_venue"]
