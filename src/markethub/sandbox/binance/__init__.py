"""Binance spot: its REST API, its wallet endpoints and its bulk archive, as the sandbox plays them."""

from collections.abc import Iterator
from dataclasses import replace

from aiohttp import web

from markethub.sandbox.binance.archive import KlineArchive
from markethub.sandbox.binance.archive_routes import create_archive_app
from markethub.sandbox.binance.klines import KlinePages
from markethub.sandbox.binance.rest import create_rest_app
from markethub.sandbox.binance.sapi import create_sapi_app
from markethub.sandbox.binance.wallets import Wallets
from markethub.sandbox.binance.weights import WeightBook
from markethub.sandbox.control import Meters
from markethub.sandbox.market import Market
from markethub.sandbox.settings import SandboxSettings


def mounts(
    market: Market, settings: SandboxSettings, meters: Meters
) -> Iterator[tuple[str, web.Application]]:
    """The venue's doors, each with the path it answers below."""
    weights = WeightBook(settings)
    sapi_weights = WeightBook(
        replace(
            settings,
            weight_per_minute=settings.sapi_weight_per_minute,
            weight_window_s=60,
            raw_requests_per_5_minutes=None,
        )
    )
    meters["binance"], meters["binance sapi"] = weights, sapi_weights
    pages = KlinePages(market, settings.page_cache_bytes)
    wallets = Wallets(market.catalog, settings.seed)
    yield "/api", create_rest_app(market, settings, pages, wallets, weights)
    yield "/sapi", create_sapi_app(wallets, settings.clock, sapi_weights)
    yield "/data", create_archive_app(KlineArchive(market, settings))
