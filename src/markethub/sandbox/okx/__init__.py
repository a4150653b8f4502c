"""OKX spot over REST, as the sandbox plays it: public market data and made-up accounts."""

from collections.abc import Iterator

from aiohttp import web

from markethub.sandbox.control import Meters
from markethub.sandbox.market import Market
from markethub.sandbox.okx.account_gate import AccountGate
from markethub.sandbox.okx.account_routes import AccountRoutes
from markethub.sandbox.okx.bulk import BulkFiles, BulkIndexRoutes, create_bulk_app
from markethub.sandbox.okx.candles import CandlePages
from markethub.sandbox.okx.ledger_routes import LedgerRoutes
from markethub.sandbox.okx.ledgers import Ledgers
from markethub.sandbox.okx.market_routes import MarketRoutes
from markethub.sandbox.okx.names import PairNames
from markethub.sandbox.okx.request_limits import RequestBook
from markethub.sandbox.okx.rest import CandleRoutes, create_rest_app
from markethub.sandbox.okx.wallets import Wallets
from markethub.sandbox.quotes import Quotes
from markethub.sandbox.recorded import Recordings
from markethub.sandbox.settings import SandboxSettings


def mounts(
    market: Market, settings: SandboxSettings, meters: Meters
) -> Iterator[tuple[str, web.Application]]:
    """The venue's doors, each with the path it answers below."""
    limits = RequestBook(settings)
    meters["okx"] = limits
    names = PairNames(market.catalog)
    # No bar of this venue is recorded, and another venue's recordings are not this one's.
    made_up = Market(settings.seed, market.catalog, Recordings([]))
    pages = CandlePages(made_up, settings.page_cache_bytes)
    gate = AccountGate(settings.clock, limits)
    bulk = BulkFiles(made_up, names, settings)
    groups = (
        CandleRoutes(settings.clock, names, pages),
        MarketRoutes(settings.clock, names, Quotes(made_up, settings.seed)),
        BulkIndexRoutes(bulk),
        AccountRoutes(settings.clock, gate, Wallets(settings.seed, market.catalog)),
        LedgerRoutes(settings, gate, names, Ledgers(settings, names)),
    )
    yield "/api/v5", create_rest_app(limits, settings.clock, groups)
    yield "/cdn", create_bulk_app(bulk)
