"""Stocks of the United States (US) and Hong Kong (HK): bars from Yahoo, Futu OpenD, or a folder of files."""

from markethub.venues.stocks.venue import create_hk_venue, create_us_venue

__all__ = ["create_hk_venue", "create_us_venue"]
