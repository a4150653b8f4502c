"""Binance spot (BNC): klines over REST and from its bulk archive, listings, tickers, books and balances."""

from markethub.venues.binance.venue import create_venue

__all__ = ["create_venue"]
