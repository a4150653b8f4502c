"""OKX's REST endpoints below ``/api/v5``. Source: OKX API v5 guide."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from markethub.sandbox.okx.bar_sizes import BAR_SIZES
from markethub.sandbox.okx.candles import CandlePages, Cursor
from markethub.sandbox.okx.instruments import describe
from markethub.sandbox.okx.names import Pair, PairNames
from markethub.sandbox.okx.refusals import (
    JSON_TYPE,
    refuse_empty,
    refuse_for_load,
    refuse_instrument,
    refuse_wrong,
    reply,
)
from markethub.sandbox.okx.request_limits import LIMITS, RequestBook
from markethub.sandbox.settings import Clock

_INSTRUMENTS: Final = "/api/v5/public/instruments"
# These are counted by account, once it is known whose they are.
_PRIVATE: Final = ("/api/v5/account/", "/api/v5/asset/", "/api/v5/trade/")
_INSTRUMENT_TYPES: Final = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION")
_DEFAULT_LIMIT: Final = 100
_MAX_LIMIT: Final = 300
_WHOLE_NUMBER: Final = "[0-9]{1,16}"


class Routes(Protocol):
    """Some endpoints of the venue."""

    def add_to(self, app: web.Application) -> None: ...


def create_rest_app(limits: RequestBook, clock: Clock, groups: Iterable[Routes]) -> web.Application:
    """The application to mount below ``/api/v5``: the endpoints of all groups, and nothing else."""
    app = web.Application(middlewares=[_charge(limits, clock)])
    for routes in groups:
        routes.add_to(app)
    app.router.add_route("*", "/{unknown:.*}", _answer_unknown)
    return app


class CandleRoutes:
    """The clock, the listing and the candles."""

    def __init__(self, clock: Clock, names: PairNames, pages: CandlePages) -> None:
        self._clock = clock
        self._names = names
        self._pages = pages

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/public/time", self._time)
        app.router.add_get("/public/instruments", self._instruments)
        app.router.add_get("/market/candles", self._candles)
        app.router.add_get("/market/history-candles", self._history_candles)

    async def _time(self, _: web.Request) -> web.Response:
        return reply([orjson.dumps({"ts": str(self._clock())})])

    async def _instruments(self, request: web.Request) -> web.Response:
        kind = request.query.get("instType")
        if not kind:
            raise refuse_empty("instType")
        if kind not in _INSTRUMENT_TYPES:
            raise refuse_wrong("instType")
        now_ms = self._clock()
        if wanted := request.query.get("instId"):
            pair = self._names.find_listed(wanted, now_ms)
            if pair is None or kind != "SPOT":
                raise refuse_instrument()
            return reply([describe(pair, now_ms)])
        # Only spot is played: the venue's other markets are empty here.
        return reply(describe(pair, now_ms) for pair in self._names.listed(now_ms) if kind == "SPOT")

    async def _candles(self, request: web.Request) -> web.Response:
        now_ms = self._clock()
        pair, bar, cursor = self._read(request.query, now_ms)
        return reply(self._pages.recent(pair, bar, cursor, now_ms))

    async def _history_candles(self, request: web.Request) -> web.Response:
        now_ms = self._clock()
        pair, bar, cursor = self._read(request.query, now_ms)
        return reply(self._pages.history(pair, bar, cursor, now_ms))

    def _read(self, query: Mapping[str, str], now_ms: int) -> tuple[Pair, str, Cursor]:
        name = query.get("instId")
        if not name:
            raise refuse_empty("instId")
        bar = query.get("bar") or "1m"
        if bar not in BAR_SIZES:
            raise refuse_wrong("bar")
        limit = _read_number(query, "limit")
        if limit == 0:
            raise refuse_wrong("limit")
        cursor = Cursor(
            before_ms=_read_number(query, "before"),
            after_ms=_read_number(query, "after"),
            # More than the maximum gives the maximum; that the venue does so is not documented.
            limit=_DEFAULT_LIMIT if limit is None else min(limit, _MAX_LIMIT),
        )
        if (pair := self._names.find(name, now_ms)) is None:
            raise refuse_instrument()
        return pair, bar, cursor


def _charge(limits: RequestBook, clock: Clock) -> Middleware:
    @web.middleware
    async def charge(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path
        if path not in LIMITS or path.startswith(_PRIVATE):
            return await handler(request)
        # Instruments are counted by address and type.
        key = f"{path} {request.query.get('instType', '')}" if path == _INSTRUMENTS else path
        if not limits.admit(request.remote or "unknown", path, key, clock()):
            return refuse_for_load()
        return await handler(request)

    return charge


async def _answer_unknown(_: web.Request) -> web.Response:
    body = orjson.dumps({"code": "404", "msg": "Not Found", "data": []})
    return web.Response(body=body, status=404, content_type=JSON_TYPE)


def _read_number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if re.fullmatch(_WHOLE_NUMBER, text) is None:
        raise refuse_wrong(name)
    return int(text)
