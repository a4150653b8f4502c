"""Binance spot (BNC): public klines over REST and from its bulk archive."""

from markethub.venues.binance.venue import create_venue

__all__ = ["create_venue"]
