"""Binance's REST endpoints below ``/api``. Source: Binance Spot REST API."""

import re
from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

from markethub.sandbox.binance.charging import charge_by_address
from markethub.sandbox.binance.depth import print_book
from markethub.sandbox.binance.exchange_info import ExchangeInfo
from markethub.sandbox.binance.klines import KlinePages, Window
from markethub.sandbox.binance.names import PairNames
from markethub.sandbox.binance.parameters import (
    MICROSECONDS_FROM,
    check_parameters,
    read_flag,
    read_limit,
    read_number,
)
from markethub.sandbox.binance.refusals import (
    answer_json,
    answer_unknown,
    refuse,
    refuse_illegal,
    refuse_missing,
)
from markethub.sandbox.binance.signatures import SIGNED_PARAMETERS, verify
from markethub.sandbox.binance.tickers import Tickers
from markethub.sandbox.binance.wallets import Wallets, print_account
from markethub.sandbox.binance.weights import WeightBook
from markethub.sandbox.intervals import WIDTHS_MS
from markethub.sandbox.market import Market
from markethub.sandbox.quotes import DEEPEST, Quotes
from markethub.sandbox.settings import SandboxSettings

_USUAL_KLINES, _MOST_KLINES = 500, 1000
_USUAL_LEVELS = 100
_KLINE_PARAMETERS: Final = ("symbol", "interval", "startTime", "endTime", "timeZone", "limit")
_ACCOUNT_PARAMETERS: Final = ("omitZeroBalances", *SIGNED_PARAMETERS)
_TIME_ZONE: Final = r"^[+-]?(?:[0-9]|1[0-4])(?::[0-5][0-9])?$"


def create_rest_app(
    market: Market, settings: SandboxSettings, pages: KlinePages, wallets: Wallets, weights: WeightBook
) -> web.Application:
    """The application to mount below ``/api``."""
    doors = _Doors(market, settings, pages, wallets)
    app = web.Application(middlewares=[charge_by_address(weights, settings.clock)])
    app.router.add_get("/v3/ping", doors.ping)
    app.router.add_get("/v3/time", doors.time)
    app.router.add_get("/v3/exchangeInfo", doors.exchange_info)
    app.router.add_get("/v3/klines", doors.klines)
    app.router.add_get("/v3/ticker/24hr", doors.tickers)
    app.router.add_get("/v3/depth", doors.depth)
    app.router.add_get("/v3/account", doors.account)
    app.router.add_route("*", "/{unknown:.*}", answer_unknown)
    return app


class _Doors:
    """The handlers of one sandbox."""

    def __init__(
        self, market: Market, settings: SandboxSettings, pages: KlinePages, wallets: Wallets
    ) -> None:
        self._names = PairNames(market.catalog)
        self._pages = pages
        self._wallets = wallets
        self._clock = settings.clock
        self._info = ExchangeInfo(self._names, settings)
        self._quotes = Quotes(market, settings.seed)
        self._tickers = Tickers(self._names, self._quotes)

    async def ping(self, request: web.Request) -> web.Response:
        check_parameters(request.query, ())
        return answer_json(b"{}")

    async def time(self, request: web.Request) -> web.Response:
        check_parameters(request.query, ())
        now = self._clock() * (1000 if _wants_microseconds(request) else 1)
        return answer_json(orjson.dumps({"serverTime": now}))

    async def exchange_info(self, request: web.Request) -> web.Response:
        check_parameters(
            request.query, ("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus")
        )
        return answer_json(self._info.answer(request.query, self._clock()))

    async def klines(self, request: web.Request) -> web.Response:
        check_parameters(request.query, _KLINE_PARAMETERS)
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
        window = Window(start_ms, end_ms, read_limit(query, _USUAL_KLINES, _MOST_KLINES))
        microseconds = _wants_microseconds(request)
        return answer_json(self._pages.page(pair, interval, window, now_ms, microseconds=microseconds))

    async def tickers(self, request: web.Request) -> web.Response:
        check_parameters(request.query, ("symbol", "symbols", "type"))
        return answer_json(self._tickers.answer(request.query, self._clock()))

    async def depth(self, request: web.Request) -> web.Response:
        check_parameters(request.query, ("symbol", "limit"))
        now_ms = self._clock()
        pair = self._names.demand(request.query.get("symbol"), now_ms)
        levels = read_limit(request.query, _USUAL_LEVELS, DEEPEST)
        return answer_json(print_book(self._quotes.book(pair.listing, now_ms, levels)))

    async def account(self, request: web.Request) -> web.Response:
        call = await verify(request, self._clock)
        check_parameters(call.parameters, _ACCOUNT_PARAMETERS)
        is_short = read_flag(call.parameters, "omitZeroBalances", usual=False)
        held = [one for one in self._wallets.spot(call.account) if one.total_e8 or not is_short]
        return answer_json(print_account(call.account, held, self._clock()))


def _wants_microseconds(request: web.Request) -> bool:
    return request.headers.get("X-MBX-TIME-UNIT", "").upper() == "MICROSECOND"


def _read_time(query: Mapping[str, str], name: str, *, round_up: bool) -> int | None:
    time = read_number(query, name)
    if time is None or time < MICROSECONDS_FROM:
        return time
    return -(-time // 1000) if round_up else time // 1000


def _check_time_zone(text: str, width_ms: int) -> None:
    """Accept the zones that leave the bars where they are; shifted bars are not played."""
    if re.fullmatch(_TIME_ZONE, text) is None:
        raise refuse_illegal("timeZone", _TIME_ZONE)
    hours, _, minutes = text.lstrip("+-").partition(":")
    if (int(hours) * 60 + int(minutes or 0)) * 60_000 % width_ms:
        raise refuse(-1100, f"The sandbox does not shift bars: timeZone {text} does not suit this interval.")
