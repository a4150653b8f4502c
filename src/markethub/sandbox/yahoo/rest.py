"""Yahoo's chart endpoint below ``/yahoo``."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from types import MappingProxyType
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from markethub.domain.span import Span
from markethub.sandbox.settings import Clock
from markethub.sandbox.yahoo.charts import print_chart
from markethub.sandbox.yahoo.history import StockHistory
from markethub.sandbox.yahoo.load import LoadBook
from markethub.sandbox.yahoo.refusals import (
    JSON_TYPE,
    refuse_for_load,
    refuse_input,
    refuse_no_data,
    refuse_span,
    refuse_unknown,
)
from markethub.sandbox.yahoo.stocks import STOCKS

DAY_MS: Final = 86_400_000
WIDTHS_MS: Final = MappingProxyType({"1m": 60_000, "5m": 300_000, "15m": 900_000, "1d": DAY_MS})
"""Yahoo has 2m, 60m, 90m, 5d, 1wk, 1mo and 3mo as well, and a 30m that is broken; those are not played."""
_DEPTH_DAYS: Final = MappingProxyType({"1m": 30, "5m": 60, "15m": 60})
_LONGEST_1M_DAYS: Final = 7
_RANGES_DAYS: Final = MappingProxyType({"1d": 1, "5d": 5, "1mo": 31})
_LONGEST_NUMBER: Final = 12


def create_chart_app(clock: Clock, history: StockHistory, load: LoadBook) -> web.Application:
    """The application to mount below ``/yahoo``."""

    async def chart(request: web.Request) -> web.Response:
        # In a thread: the first look at years of made-up days takes seconds.
        return await asyncio.to_thread(_answer, request, history, clock())

    app = web.Application(middlewares=[_gate(clock, load)])
    app.router.add_get("/v8/finance/chart/{ticker}", chart)
    return app


def _answer(request: web.Request, history: StockHistory, now_ms: int) -> web.Response:
    query = request.query
    stock = STOCKS.get(request.match_info["ticker"].upper())
    interval = query.get("interval", "1d")
    if interval not in WIDTHS_MS:
        raise refuse_input(f"Invalid input - interval={interval} is not supported")
    span = _read_span(query, now_ms)
    if stock is None:
        raise refuse_unknown()
    first_ms = history.first_ms(stock)
    if first_ms > now_ms:
        raise refuse_unknown()
    _check_depth(interval, span, now_ms)
    if interval == "1d":
        rows = history.days(stock, span, now_ms)
    else:
        rows = history.minutes(stock, span, WIDTHS_MS[interval], now_ms)
    if not rows.times_s:
        raise refuse_no_data(span.start_ms // 1000, span.end_ms // 1000)
    body = print_chart(
        stock,
        rows,
        interval,
        events=span if "split" in query.get("events", "") else None,
        first_ms=first_ms,
        now_ms=now_ms,
    )
    return web.Response(body=body, content_type=JSON_TYPE)


def _gate(clock: Clock, load: LoadBook) -> Middleware:
    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        now_ms = clock()
        date = format_datetime(datetime.fromtimestamp(now_ms // 1000, UTC), usegmt=True)
        # Yahoo turns away what names itself as a program.
        is_browser = request.headers.get("User-Agent", "").startswith("Mozilla/")
        if not load.admit(request.remote or "unknown", now_ms) or not is_browser:
            response: web.StreamResponse = refuse_for_load()
        else:
            try:
                response = await handler(request)
            except web.HTTPException as refusal:
                refusal.headers["Date"] = date
                raise
        response.headers["Date"] = date
        return response

    return admit


def _read_span(query: Mapping[str, str], now_ms: int) -> Span:
    if "period1" not in query:
        days = _RANGES_DAYS.get(query.get("range", "1d"))
        if days is None:
            raise refuse_input(f"Invalid input - range={query['range']} is not supported")
        return Span(now_ms // DAY_MS * DAY_MS - days * DAY_MS, now_ms + 1)
    start_ms, end_ms = (_read_seconds(query, name) * 1000 for name in ("period1", "period2"))
    if start_ms >= end_ms:
        raise refuse_input("Invalid input - start date cannot be after end date.")
    return Span(start_ms, end_ms)


def _read_seconds(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER):
        raise refuse_input(f"Invalid input - {name}={text[:40]} is not a number")
    return int(text)


def _check_depth(interval: str, span: Span, now_ms: int) -> None:
    if (depth_days := _DEPTH_DAYS.get(interval)) is None:
        return
    start_s, end_s = span.start_ms // 1000, span.end_ms // 1000
    if interval == "1m" and span.width_ms > _LONGEST_1M_DAYS * DAY_MS:
        reason = f"Only {_LONGEST_1M_DAYS} days worth of 1m granularity data are allowed to be fetched"
        raise refuse_span(interval, start_s, end_s, f"{reason} per request.")
    if span.start_ms < now_ms - depth_days * DAY_MS:
        reason = f"The requested range must be within the last {depth_days} days."
        raise refuse_span(interval, start_s, end_s, reason)
