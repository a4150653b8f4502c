"""Each trap that Binance's klines have been seen to set, by its name; nothing wrong comes out of any of them.

Those of its files (microseconds, header rows, wrong checksums) stand in test_binance_archive_files.py, those
of signing in test_binance_signing.py.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from markethub.domain.errors import VenueProtocolError, VenueThrottledError
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.venue import Venue
from markethub.tables.klines import open_times_ms
from markethub.venues.binance import create_venue
from tests.budgets import budget_of

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]
Row = list[Any]

HOUR = 3_600_000
START = 1_700_000_000_000 // HOUR * HOUR
NOW = START + 50 * HOUR + HOUR // 2
BTC = Series.parse("BTC_USDT.BNC 1h")
SPAN = Span(START, START + 10 * HOUR)


def row(open_ms: int, **changes: object) -> Row:
    cells: dict[str, object] = {
        "open_time": open_ms, "open": "2", "high": "3", "low": "1", "close": "2", "volume": "5",
        "close_time": open_ms + HOUR - 1, "quote_volume": "10", "trades": 4, "taker": "2", "taker_quote": "4",
        "ignore": "0",
    }  # fmt: skip
    return list((cells | changes).values())


class Liar:
    """Lists BTCUSDT; ``spoil`` changes the honest page or replaces it."""

    def __init__(self) -> None:
        self.spoil: Callable[[list[Row]], list[Row] | web.Response] = lambda rows: rows
        self.asked = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v3/time":
            return web.json_response({"serverTime": NOW})
        if request.path == "/api/v3/exchangeInfo":
            entry = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT"}
            return web.json_response({"symbols": [entry]})
        self.asked += 1
        first, last = int(request.query["startTime"]), min(int(request.query["endTime"]), NOW)
        page = self.spoil([row(time_ms) for time_ms in range(first, last + 1, HOUR)])
        return page if isinstance(page, web.Response) else web.Response(body=orjson.dumps(page))


@pytest.fixture
def liar() -> Liar:
    return Liar()


@pytest.fixture
async def venue(liar: Liar, serve: Serve) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": await serve(liar.handle), "quick_retries": "0", "patience_s": "0"})
    yield venue
    await venue.close()


async def test_an_honest_page(venue: Venue) -> None:
    page = await venue.klines.klines(BTC, SPAN)
    assert (len(page.bars), page.covered) == (10, SPAN)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda _: [row(START - hour * HOUR) for hour in (3, 2, 1)], id="duplicated page"),
        pytest.param(lambda rows: [row(START - HOUR), *rows], id="overlapping page"),
        pytest.param(lambda rows: rows[::-1], id="newest first"),
        pytest.param(lambda rows: [rows[1], rows[0], *rows[2:]], id="out of order"),
        pytest.param(lambda rows: [rows[0], rows[0], *rows[1:]], id="a row twice"),
        pytest.param(lambda rows: [*rows, row(START + 10 * HOUR)], id="more than was asked for"),
        pytest.param(lambda rows: [row(START + 1), *rows[1:]], id="wrong alignment"),
        pytest.param(
            lambda rows: [row(START - 8 * HOUR + 24 * HOUR), *rows], id="a day that begins at another hour"
        ),
        pytest.param(lambda rows: [row(START // 1000), *rows[1:]], id="seconds"),
        pytest.param(lambda rows: [row(START * 1000), *rows[1:]], id="microseconds"),
        pytest.param(lambda rows: [cells[:8] for cells in rows], id="truncated rows"),
        pytest.param(
            lambda rows: web.Response(body=orjson.dumps(rows)[: len(orjson.dumps(rows)) // 2]),
            id="truncated page",
        ),
        pytest.param(lambda _: web.Response(text="<html>busy</html>"), id="html with status 200"),
        pytest.param(lambda _: web.Response(body=b'\xff\x00[1,2,"'), id="garbage"),
        pytest.param(lambda _: web.Response(), id="nothing at all"),
        pytest.param(
            lambda _: web.json_response({"code": -1003, "msg": "busy"}), id="an error with status 200"
        ),
    ],
)
async def test_a_page_that_cannot_be_trusted_is_refused_whole(
    venue: Venue, liar: Liar, spoil: Callable[[list[Row]], list[Row] | web.Response]
) -> None:
    liar.spoil = spoil
    with pytest.raises(VenueProtocolError, match=r"BNC klines of BTC_USDT\.BNC 1h"):
        await venue.klines.klines(BTC, SPAN)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"high": "1.5"}, id="high below the close"),
        pytest.param({"low": "2.5"}, id="low above the open"),
        pytest.param({"close": "NaN"}, id="NaN"),
        pytest.param({"open": "-2"}, id="negative price"),
        pytest.param({"volume": "-5"}, id="negative volume"),
        pytest.param({"high": "1e999"}, id="absurd number"),
        pytest.param({"low": "0"}, id="price 0"),
    ],
)
async def test_a_bar_that_makes_no_sense_is_quarantined_and_not_among_the_bars(
    venue: Venue, liar: Liar, changes: dict[str, object]
) -> None:
    liar.spoil = lambda rows: [*rows[:4], row(START + 4 * HOUR, **changes), *rows[5:]]
    page = await venue.klines.klines(BTC, SPAN)
    assert [reject.span.start_ms for reject in page.rejected] == [START + 4 * HOUR]
    assert START + 4 * HOUR not in open_times_ms(page.bars).to_pylist()
    assert len(page.bars) == 9


async def test_the_open_bar_is_never_asked_for(venue: Venue, liar: Liar) -> None:
    page = await venue.klines.klines(BTC, Span(NOW - 5 * HOUR, NOW + 5 * HOUR))
    assert page.covered is not None
    assert page.covered.end_ms == NOW // HOUR * HOUR
    assert max(open_times_ms(page.bars).to_pylist()) + HOUR <= NOW


async def test_a_429_closes_the_gate_for_everyone(venue: Venue, liar: Liar) -> None:
    await venue.klines.klines(BTC, SPAN)
    refusal = {"code": -1003, "msg": "Too much request weight used."}
    liar.spoil = lambda _: web.json_response(refusal, status=429, headers={"Retry-After": "60"})
    for _ in range(3):
        with pytest.raises(VenueThrottledError):
            await venue.klines.klines(BTC, SPAN)
    assert liar.asked == 2  # the first refusal was the last question
    assert budget_of(venue, "request weight").closed_until_ms is not None


async def test_a_firewall_page_is_taken_for_a_ban(venue: Venue, liar: Liar) -> None:
    liar.spoil = lambda _: web.Response(status=403, text="<html>403 Forbidden</html>")
    with pytest.raises(VenueThrottledError, match="HTTP 403"):
        await venue.klines.klines(BTC, SPAN)
    assert budget_of(venue, "request weight").is_banned
