"""The adapter against a small server that plays the exchange."""

import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from markethub.app import load_venues
from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.ports.venue import Venue
from markethub.testing.source_contract import KlineSourceContract, SourceUnderTest
from markethub_xmp.parse import parse_candles

HOUR_S = 3600
LISTED_S = 1_700_000_000 // HOUR_S * HOUR_S
SPAN = Span(LISTED_S * 1000, (LISTED_S + 2 * HOUR_S) * 1000)


async def candles(request: web.Request) -> web.Response:
    width, start, end = (int(request.query[name]) for name in ("width", "from", "to"))
    if request.query["pair"] != "BTC-USDT":
        return web.json_response({"error": "NO_SUCH_PAIR", "text": "no such pair"}, status=404)
    first = max(-(-start // width) * width, LISTED_S)
    times = range(first, min(end, int(time.time()) + 1), width)[:500]
    return web.json_response([[at, "8.5", "9", "8", "8.75", "12.5"] for at in times])


async def pairs(_: web.Request) -> web.Response:
    return web.json_response(["BTC-USDT", "odd name"])


async def now(_: web.Request) -> web.Response:
    return web.json_response({"now": int(time.time())})


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    app = web.Application()
    app.router.add_get("/v1/candles", candles)
    app.router.add_get("/v1/pairs", pairs)
    app.router.add_get("/v1/time", now)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    # By its entry point, as a hub finds it.
    venues = load_venues({"XMP": {"base_url": f"http://{host}:{port}"}})
    yield venues["XMP"]
    for one in venues.values():
        await one.close()
    await runner.cleanup()


class TestKlines(KlineSourceContract):
    @pytest.fixture
    def subject(self, venue: Venue) -> SourceUnderTest:
        return SourceUnderTest(
            venue=venue,
            series=Series.parse("BTC_USDT.XMP 1h"),
            history=Span(LISTED_S * 1000, (LISTED_S + 1700 * HOUR_S) * 1000),
            before_listing=Span((LISTED_S - 50 * HOUR_S) * 1000, (LISTED_S - 10 * HOUR_S) * 1000),
            unlisted=Symbol.parse("NOSUCH_USDT.XMP"),
        )


def test_a_bar_that_makes_no_sense_is_set_apart() -> None:
    body = f'[[{LISTED_S}, "8.5", "9", "8", "nan", "1"], [{LISTED_S + HOUR_S}, "8", "9", "8", "8", "1"]]'
    page = parse_candles(body.encode(), Interval.H1, SPAN, "page")
    assert page.bars.num_rows == 1
    assert [reject.span.start_ms for reject in page.rejected] == [SPAN.start_ms]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[1]", b"[[1, 2, 3, 4, 5, 6]]", b"[[true]]"])
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(VenueProtocolError, match="page"):
        parse_candles(body, Interval.H1, SPAN, "page")
