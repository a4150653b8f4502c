"""Gate's public REST endpoints below ``/api/v4``. Source: Gate API v4."""

import re
from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from markethub.sandbox.gate.candlesticks import MAX_POINTS, PLAYED_MS, CandlestickPages, Window
from markethub.sandbox.gate.currency_pairs import describe
from markethub.sandbox.gate.names import PairNames
from markethub.sandbox.gate.quotes import print_book, print_ticker
from markethub.sandbox.gate.refusals import (
    JSON_TYPE,
    answer_unknown,
    refuse_for_load,
    refuse_long_range,
    refuse_missing,
    refuse_pair,
    refuse_value,
)
from markethub.sandbox.gate.request_limits import Allowance, RequestBook
from markethub.sandbox.listings import Listing
from markethub.sandbox.quotes import Quotes
from markethub.sandbox.settings import Clock, SandboxSettings

_DEFAULT_INTERVAL: Final = "30m"
_DEFAULT_DEPTH: Final = 10
# No most is documented; what lies above is refused here, so that nobody relies on it.
_MAX_DEPTH: Final = 1_000
_WHOLE_NUMBER: Final = "[0-9]{1,12}"


def create_rest_app(
    settings: SandboxSettings, names: PairNames, pages: CandlestickPages, quotes: Quotes, limits: RequestBook
) -> web.Application:
    """The application to mount below ``/api/v4``."""
    doors = _Doors(settings.clock, names, pages, quotes)
    app = web.Application(middlewares=[_charge(limits, settings.clock)])
    app.router.add_get("/spot/time", doors.time)
    app.router.add_get("/spot/currency_pairs", doors.currency_pairs)
    app.router.add_get("/spot/candlesticks", doors.candlesticks)
    app.router.add_get("/spot/tickers", doors.tickers)
    app.router.add_get("/spot/order_book", doors.order_book)
    app.router.add_route("*", "/{unknown:.*}", _answer_unknown)
    return app


class _Doors:
    """The handlers of one sandbox."""

    def __init__(self, clock: Clock, names: PairNames, pages: CandlestickPages, quotes: Quotes) -> None:
        self._clock = clock
        self._names = names
        self._pages = pages
        self._quotes = quotes

    async def time(self, _: web.Request) -> web.Response:
        return _json(orjson.dumps({"server_time": self._clock()}))

    async def currency_pairs(self, _: web.Request) -> web.Response:
        now_ms = self._clock()
        return _json_list([describe(listing, now_ms) for listing in self._names.listed(now_ms)])

    async def candlesticks(self, request: web.Request) -> web.Response:
        now_ms = self._clock()
        query = request.query
        name = _read_name(query)
        interval = query.get("interval") or _DEFAULT_INTERVAL
        if interval not in PLAYED_MS:
            raise refuse_value("interval", interval)
        window = _read_window(query)
        listing = self._find(name, now_ms)
        return _json_list(self._pages.page(listing, interval, window, now_ms))

    async def tickers(self, request: web.Request) -> web.Response:
        now_ms = self._clock()
        name = request.query.get("currency_pair")
        listings = [self._find(name, now_ms)] if name else self._names.listed(now_ms)
        printed = [print_ticker(self._quotes, listing, now_ms, with_sizes=bool(name)) for listing in listings]
        return _json_list([entry for entry in printed if entry is not None])

    async def order_book(self, request: web.Request) -> web.Response:
        now_ms = self._clock()
        query = request.query
        name = _read_name(query)
        depth = _read_number(query, "limit")
        depth = _DEFAULT_DEPTH if depth is None else depth
        if not 1 <= depth <= _MAX_DEPTH:
            raise refuse_value("limit", str(depth))
        if query.get("interval", "0") != "0":  # adding levels up is not played
            raise refuse_value("interval", query["interval"][:40])
        with_id = query.get("with_id", "false")
        if with_id not in ("true", "false"):
            raise refuse_value("with_id", with_id[:40])
        listing = self._find(name, now_ms)
        return _json(print_book(self._quotes, listing, now_ms, depth, with_id=with_id == "true"))

    def _find(self, name: str, now_ms: int) -> Listing:
        if (listing := self._names.find(name, now_ms)) is None:
            raise refuse_pair(name)
        return listing


def _charge(limits: RequestBook, clock: Clock) -> Middleware:
    @web.middleware
    async def charge(request: web.Request, handler: Handler) -> web.StreamResponse:
        in_ms = clock()
        allowance = limits.charge(request.remote or "unknown", request.path, in_ms)
        response: web.StreamResponse
        if not allowance.admitted:
            response = refuse_for_load()
        else:
            try:
                response = await handler(request)
            except web.HTTPException as refusal:
                _tell(refusal, allowance, in_ms, clock())
                raise
        _tell(response, allowance, in_ms, clock())
        return response

    return charge


def _tell(response: web.StreamResponse, allowance: Allowance, in_ms: int, out_ms: int) -> None:
    response.headers["X-Gate-RateLimit-Limit"] = str(allowance.limit)
    response.headers["X-Gate-RateLimit-Requests-Remain"] = str(allowance.remaining)
    response.headers["X-Gate-RateLimit-Reset-Timestamp"] = str(allowance.reset_ms // 1000)
    response.headers["X-In-Time"] = str(in_ms * 1000)
    response.headers["X-Out-Time"] = str(out_ms * 1000)


def _read_name(query: Mapping[str, str]) -> str:
    name = query.get("currency_pair")
    if not name:
        raise refuse_missing("currency_pair")
    return name


def _read_window(query: Mapping[str, str]) -> Window:
    limit = _read_number(query, "limit")
    from_s, to_s = _read_number(query, "from"), _read_number(query, "to")
    if limit is not None and (from_s is not None or to_s is not None or limit == 0):
        raise refuse_value("limit", str(limit))
    if limit is not None and limit > MAX_POINTS:
        raise refuse_long_range()
    if from_s is not None and to_s is not None and from_s > to_s:
        raise refuse_value("from", str(from_s))
    return Window(
        from_ms=None if from_s is None else from_s * 1000,
        to_ms=None if to_s is None else to_s * 1000,
        limit=limit,
    )


def _read_number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if re.fullmatch(_WHOLE_NUMBER, text) is None:
        raise refuse_value(name, text[:40])
    return int(text)


def _json_list(entries: list[bytes]) -> web.Response:
    return _json(b"[" + b",".join(entries) + b"]")


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=JSON_TYPE)


async def _answer_unknown(_: web.Request) -> web.Response:
    return answer_unknown()
