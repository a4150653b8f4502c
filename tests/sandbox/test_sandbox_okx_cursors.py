"""The cursor rules of candles against a model that filters a plain list."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.span import Span
from markethub.domain.times import parse_time
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.market import Market
from markethub.sandbox.okx.bar_sizes import BAR_SIZES
from markethub.sandbox.okx.candles import CandlePages, Cursor
from markethub.sandbox.okx.names import Pair, PairNames
from markethub.sandbox.recorded import Recordings

MARKET = Market(7, SymbolCatalog(), Recordings([]))
NAMES = PairNames(MARKET.catalog)
PAGES = CandlePages(MARKET, 32 * 1024 * 1024)
# Around a listing, and plain bars, on both grids.
PLACES = [
    ("SUI-USDT", "1m", "2023-05-03T11:00", 180),
    ("BTC-USDT", "4H", "2017-08-16T00:00", 60),
    ("ETH-USDT", "1Dutc", "2020-01-01T00:00", 80),
    ("ETH-USDT", "1D", "2020-01-01T16:00", 80),
    ("BTC-USDT", "1H", "2024-01-01T00:00", 700),
]


@st.composite
def questions(draw: st.DrawFn) -> tuple[Pair, str, Cursor, int, int]:
    """A pair, a bar, a cursor, a clock, and the time before which nothing is compared."""
    name, bar, start, bars = draw(st.sampled_from(PLACES))
    width_ms = BAR_SIZES[bar].width_ms
    from_ms = parse_time(start)
    to_ms = from_ms + bars * width_ms
    # Half of the times lie on bars' edges, where off-by-one errors live.
    edges = st.integers(0, bars).map(lambda n: from_ms + n * width_ms)
    times = st.one_of(edges, edges.map(lambda t: t - 1), st.integers(from_ms, to_ms))
    after_ms, before_ms = draw(st.none() | times), draw(st.none() | times)
    now_ms = draw(times)
    pair = NAMES.find(name, to_ms)
    assert pair is not None
    return pair, bar, Cursor(before_ms, after_ms, draw(st.integers(1, 120))), now_ms, from_ms


@given(questions())
@settings(max_examples=300, deadline=None)
def test_pages_follow_the_cursor_rules(question: tuple[Pair, str, Cursor, int, int]) -> None:
    pair, bar, cursor, now_ms, from_ms = question
    size = BAR_SIZES[bar]
    forming_ms = size.floor(now_ms)
    before_ms = size.floor(from_ms) - 130 * size.width_ms
    known = size.closed_bars(MARKET, pair.listing, Span(before_ms, forming_ms + size.width_ms))
    closed = [int(time) for time in known.open_ms if time < forming_ms]
    opens = [*closed, *(int(time) for time in size.open_bar(MARKET, pair.listing, now_ms).open_ms)]

    def choose(times: list[int]) -> list[int]:
        kept = [
            time
            for time in times
            if (cursor.before_ms is None or time > cursor.before_ms)
            and (cursor.after_ms is None or time < cursor.after_ms)
        ]
        return kept[::-1][: cursor.limit]

    history = [orjson.loads(row) for row in PAGES.history(pair, bar, cursor, now_ms)]
    assert [int(row[0]) for row in history] == choose(closed)
    assert {row[8] for row in history} <= {"1"}
    recent = [orjson.loads(row) for row in PAGES.recent(pair, bar, cursor, now_ms)]
    assert [int(row[0]) for row in recent] == choose(opens)
    assert [row for row in recent if row[8] == "0"] == [row for row in recent if int(row[0]) == forming_ms]
    closes = dict(zip(known.open_ms.tolist(), known.columns[4].tolist(), strict=True))
    for row in history:
        assert float(row[4]) == closes[int(row[0])] / 10**8
