"""OKX spot (OKX): public market data and one's own accounts over REST."""

from markethub.venues.okx.venue import create_venue

__all__ = ["create_venue"]
