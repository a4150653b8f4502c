"""The window rules of klines against a model that filters a plain list."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.span import Span
from markethub.domain.times import parse_time
from markethub.sandbox.binance.klines import KlinePages, Window
from markethub.sandbox.binance.names import Pair
from markethub.sandbox.intervals import WIDTHS_MS
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.market import Market
from markethub.sandbox.recorded import Recordings

MARKET = Market(7, SymbolCatalog(), Recordings.load())
PAGES = KlinePages(MARKET, 32 * 1024 * 1024)
# Around: the longest real outage; a recording's end; a listing; a delisting; plain made-up bars.
PLACES = [
    ("BTC_USDT", "1h", "2018-02-07T00:00", 240),
    ("BTC_USDT", "5m", "2023-03-24T10:00", 240),
    ("BTC_USDT", "1h", "2022-10-10T00:00", 96),
    ("BTC_USDT", "4h", "2017-08-16T00:00", 60),
    ("SUI_USDT", "1m", "2023-05-03T11:00", 180),
    ("WAVES_USDT", "15m", "2024-06-16T12:00", 120),
    ("ETH_USDT", "1d", "2020-01-01T00:00", 80),
]


@st.composite
def questions(draw: st.DrawFn) -> tuple[Pair, str, Window, int, int]:
    """A pair, an interval, a window, a clock, and the time before which nothing is compared."""
    root, interval, start, bars = draw(st.sampled_from(PLACES))
    listing = MARKET.catalog.by_root[root]
    from_ms = parse_time(start)
    to_ms = from_ms + bars * WIDTHS_MS[interval]
    # Half of the times lie on bars' edges, where off-by-one errors live.
    edges = st.integers(0, bars).map(lambda n: from_ms + n * WIDTHS_MS[interval])
    times = st.one_of(edges, edges.map(lambda t: t - 1), st.integers(from_ms, to_ms))
    window = Window(
        draw(st.one_of(st.none(), times)), draw(st.one_of(st.none(), times)), draw(st.integers(1, 120))
    )
    return Pair(listing.base + listing.quote, listing), interval, window, draw(times), from_ms


@given(questions())
@settings(max_examples=200, deadline=None)
def test_pages_follow_the_window_rules(question: tuple[Pair, str, Window, int, int]) -> None:
    pair, interval, window, now_ms, from_ms = question
    width_ms = WIDTHS_MS[interval]
    forming_ms = now_ms // width_ms * width_ms
    before_ms = from_ms - 130 * width_ms
    known = MARKET.bars(pair.listing, interval, Span(before_ms, max(forming_ms, before_ms + width_ms)))
    opens = [int(time) for time in known.open_ms if time < forming_ms]
    opens += [int(time) for time in MARKET.open_bar(pair.listing, interval, now_ms).open_ms]
    wanted = [
        time
        for time in opens
        if (window.start_ms is None or time >= window.start_ms)
        and (window.end_ms is None or time <= window.end_ms)
    ]
    wanted = wanted[-window.limit :] if window.start_ms is None else wanted[: window.limit]

    page = orjson.loads(PAGES.page(pair, interval, window, now_ms, microseconds=False))
    assert [row[0] for row in page] == wanted
    assert all(row[6] == row[0] + width_ms - 1 for row in page)
    for row in page:
        if row[0] < forming_ms:
            (bar,) = MARKET.bars(pair.listing, interval, Span(row[0], row[0] + width_ms)).columns.T
            assert row[4] == f"{bar[4] // 10**8}.{bar[4] % 10**8:08d}"


@given(
    place=st.sampled_from([("ETH_USDT", "1h"), ("BTC_USDT", "1h"), ("ADA_BTC", "1m"), ("BTC_USDT", "1d")]),
    moments=st.lists(st.integers(0, 86_399_999), min_size=2, max_size=6).map(sorted),
    day=st.sampled_from(["2019-07-20", "2024-12-12", "2024-05-05"]),
)
def test_the_forming_bar_only_grows(place: tuple[str, str], moments: list[int], day: str) -> None:
    root, interval = place
    listing = MARKET.catalog.by_root[root]
    width_ms = WIDTHS_MS[interval]
    start_ms = parse_time(day)
    seen: dict[int, list[int]] = {}
    for moment in moments:
        (bar,) = MARKET.open_bar(listing, interval, start_ms + moment).columns.T
        open_ms, opened, high, low, closed, *sums = (int(value) for value in bar)
        assert open_ms == (start_ms + moment) // width_ms * width_ms
        assert 0 < low <= min(opened, closed) <= max(opened, closed) <= high
        assert not any(price % listing.tick_e8 for price in (opened, high, low, closed))
        (final,) = MARKET.bars(listing, interval, Span(open_ms, open_ms + width_ms)).columns.T
        before = seen.get(open_ms, [opened, opened, opened, 0, 0, 0, 0, 0])
        now = [opened, high, low, *sums]
        assert now[0] == before[0] == final[1]
        assert before[1] <= now[1] <= final[2]
        assert before[2] >= now[2] >= final[3]
        for earlier, later, end in zip(before[3:], sums, final[5:], strict=True):
            assert earlier <= later <= end
        seen[open_ms] = now
