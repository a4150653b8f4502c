"""Binance's public REST endpoints below ``/api``. Source: Binance Spot REST API."""

import re
from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from markethub.sandbox.binance.exchange_info import ExchangeInfo
from markethub.sandbox.binance.klines import KlinePages, Window
from markethub.sandbox.binance.names import PairNames
from markethub.sandbox.binance.refusals import JSON_TYPE, refuse, refuse_illegal, refuse_missing
from markethub.sandbox.binance.weights import Verdict, WeightBook
from markethub.sandbox.intervals import WIDTHS_MS
from markethub.sandbox.market import Market
from markethub.sandbox.settings import Clock, SandboxSettings

_WEIGHTS: Final[Mapping[str, int]] = {
    "/api/v3/ping": 1,
    "/api/v3/time": 1,
    "/api/v3/klines": 2,
    "/api/v3/exchangeInfo": 20,
}
_NOT_FOUND_PAGE: Final = """<html>
<head><title>404 Not Found</title></head>
<body><h1>404 Not Found</h1></body>
</html>
"""
_DEFAULT_LIMIT: Final = 500
_MAX_LIMIT: Final = 1000
_KLINE_PARAMETERS: Final = ("symbol", "interval", "startTime", "endTime", "timeZone", "limit")
_WHOLE_NUMBER: Final = "^[0-9]{1,20}$"
_TIME_ZONE: Final = r"^[+-]?(?:[0-9]|1[0-4])(?::[0-5][0-9])?$"
# Times are milliseconds or microseconds; as milliseconds this number is the year 5138.
_MICROSECONDS_FROM: Final = 100_000_000_000_000


def create_rest_app(
    market: Market, settings: SandboxSettings, pages: KlinePages, weights: WeightBook
) -> web.Application:
    """The application to mount below ``/api``."""
    doors = _Doors(market, settings, pages)
    app = web.Application(middlewares=[_charge(weights, settings.clock)])
    app.router.add_get("/v3/ping", doors.ping)
    app.router.add_get("/v3/time", doors.time)
    app.router.add_get("/v3/exchangeInfo", doors.exchange_info)
    app.router.add_get("/v3/klines", doors.klines)
    app.router.add_route("*", "/{unknown:.*}", _answer_unknown)
    return app


class _Doors:
    """The handlers of one sandbox."""

    def __init__(self, market: Market, settings: SandboxSettings, pages: KlinePages) -> None:
        self._names = PairNames(market.catalog)
        self._pages = pages
        self._clock = settings.clock
        self._info = ExchangeInfo(self._names, settings)

    async def ping(self, request: web.Request) -> web.Response:
        _check_parameters(request, ())
        return _json(b"{}")

    async def time(self, request: web.Request) -> web.Response:
        _check_parameters(request, ())
        now = self._clock() * (1000 if _wants_microseconds(request) else 1)
        return _json(orjson.dumps({"serverTime": now}))

    async def exchange_info(self, request: web.Request) -> web.Response:
        _check_parameters(request, ("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"))
        return _json(self._info.answer(request.query, self._clock()))

    async def klines(self, request: web.Request) -> web.Response:
        _check_parameters(request, _KLINE_PARAMETERS)
        now_ms = self._clock()
        query = request.query
        pair = self._names.demand(query.get("symbol"), now_ms)
        interval = query.get("interval")
        if not interval:
            raise refuse_missing("interval")
        if interval not in WIDTHS_MS:
            raise refuse(-1120, "Invalid interval.")
        _check_time_zone(query.get("timeZone", "0"), WIDTHS_MS[interval])
        start_ms = _read_time(query, "startTime", round_up=True)
        end_ms = _read_time(query, "endTime", round_up=False)
        window = Window(start_ms, end_ms, _read_limit(query))
        microseconds = _wants_microseconds(request)
        return _json(self._pages.page(pair, interval, window, now_ms, microseconds=microseconds))


def _charge(weights: WeightBook, clock: Clock) -> Middleware:
    @web.middleware
    async def charge(request: web.Request, handler: Handler) -> web.StreamResponse:
        verdict = weights.charge(request.remote or "unknown", _WEIGHTS.get(request.path, 1), clock())
        if verdict.status != 200:
            return _refuse_for_load(verdict)
        try:
            response = await handler(request)
        except web.HTTPException as refusal:
            _tell_weight(refusal, verdict)
            raise
        _tell_weight(response, verdict)
        return response

    return charge


def _tell_weight(response: web.StreamResponse, verdict: Verdict) -> None:
    response.headers["X-MBX-USED-WEIGHT"] = str(verdict.used_weight)
    response.headers["X-MBX-USED-WEIGHT-1M"] = str(verdict.used_weight)


def _refuse_for_load(verdict: Verdict) -> web.Response:
    response = _json(orjson.dumps({"code": -1003, "msg": verdict.message}), verdict.status)
    response.headers["Retry-After"] = str(verdict.retry_after_s)
    _tell_weight(response, verdict)
    return response


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, headers={"Content-Type": JSON_TYPE})


async def _answer_unknown(_: web.Request) -> web.Response:
    return web.Response(status=404, text=_NOT_FOUND_PAGE, content_type="text/html")


def _wants_microseconds(request: web.Request) -> bool:
    return request.headers.get("X-MBX-TIME-UNIT", "").upper() == "MICROSECOND"


def _check_parameters(request: web.Request, known: tuple[str, ...]) -> None:
    query = request.query
    if len(set(query)) != len(query):
        raise refuse(-1101, "Duplicate values for a parameter detected.")
    if unread := sum(name not in known for name in query):
        raise refuse(
            -1104,
            f"Not all sent parameters were read; read '{len(query) - unread}' parameter(s) "
            f"but was sent '{len(query)}'.",
        )


def _read_number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if re.fullmatch(_WHOLE_NUMBER, text) is None:
        raise refuse_illegal(name, _WHOLE_NUMBER)
    return int(text)


def _read_limit(query: Mapping[str, str]) -> int:
    """More than the maximum gives the maximum; that the venue does so is not documented."""
    limit = _read_number(query, "limit")
    if limit is None:
        return _DEFAULT_LIMIT
    if limit == 0:
        raise refuse(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, _MAX_LIMIT)


def _read_time(query: Mapping[str, str], name: str, *, round_up: bool) -> int | None:
    time = _read_number(query, name)
    if time is None or time < _MICROSECONDS_FROM:
        return time
    return -(-time // 1000) if round_up else time // 1000


def _check_time_zone(text: str, width_ms: int) -> None:
    """Accept the zones that leave the bars where they are; shifted bars are not played."""
    if re.fullmatch(_TIME_ZONE, text) is None:
        raise refuse_illegal("timeZone", _TIME_ZONE)
    hours, _, minutes = text.lstrip("+-").partition(":")
    if (int(hours) * 60 + int(minutes or 0)) * 60_000 % width_ms:
        raise refuse(-1100, f"The sandbox does not shift bars: timeZone {text} does not suit this interval.")
