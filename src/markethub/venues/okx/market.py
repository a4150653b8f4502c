"""What OKX shows everyone besides klines. Source: the pages named at each method, of the OKX API v5 guide."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from markethub.domain.errors import InputError, SymbolNotListedError
from markethub.domain.symbol import Symbol
from markethub.tables.tickers import TICKERS
from markethub.venues.okx.directory import Directory
from markethub.venues.okx.doors import Doors
from markethub.venues.okx.limits import ALL_TICKERS, BOOKS, BOOKS_FULL, BOOKS_LEVELS, TICKER, Endpoint
from markethub.venues.okx.market_parse import parse_orderbook, parse_tickers
from markethub.venues.okx.names import CODE, join_name
from markethub.venues.transport.request import Question

_DEEPEST = 1_000
_BOOK_ITEMS, _FULL_BOOK_ITEMS = 4, 3
_ANSWER_BYTES = 64 * 1024 * 1024


class OkxMarket:
    """A MarketSource."""

    def __init__(self, doors: Doors, directory: Directory) -> None:
        self._doors = doors
        self._directory = directory
        for endpoint in (TICKER, ALL_TICKERS, BOOKS, BOOKS_FULL):
            doors.caller(endpoint)

    async def listing(self) -> pa.Table:
        """Every spot pair, also suspended and announced ones. Source: "Get instruments"."""
        return await self._directory.listing_now()

    async def tickers(self, symbols: Sequence[Symbol]) -> pa.Table:
        """One question, whatever the number of symbols. Sources: "Ticker" and "Tickers".

        A pair that is listed but has no ticker is left out.
        """
        wanted = {join_name(symbol): symbol for symbol in symbols}
        if not wanted:
            return TICKERS.empty()
        found = await (self._ask_one(wanted) if len(wanted) == 1 else self._ask_all(wanted))
        missing = set(map(str, symbols)).difference(found.column("symbol").to_pylist())
        if missing:
            listed = set(map(str, await self._directory.listing()))
            if unlisted := sorted(missing - listed):
                raise SymbolNotListedError(f"{CODE} does not list {', '.join(unlisted[:20])}")
        return found

    async def orderbook(self, symbol: Symbol, depth: int) -> pa.Table:
        """The book at one moment of the venue's clock. Sources: "Order book" and "Full order book".

        Up to 400 levels a side come from the first, which is renewed every 50 ms; more from the second, which
        is renewed once a second and has no sequence number.
        """
        if not 1 <= depth <= _DEEPEST:
            raise InputError(f"depth {depth} is not between 1 and {_DEEPEST}")
        endpoint, items = (BOOKS, _BOOK_ITEMS) if depth <= BOOKS_LEVELS else (BOOKS_FULL, _FULL_BOOK_ITEMS)
        subject = f"order book of {symbol}"
        # Without a size the venue shows one level only.
        body = await self._ask(endpoint, {"instId": join_name(symbol), "sz": depth}, subject)
        return parse_orderbook(body, symbol, depth, items, f"{CODE} {subject}")

    async def _ask_one(self, wanted: Mapping[str, Symbol]) -> pa.Table:
        (name,) = wanted
        try:
            body = await self._ask(TICKER, {"instId": name}, f"ticker of {wanted[name]}")
        except SymbolNotListedError:
            return TICKERS.empty()  # the listing tells whether it is known
        return parse_tickers(body, wanted, f"{CODE} ticker of {wanted[name]}")

    async def _ask_all(self, wanted: Mapping[str, Symbol]) -> pa.Table:
        body = await self._ask(ALL_TICKERS, {"instType": "SPOT"}, "tickers")
        return parse_tickers(body, wanted, f"{CODE} tickers")

    async def _ask(self, endpoint: Endpoint, params: Mapping[str, str | int], subject: str) -> bytes:
        question = Question(endpoint.path, weight=1, subject=subject, max_bytes=_ANSWER_BYTES, params=params)
        return await self._doors.caller(endpoint).ask(question)
