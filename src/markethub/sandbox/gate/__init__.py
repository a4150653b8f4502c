"""Gate.io spot: its public market data over REST and its bulk files, as the sandbox plays them."""

from collections.abc import Iterator

from aiohttp import web

from markethub.sandbox.control import Meters
from markethub.sandbox.gate.bulk import BulkFiles, create_bulk_app
from markethub.sandbox.gate.candlesticks import CandlestickPages
from markethub.sandbox.gate.names import PairNames
from markethub.sandbox.gate.request_limits import RequestBook
from markethub.sandbox.gate.rest import create_rest_app
from markethub.sandbox.market import Market
from markethub.sandbox.quotes import Quotes
from markethub.sandbox.recorded import Recordings
from markethub.sandbox.settings import SandboxSettings

_OWN_SEED = 0x47494F
"""Mixed into the sandbox's seed: this venue's bars are not those of another one."""


def mounts(
    market: Market, settings: SandboxSettings, meters: Meters
) -> Iterator[tuple[str, web.Application]]:
    """The venue's doors, each with the path it answers below."""
    limits = RequestBook(settings.gate_requests_per_10_s)
    meters["gate"] = limits
    # No bar of this venue is recorded, and another venue's recordings are not this one's.
    made_up = Market(settings.seed ^ _OWN_SEED, market.catalog, Recordings([]))
    pages = CandlestickPages(made_up, settings.page_cache_bytes)
    quotes = Quotes(made_up, settings.seed ^ _OWN_SEED)
    names = PairNames(market.catalog)
    yield "/api/v4", create_rest_app(settings, names, pages, quotes, limits)
    yield "/spot", create_bulk_app(BulkFiles(made_up, names, settings))
