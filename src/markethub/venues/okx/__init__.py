"""OKX spot (OKX): public klines over REST."""

from markethub.venues.okx.venue import create_venue

__all__ = ["create_venue"]
