"""Example Exchange as a venue of MarketHub."""

from markethub_xmp.venue import create_venue

__all__ = ["create_venue"]
