"""Binance spot: its REST API and its bulk archive, as the sandbox plays them."""

from collections.abc import Iterator

from aiohttp import web

from markethub.sandbox.binance.archive import KlineArchive
from markethub.sandbox.binance.archive_routes import create_archive_app
from markethub.sandbox.binance.klines import KlinePages
from markethub.sandbox.binance.rest import create_rest_app
from markethub.sandbox.binance.weights import WeightBook
from markethub.sandbox.control import Meters
from markethub.sandbox.market import Market
from markethub.sandbox.settings import SandboxSettings


def mounts(
    market: Market, settings: SandboxSettings, meters: Meters
) -> Iterator[tuple[str, web.Application]]:
    """The venue's doors, each with the path it answers below."""
    weights = WeightBook(settings)
    meters["binance"] = weights
    yield "/api", create_rest_app(market, settings, KlinePages(market, settings.page_cache_bytes), weights)
    yield "/data", create_archive_app(KlineArchive(market, settings))
