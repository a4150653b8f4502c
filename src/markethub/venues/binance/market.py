"""Listings, tickers and order books over Binance's REST API."""

import asyncio
from collections.abc import Mapping, Sequence

import orjson
import pyarrow as pa

from markethub.domain.errors import InputError, SymbolNotListedError
from markethub.domain.symbol import Symbol
from markethub.tables.tickers import TICKERS
from markethub.venues.binance.directory import Directory
from markethub.venues.binance.limits import BOOK_LEVELS_MOST, split_tickers, weigh_book, weigh_tickers
from markethub.venues.binance.market_parse import parse_orderbook, parse_tickers, tabulate_listing
from markethub.venues.binance.names import CODE, Listing, join_name
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.stamp import Stamp

# A pair that the kept listing does not show trading may have begun to: then a newer one is asked for.
_SETTLED_S = 60.0
_TICKERS_BYTES = 32 * 1024 * 1024  # all of them are 2 MB
_BOOK_BYTES = 1024 * 1024  # 1000 levels a side are 60 kB


class BinanceMarket:
    """A MarketSource. Sources: "Exchange information", "24hr ticker price change statistics" and "Order book"
    of the Binance Spot REST API page."""

    def __init__(self, caller: VenueCaller, directory: Directory, clock: ServerClock) -> None:
        self._caller = caller
        self._directory = directory
        self._clock = clock

    async def listing(self) -> pa.Table:
        """Every pair of the venue's spot listing, asked now; when one was listed is not told there."""
        info = await self._directory.ask()
        return await asyncio.to_thread(tabulate_listing, info.entries, f"{CODE} listing")

    async def tickers(self, symbols: Sequence[Symbol]) -> pa.Table:
        """One row for each of ``symbols`` that trades, in the order given; a repeated one counts once.

        Up to 100 come in one answer, and so does everything where that is cheaper. Each row carries the
        venue's own time. SymbolNotListedError names those that the venue does not know.
        """
        wanted = await self._find_trading(symbols)
        if not wanted:
            return TICKERS.empty()
        parts = split_tickers(list(wanted))
        if parts is None:
            return await self._ask_tickers(wanted, None)
        tables = [await self._ask_tickers({name: wanted[name] for name in part}, part) for part in parts]
        return pa.concat_tables(tables)

    async def orderbook(self, symbol: Symbol, depth: int) -> pa.Table:
        """One row with at most ``depth`` levels a side, dated by a lower bound of the venue's clock when it
        was asked: the venue dates no book.

        InputError for a depth that is not from 1 to 1000.
        """
        if not 1 <= depth <= BOOK_LEVELS_MOST:
            raise InputError(f"depth {depth} is not from 1 to {BOOK_LEVELS_MOST}")
        subject = f"order book of {symbol}"
        question = Question(
            path="/api/v3/depth",
            params={"symbol": await self._directory.name(symbol), "limit": depth},
            weight=weigh_book(depth),
            subject=subject,
            max_bytes=_BOOK_BYTES,
        )
        stamp = Stamp(self._clock)
        body = await self._caller.ask(question, stamp)
        return parse_orderbook(body, symbol, depth, stamp.sent_ms, f"{CODE} {subject}")

    async def _find_trading(self, symbols: Sequence[Symbol]) -> dict[str, Symbol]:
        listing = await self._directory.listing()
        if not listing.trading.issuperset(symbols):
            listing = await self._directory.listing(_SETTLED_S)
        _check_listed(symbols, listing)
        return {join_name(symbol): symbol for symbol in symbols if symbol in listing.trading}

    async def _ask_tickers(self, wanted: Mapping[str, Symbol], names: Sequence[str] | None) -> pa.Table:
        subject = "all tickers" if names is None else f"tickers of {len(names)} symbols"
        question = Question(
            path="/api/v3/ticker/24hr",
            params={} if names is None else {"symbols": orjson.dumps(list(names)).decode()},
            weight=weigh_tickers(None if names is None else len(names)),
            subject=subject,
            max_bytes=_TICKERS_BYTES,
        )
        body = await self._caller.ask(question)
        return await asyncio.to_thread(parse_tickers, body, wanted, f"{CODE} {subject}")


def _check_listed(symbols: Sequence[Symbol], listing: Listing) -> None:
    unknown = [symbol for symbol in symbols if symbol.venue != CODE or symbol not in listing]
    if unknown:
        named = ", ".join(str(symbol) for symbol in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise SymbolNotListedError(f"{CODE} does not list {named}{more}")
