"""The window rules of candlesticks against a model that filters a plain list."""

from functools import cache

import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.span import Span
from markethub.domain.times import parse_time
from markethub.sandbox.gate.candlesticks import PLAYED_MS, CandlestickPages, Window
from markethub.sandbox.listings import Listing, SymbolCatalog
from markethub.sandbox.market import Market
from markethub.sandbox.recorded import Recordings

MARKET = Market(7, SymbolCatalog(), Recordings([]))
PAGES = CandlestickPages(MARKET, 32 * 1024 * 1024)
# Around: a listing; a delisting; a block's edge; plain bars.
PLACES = [
    ("SUI_USDT", "1m", "2023-05-03T11:00", 180),
    ("WAVES_USDT", "15m", "2024-06-16T12:00", 120),
    ("BTC_USDT", "5m", "2023-03-24T10:00", 600),
    ("ETH_USDT", "1d", "2020-01-01T00:00", 80),
    ("BTC_USDT", "4h", "2017-08-16T00:00", 60),
]


@cache
def finished_opens(root: str, interval: str) -> list[int]:
    """Open times in and before one of the places, further back than any window there reaches."""
    start, bars = next(place[2:] for place in PLACES if place[:2] == (root, interval))
    width_ms = PLAYED_MS[interval]
    span = Span(parse_time(start) - 130 * width_ms, parse_time(start) + bars * width_ms)
    known = MARKET.bars(MARKET.catalog.by_root[root], interval, span)
    return [int(time) for time in known.open_ms]


@st.composite
def questions(draw: st.DrawFn) -> tuple[Listing, str, Window, int]:
    """A pair, an interval, a window of fewer than 1000 points, and a clock that has passed its start."""
    root, interval, start, bars = draw(st.sampled_from(PLACES))
    width_ms = PLAYED_MS[interval]
    from_ms = parse_time(start)
    # Half of the times lie on bars' edges, where off-by-one errors live.
    edges = st.integers(0, bars).map(lambda n: from_ms + n * width_ms)
    times = st.one_of(edges, edges.map(lambda t: t - 1), st.integers(from_ms, from_ms + bars * width_ms))
    first, last, now_ms = sorted(draw(st.lists(times, min_size=3, max_size=3)))
    if draw(st.booleans()):
        last, now_ms = now_ms, last
    window = draw(
        st.sampled_from(
            [
                Window(first, last, None),
                Window(first, None, None),
                Window(None, last, None),
                Window(None, None, draw(st.integers(1, 120))),
            ]
        )
    )
    return MARKET.catalog.by_root[root], interval, window, now_ms


@given(questions())
@settings(max_examples=100, deadline=None)
def test_pages_follow_the_window_rules(question: tuple[Listing, str, Window, int]) -> None:
    listing, interval, window, now_ms = question
    width_ms = PLAYED_MS[interval]
    forming_ms = now_ms // width_ms * width_ms
    opens = [time for time in finished_opens(listing.root, interval) if time < forming_ms]
    opens += [int(time) for time in MARKET.open_bar(listing, interval, now_ms).open_ms]
    last_ms = now_ms if window.to_ms is None else window.to_ms
    if window.from_ms is None:
        grid_ms = last_ms // width_ms * width_ms
        first_ms = grid_ms - ((window.limit or 100) - 1) * width_ms
    else:
        first_ms = window.from_ms
    wanted = [time for time in opens if first_ms <= time <= last_ms]

    rows = [orjson.loads(row) for row in PAGES.page(listing, interval, window, now_ms)]
    assert [int(row[0]) * 1000 for row in rows] == wanted
    assert [row[7] for row in rows] == ["false" if time == forming_ms else "true" for time in wanted]
    for row in rows:
        if row[7] == "true":
            open_ms = int(row[0]) * 1000
            (bar,) = MARKET.bars(listing, interval, Span(open_ms, open_ms + width_ms)).columns.T
            printed = [round(float(text) * 10**8) for text in row[2:6]]
            assert printed == [bar[4], bar[2], bar[3], bar[1]]


@given(start=st.integers(0, 20_000), seconds=st.integers(0, 1_200 * 60), shift=st.integers(0, 59))
@settings(deadline=None)
def test_ranges_are_refused_by_points_and_by_depth(start: int, seconds: int, shift: int) -> None:
    now_ms = parse_time("2025-03-10T12:34:20")
    forming_ms = now_ms // 60_000 * 60_000
    from_ms = forming_ms - start * 60_000 + shift * 1000
    to_ms = from_ms + seconds * 1000
    points = to_ms // 60_000 - from_ms // 60_000 + 1
    window = Window(from_ms, to_ms, None)
    listing = MARKET.catalog.by_root["BTC_USDT"]
    # The bar of the start is the oldest point asked for, though an unaligned start leaves it out.
    is_old = from_ms <= forming_ms - 10_000 * 60_000
    if points > 1000 or is_old:
        with pytest.raises(web.HTTPBadRequest) as caught:
            PAGES.page(listing, "1m", window, now_ms)
        assert ("too broad" if points > 1000 else "too long ago") in (caught.value.text or "")
    else:
        assert len(PAGES.page(listing, "1m", window, now_ms)) <= points
