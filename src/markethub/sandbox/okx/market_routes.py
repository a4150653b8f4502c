"""OKX's tickers and order books below ``/api/v5``.

Source: "Tickers", "Ticker", "Order book" and "Full order book" of the OKX API v5 guide. What is answered for
a pair that is shown but does not trade is not documented: here it has no ticker and an empty book.
"""

from typing import Final

import orjson
from aiohttp import web

from markethub.sandbox.bars import Integers
from markethub.sandbox.okx.names import Pair, PairNames
from markethub.sandbox.okx.refusals import refuse_empty, refuse_instrument, refuse_wrong, reply
from markethub.sandbox.quotes import DEEPEST, Book, DayStats, Quotes
from markethub.sandbox.rows import print_e8
from markethub.sandbox.settings import Clock

_BOOK_LEVELS: Final = 400
_TYPES: Final = ("SPOT", "SWAP", "FUTURES", "OPTION")


class MarketRoutes:
    """The handlers of one sandbox."""

    def __init__(self, clock: Clock, names: PairNames, quotes: Quotes) -> None:
        self._clock = clock
        self._names = names
        self._quotes = quotes

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/market/tickers", self._tickers)
        app.router.add_get("/market/ticker", self._ticker)
        app.router.add_get("/market/books", self._book)
        app.router.add_get("/market/books-full", self._full_book)

    async def _tickers(self, request: web.Request) -> web.Response:
        kind = request.query.get("instType")
        if not kind:
            raise refuse_empty("instType")
        if kind not in _TYPES:
            raise refuse_wrong("instType")
        now_ms = self._clock()
        # Only spot is played: the venue's other markets are empty here.
        pairs = self._names.listed(now_ms) if kind == "SPOT" else []
        return reply(entry for pair in pairs for entry in self._describe(pair, now_ms))

    async def _ticker(self, request: web.Request) -> web.Response:
        now_ms = self._clock()
        return reply(self._describe(self._find(request, now_ms), now_ms))

    async def _book(self, request: web.Request) -> web.Response:
        return self._answer_book(request, _BOOK_LEVELS, is_full=False)

    async def _full_book(self, request: web.Request) -> web.Response:
        return self._answer_book(request, DEEPEST, is_full=True)

    def _answer_book(self, request: web.Request, most: int, *, is_full: bool) -> web.Response:
        now_ms = self._clock()
        pair = self._find(request, now_ms)
        size = request.query.get("sz") or "1"
        # That more than the most is refused, not cut, is not documented.
        if not (size.isascii() and size.isdigit() and len(size) <= 6 and 1 <= int(size) <= most):
            raise refuse_wrong("sz")
        book = self._quotes.book(pair.listing, now_ms, int(size))
        if book is None:
            entry: dict[str, object] = {"asks": [], "bids": [], "ts": str(now_ms)}
        else:
            entry = _print_book(book, is_full=is_full)
        return reply([orjson.dumps(entry)])

    def _find(self, request: web.Request, now_ms: int) -> Pair:
        name = request.query.get("instId")
        if not name:
            raise refuse_empty("instId")
        if (pair := self._names.find_listed(name, now_ms)) is None:
            raise refuse_instrument()
        return pair

    def _describe(self, pair: Pair, now_ms: int) -> list[bytes]:
        """The pair's ticker, or nothing."""
        stats = self._quotes.day(pair.listing, now_ms)
        book = self._quotes.book(pair.listing, now_ms, 1)
        if stats is None or book is None:
            return []
        return [orjson.dumps(_print_ticker(pair, stats, book, now_ms))]


def _print_ticker(pair: Pair, stats: DayStats, book: Book, now_ms: int) -> dict[str, str]:
    (bid, bid_size), (ask, ask_size) = (side[:, 0].tolist() for side in (book.bids, book.asks))
    amounts = {
        "askPx": ask,
        "askSz": ask_size,
        "bidPx": bid,
        "bidSz": bid_size,
        "high24h": stats.high_e8,
        "last": stats.last_e8,
        "lastSz": pair.listing.lot_e8,
        "low24h": stats.low_e8,
        "open24h": stats.open_e8,
        "sodUtc0": stats.opens[0],
        "sodUtc8": stats.opens[1],
        "vol24h": stats.volume_e8,
        "volCcy24h": stats.quote_e8,
    }
    texts = {name: _print(amount) for name, amount in amounts.items()}
    return {"instType": "SPOT", "instId": pair.name, **texts, "ts": str(now_ms)}


def _print_book(book: Book, *, is_full: bool) -> dict[str, object]:
    """The full book lacks the column that is always 0, and the sequence number."""
    unused = [] if is_full else ["0"]

    def rows(side: Integers) -> list[list[str]]:
        levels = side.T.tolist()
        return [
            [_print(price), _print(size), *unused, str(1 + at % 7)] for at, (price, size) in enumerate(levels)
        ]

    entry: dict[str, object] = {"asks": rows(book.asks), "bids": rows(book.bids), "ts": str(book.updated_ms)}
    return entry if is_full else entry | {"seqId": book.sequence}


def _print(amount_e8: int) -> str:
    return print_e8(amount_e8).rstrip("0").rstrip(".")
