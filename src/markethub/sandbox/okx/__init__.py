"""OKX spot: its public market data over REST, as the sandbox plays it."""

from collections.abc import Iterator

from aiohttp import web

from markethub.sandbox.control import Meters
from markethub.sandbox.market import Market
from markethub.sandbox.okx.candles import CandlePages
from markethub.sandbox.okx.names import PairNames
from markethub.sandbox.okx.request_limits import RequestBook
from markethub.sandbox.okx.rest import create_rest_app
from markethub.sandbox.recorded import Recordings
from markethub.sandbox.settings import SandboxSettings


def mounts(
    market: Market, settings: SandboxSettings, meters: Meters
) -> Iterator[tuple[str, web.Application]]:
    """The venue's door, with the path it answers below."""
    limits = RequestBook(settings)
    meters["okx"] = limits
    # No bar of this venue is recorded, and another venue's recordings are not this one's.
    made_up = Market(settings.seed, market.catalog, Recordings([]))
    pages = CandlePages(made_up, settings.page_cache_bytes)
    yield "/api/v5", create_rest_app(settings, PairNames(market.catalog), pages, limits)
