"""The stock markets as venues, each fed by one source."""

import asyncio
from collections.abc import Mapping, Sequence

from markethub.domain.errors import InputError
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account, Symbol
from markethub.ports.budget import BudgetPool
from markethub.ports.costs import Costs
from markethub.ports.keys import ApiKey
from markethub.ports.venue import (
    AccountSource,
    KlineArchive,
    KlineSource,
    MarketSource,
    Sessions,
    Venue,
    VenueLimits,
)
from markethub.venues.stocks.exchanges import HK, US, Exchange
from markethub.venues.stocks.folder.client import FolderKlines
from markethub.venues.stocks.futu.client import FutuKlines
from markethub.venues.stocks.options import SourceName, StockOptions
from markethub.venues.stocks.sessions import StockSessions
from markethub.venues.stocks.source import StockSource
from markethub.venues.stocks.symbol_list import list_symbols
from markethub.venues.stocks.yahoo.client import YahooKlines


class StockVenue:
    """A Venue of one market. Only the chosen source is built; nothing is read before it is needed."""

    kinds: frozenset[DataKind] = frozenset({DataKind.KLINE})

    def __init__(self, exchange: Exchange, options: StockOptions, pool: BudgetPool | None = None) -> None:
        self.code: str = exchange.code
        self.name: str = exchange.name
        self._exchange = exchange
        self._options = options
        sessions = StockSessions(exchange)
        self._source = _choose(exchange, options, sessions, pool)
        self.klines: KlineSource = self._source
        self.kline_archive: KlineArchive | None = None
        self.market: MarketSource | None = None
        self.sessions: Sessions | None = sessions
        self.costs: Costs | None = None

    def account(self, account: Account, key: ApiKey) -> AccountSource:  # noqa: ARG002
        raise InputError(f"account {account}: no account data of {self.code} is supported")

    async def listed_symbols(self) -> Sequence[Symbol]:
        """What the option ``symbols_file`` names, else what the folder has files of; read now.

        InputError where there is neither, and where a line of the file is no ticker.
        """
        return await asyncio.to_thread(list_symbols, self._exchange, self._options)

    async def server_time_ms(self) -> int:
        """The source's clock; this machine's own where the source is a folder."""
        return await self._source.server_time_ms()

    def limits(self) -> Sequence[VenueLimits]:
        return self._source.limits()

    async def close(self) -> None:
        await self._source.close()


def _choose(
    exchange: Exchange, options: StockOptions, sessions: StockSessions, pool: BudgetPool | None
) -> StockSource:
    match options.source:
        case SourceName.FOLDER:
            return FolderKlines(exchange, options, sessions)
        case SourceName.FUTU:
            return FutuKlines(exchange, options, sessions, pool)
        case SourceName.YAHOO:
            return YahooKlines(exchange, options, sessions, pool)


def create_us_venue(options: Mapping[str, str], pool: BudgetPool | None = None) -> Venue:
    """The entry point ``US``; InputError names an option that is unknown or wrong, and what is allowed."""
    return StockVenue(US, StockOptions.parse(options, US.code), pool)


def create_hk_venue(options: Mapping[str, str], pool: BudgetPool | None = None) -> Venue:
    """The entry point ``HK``; InputError names an option that is unknown or wrong, and what is allowed."""
    return StockVenue(HK, StockOptions.parse(options, HK.code), pool)
