"""What Gate shows everyone besides klines."""

from collections.abc import Sequence

import pyarrow as pa

from markethub.domain.errors import InputError, SymbolNotListedError
from markethub.domain.symbol import Symbol
from markethub.tables.tickers import TICKERS
from markethub.venues.gate.directory import Directory
from markethub.venues.gate.limits import DEEPEST_BOOK
from markethub.venues.gate.market_parse import parse_listing, parse_order_book, parse_tickers
from markethub.venues.gate.names import CODE, join_name
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.stamp import Stamp

TICKERS_PATH = "/spot/tickers"
ORDER_BOOK_PATH = "/spot/order_book"

_TICKERS_BYTES = 64 * 1024 * 1024
_BOOK_BYTES = 4 * 1024 * 1024


class GateMarket:
    """A MarketSource. Sources: "List all currency pairs supported", "Retrieve ticker information" and
    "Retrieve order book" of the Gate API v4 page."""

    def __init__(
        self,
        *,
        tickers: VenueCaller,
        order_book: VenueCaller,
        directory: Directory,
        clock: ServerClock,
    ) -> None:
        self._tickers = tickers
        self._order_book = order_book
        self._directory = directory
        self._clock = clock

    async def listing(self) -> pa.Table:
        """Every spot pair listed now, asked now; what each status means is told at ``parse_listing``."""
        stamp = Stamp(self._clock)
        body = await self._directory.ask(stamp)
        return parse_listing(body, stamp.sent_ms)

    async def tickers(self, symbols: Sequence[Symbol]) -> pa.Table:
        """One row for each symbol that has a ticker; always one question: for one pair, or for all there are.

        Only the answer for one pair tells the sizes at the best bid and ask. SymbolNotListedError names the
        symbols that neither the answer nor the listing knows.
        """
        names = [join_name(symbol) for symbol in symbols]
        if not names:
            return TICKERS.empty()
        alone = names[0] if len(set(names)) == 1 else None
        subject = "tickers" if alone is None else f"ticker of {symbols[0]}"
        question = Question(
            path=TICKERS_PATH,
            params={} if alone is None else {"currency_pair": alone},
            weight=1,
            subject=subject,
            max_bytes=_TICKERS_BYTES,
        )
        stamp = Stamp(self._clock)
        body = await self._tickers.ask(question, stamp)
        rows = parse_tickers(body, symbols, stamp.sent_ms, f"{CODE} {subject}")
        await self._check_missing(symbols, rows)
        return rows

    async def orderbook(self, symbol: Symbol, depth: int) -> pa.Table:
        """One row, its time the venue's; InputError for a depth that is not from 1 to 1000."""
        if not 1 <= depth <= DEEPEST_BOOK:
            raise InputError(f"depth {depth} is not between 1 and {DEEPEST_BOOK}")
        subject = f"order book of {symbol}"
        question = Question(
            path=ORDER_BOOK_PATH,
            params={
                "currency_pair": join_name(symbol),
                "limit": depth,  # ten levels without it
                "interval": 0,  # any other adds prices up
                "with_id": "true",
            },
            weight=1,
            subject=subject,
            max_bytes=_BOOK_BYTES,
        )
        stamp = Stamp(self._clock)
        body = await self._order_book.ask(question, stamp)
        return parse_order_book(body, symbol, depth, stamp.sent_ms, f"{CODE} {subject}")

    async def _check_missing(self, symbols: Sequence[Symbol], rows: pa.Table) -> None:
        told = set(rows.column("symbol").to_pylist())
        missing = [symbol for symbol in symbols if str(symbol) not in told]
        if not missing:
            return
        listing = await self._directory.listing()
        unknown = [str(symbol) for symbol in missing if symbol not in listing]
        if unknown:
            raise SymbolNotListedError(f"{CODE} does not list {', '.join(unknown[:20])}")
