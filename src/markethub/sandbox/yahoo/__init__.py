"""Yahoo's charts of stocks, as the sandbox plays them: real days from 2000 to 2013, made-up bars since."""

from collections.abc import Iterator

from aiohttp import web

from markethub.sandbox.control import Meters
from markethub.sandbox.market import Market
from markethub.sandbox.settings import SandboxSettings
from markethub.sandbox.yahoo.history import StockHistory
from markethub.sandbox.yahoo.load import LoadBook
from markethub.sandbox.yahoo.rest import create_chart_app

_OWN_SEED = 0x59484F
"""Mixed into the sandbox's seed: stocks do not move like coins."""


def mounts(
    market: Market,  # noqa: ARG001 - stocks have a history of their own
    settings: SandboxSettings,
    meters: Meters,
) -> Iterator[tuple[str, web.Application]]:
    """The door, with the path it answers below."""
    load = LoadBook(settings.yahoo_requests_per_10_s)
    meters["yahoo"] = load
    yield "/yahoo", create_chart_app(settings.clock, StockHistory(settings.seed ^ _OWN_SEED), load)
