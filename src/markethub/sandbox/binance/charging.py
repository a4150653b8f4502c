"""What a request costs, and the 429 and 418 of those who spent too much."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from markethub.sandbox.binance.refusals import JSON_TYPE
from markethub.sandbox.binance.weights import Verdict, WeightBook, weight_interval
from markethub.sandbox.settings import Clock

_WEIGHTS: Final = {
    "/api/v3/klines": 2,
    "/api/v3/exchangeInfo": 20,
    "/api/v3/account": 20,
}
_BOOK_WEIGHTS: Final = ((100, 5), (500, 25), (1000, 50))
_DEEPEST_BOOK_WEIGHT: Final = 250
_TICKERS_WEIGHTS: Final = ((20, 2), (100, 40))
_ALL_TICKERS_WEIGHT: Final = 80


def weigh(request: web.Request) -> int:
    """The documented weight of a request; 1 unless it says otherwise."""
    if request.path == "/api/v3/ticker/24hr":
        return _weigh_tickers(request)
    if request.path == "/api/v3/depth":
        text = request.query.get("limit", "100")
        limit = int(text) if text.isascii() and text.isdigit() else 1
        return next((weight for most, weight in _BOOK_WEIGHTS if limit <= most), _DEEPEST_BOOK_WEIGHT)
    return _WEIGHTS.get(request.path, 1)


def _weigh_tickers(request: web.Request) -> int:
    if "symbol" in request.query:
        return _TICKERS_WEIGHTS[0][1]
    if "symbols" not in request.query:
        return _ALL_TICKERS_WEIGHT
    count = request.query["symbols"].count(",") + 1
    return next((weight for most, weight in _TICKERS_WEIGHTS if count <= most), _ALL_TICKERS_WEIGHT)


@dataclass(frozen=True, slots=True)
class Tariff:
    """Who pays, and in which headers the venue tells what was used."""

    weights: WeightBook
    clock: Clock
    headers: tuple[str, ...]
    payer: Callable[[web.Request], str]


def charge_by_address(weights: WeightBook, clock: Clock) -> Middleware:
    """All endpoints together, by address: what holds below ``/api``."""
    interval, number = weight_interval(weights.window_s)
    headers = ("X-MBX-USED-WEIGHT", f"X-MBX-USED-WEIGHT-{number}{interval[0]}")
    return _charge(Tariff(weights, clock, headers, _address))


def charge_by_endpoint(weights: WeightBook, clock: Clock) -> Middleware:
    """Each endpoint by itself, by address: what holds below ``/sapi``."""
    headers = ("X-SAPI-USED-IP-WEIGHT-1M",)
    return _charge(Tariff(weights, clock, headers, lambda request: f"{_address(request)} {request.path}"))


def _address(request: web.Request) -> str:
    return request.remote or "unknown"


def _charge(tariff: Tariff) -> Middleware:
    @web.middleware
    async def charge(request: web.Request, handler: Handler) -> web.StreamResponse:
        verdict = tariff.weights.charge(tariff.payer(request), weigh(request), tariff.clock())
        if verdict.status != 200:
            refusal = _refuse_for_load(verdict)
            _tell_weight(refusal, tariff, verdict)
            return refusal
        try:
            response = await handler(request)
        except web.HTTPException as refusal:
            _tell_weight(refusal, tariff, verdict)
            raise
        _tell_weight(response, tariff, verdict)
        return response

    return charge


def _tell_weight(response: web.StreamResponse, tariff: Tariff, verdict: Verdict) -> None:
    for name in tariff.headers:
        response.headers[name] = str(verdict.used_weight)


def _refuse_for_load(verdict: Verdict) -> web.Response:
    body = orjson.dumps({"code": -1003, "msg": verdict.message})
    headers = {"Content-Type": JSON_TYPE, "Retry-After": str(verdict.retry_after_s)}
    return web.Response(body=body, status=verdict.status, headers=headers)
