"""Gate's recorded answers give exact values; anything else gives one error."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from markethub.domain.errors import VenueError, VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.domain.times import parse_time
from markethub.tables.klines import KLINES, check_klines, open_times_ms
from markethub.venues.gate.parse import (
    Candles,
    parse_candlesticks,
    parse_currency_pairs,
    parse_server_time,
)

Payload = Callable[[str], bytes]

HOUR = 3_600_000
START = 1_685_167_200_000
SPAN = Span(START, START + 10 * HOUR)


def row(index: int = 0, **changes: Any) -> list[Any]:  # noqa: ANN401
    cells: dict[str, Any] = {
        "time": str((START + index * HOUR) // 1000), "quote_volume": "106.25", "close": "8.75",
        "high": "9.0", "low": "8.0", "open": "8.5", "volume": "12.5", "closed": "true",
    }  # fmt: skip
    return list((cells | changes).values())


def parse(rows: object) -> Candles:
    return parse_candlesticks(orjson.dumps(rows), Interval.H1, SPAN, "GIO page")


def test_column_order_as_recorded(payload: Payload) -> None:
    days = Span(parse_time("2025-01-29"), parse_time("2025-02-01"))
    bars, open_ms = parse_candlesticks(payload("gate_candlesticks_1.json"), Interval.D1, days, "page")
    assert open_ms is None
    assert bars.schema.equals(KLINES)
    assert open_times_ms(bars).to_pylist() == list(range(days.start_ms, days.end_ms, 24 * HOUR))
    # In the answer the quote volume stands first and the open price after the low.
    assert bars.slice(0, 1).to_pylist()[0] | {"open_time": 0} == {
        "open_time": 0, "open": 101343.8, "high": 104779.9, "low": 101336.6, "close": 103734.3,
        "volume": 2232.9451, "quote_volume": 229534412.735087, "trades": None,
        "taker_volume": None, "taker_quote_volume": None,
    }  # fmt: skip


def test_rows_of_seven_items_as_recorded(payload: Payload) -> None:
    body = payload("gate_candlesticks_2.json")
    bars, open_ms = parse_candlesticks(body, Interval.H1, Span(START, START + 4 * HOUR), "page")
    assert open_ms is None, "no row says so: the caller asked for closed bars only"
    rows = orjson.loads(body)
    assert {len(cells) for cells in rows} == {7}
    assert open_times_ms(bars).to_pylist() == [int(cells[0]) * 1000 for cells in rows]
    columns = {"quote_volume": 1, "close": 2, "high": 3, "low": 4, "open": 5, "volume": 6}
    for name, index in columns.items():
        assert bars[name].to_pylist() == [float(cells[index]) for cells in rows]


@pytest.mark.parametrize(
    ("name", "interval"),
    [("gate_candlesticks_1.json", Interval.D1), ("gate_candlesticks_2.json", Interval.H1)],
)
def test_the_volumes_are_not_mixed_up(payload: Payload, name: str, interval: Interval) -> None:
    bars = parse_candlesticks(payload(name), interval, Span(0, parse_time("2026-01-01")), "page").bars
    for bar in bars.to_pylist():
        assert bar["low"] * bar["volume"] <= bar["quote_volume"] <= bar["high"] * bar["volume"]


def test_trades_and_takers_are_unknown() -> None:
    bars = parse([row(0), row(1)]).bars
    for name in ("trades", "taker_volume", "taker_quote_volume"):
        assert bars[name].to_pylist() == [None, None]


def test_the_open_bar_is_told_and_not_returned() -> None:
    bars, open_ms = parse([row(0), row(1), row(2, closed="false")])
    assert open_times_ms(bars).to_pylist() == [START, START + HOUR]
    assert open_ms == START + 2 * HOUR


def test_nothing_after_an_open_bar_is_returned() -> None:
    bars, open_ms = parse([row(0), row(1, closed="false"), row(2)])
    assert open_times_ms(bars).to_pylist() == [START]
    assert open_ms == START + HOUR


def test_rows_with_and_without_the_closed_flag_may_be_mixed() -> None:
    assert len(parse([row(0)[:7], row(1)]).bars) == 2
    assert parse([row(0)[:7], row(1)[:7], row(2, closed="false")]).open_ms == START + 2 * HOUR


def test_newest_first_is_as_good_as_oldest_first() -> None:
    rows = [row(0), row(1, close="8.25"), row(2, closed="false")]
    assert parse(rows[::-1]) == parse(rows)
    assert parse(rows).bars["close"].to_pylist() == [8.75, 8.25]


def test_bars_without_trades_may_be_there_or_missing() -> None:
    still = {"volume": "0", "quote_volume": "0", "high": "8", "low": "8", "open": "8", "close": "8"}
    present = parse([row(0), row(1, **still), row(2)]).bars
    assert present["volume"].to_pylist() == [12.5, 0, 12.5]
    missing = parse([row(0), row(2)]).bars
    assert open_times_ms(missing).to_pylist() == [START, START + 2 * HOUR]


def test_an_empty_page() -> None:
    bars, open_ms = parse([])
    assert (bars.schema.equals(KLINES), open_ms) == (True, None)


@pytest.mark.parametrize(
    "rows",
    [
        [row(10)],  # right after what was asked
        [row(-1)],
        [row(0), row(0)],
        [row(0), row(2), row(1)],
        [row(2), row(0), row(1)],
        [row(0, time=str(START // 1000 + 60))],  # off the grid
        [row(0, time=str(START))],  # milliseconds
        [row(0, time=START // 1000)],
        [row(0, time=f"{START // 1000}.0")],
        [row(0, time=f" {START // 1000}")],
        [row(0, time="0x6471a3e0")],
        [row(0, time="١٦٨٥١٦٧٢٠٠")],
        [row(0, time="")],
        [row(0, time="-1")],
        [row(0, time="9" * 5000)],
        [row(0, open=8.5)],
        [row(0, open=None)],
        [row(0, open="")],
        [row(0, open="8,5")],
        [row(0, open="NaN")],
        [row(0, high="inf")],
        [row(0, high="1e999")],
        [row(0, low="-1")],
        [row(0, low="0")],
        [row(0, high="8.6")],
        [row(0, low="8.6")],
        [row(0, volume="-1")],
        [row(0, quote_volume="nan")],
        [row(0, quote_volume=None)],
        [row(0, closed="maybe")],
        [row(0, closed="False")],
        [row(0, closed=True)],
        [row(0, closed=None)],
        [row(0)[:6]],
        [row(0), row(1)[:6]],
        [[*row(0), "more"]],
        [row(0), None],
        [{"t": "1685167200"}],  # how another channel of the venue spells it
        [[]],
        ["x" * 8],
        [[[]] * 8],
        {},
        None,
        7,
        {"label": "INVALID_PARAM_VALUE", "message": "words"},
    ],
)
def test_what_is_not_a_page_of_candlesticks_is_refused(rows: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^GIO page: ") as caught:
        parse(rows)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b'[["\\ud800"]]', b"[NaN]", b"[1"]
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    for read in (parse_currency_pairs, parse_server_time):
        with pytest.raises(VenueProtocolError):
            read(body)
    with pytest.raises(VenueProtocolError):
        parse_candlesticks(body, Interval.H1, SPAN, "page")


# A busy machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
numbers = st.sampled_from(["8.5", "9", "8", "0", "-1", "nan", "inf", "", "1e400", "x", "true", "false"])
prices = st.floats(0.0001, 1e6).map(str)


@st.composite
def almost_rows(draw: st.DrawFn) -> list[Any]:
    """Rows shaped like real ones, perhaps newest first, of which a few cells were replaced."""
    rows = []
    indexes = st.lists(st.integers(0, 9), max_size=6, unique=True).map(sorted)
    for index in draw(indexes | st.lists(st.integers(-1, 11), max_size=6)):
        low, *body, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)), key=float)
        flag = draw(st.sampled_from(["true", "true", "true", "false"]))
        cells = row(index, open=body[0], high=high, low=low, close=body[1], closed=flag)
        rows.append(cells[: draw(st.sampled_from([7, 8]))])
    if draw(st.booleans()):
        rows.reverse()
    if rows:
        for _ in range(draw(st.integers(0, 2))):
            cells = draw(st.sampled_from(rows))
            cells[draw(st.integers(0, len(cells) - 1))] = draw(json | numbers)
    return rows


@unhurried
@given(almost_rows())
def test_rows_like_real_ones_give_sound_bars_or_one_error(rows: list[Any]) -> None:
    try:
        bars, open_ms = parse(rows)
    except VenueProtocolError:
        return
    assert check_klines(bars, Interval.H1, "again") is bars
    ascending = sorted(rows, key=lambda cells: int(cells[0]))
    flags = [[*cells, "true"][7] for cells in ascending]
    closed = flags.index("false") if "false" in flags else len(rows)
    assert open_times_ms(bars).to_pylist() == [int(cells[0]) * 1000 for cells in ascending[:closed]]
    assert bars["close"].to_pylist() == [float(cells[2]) for cells in ascending[:closed]]
    assert bars["volume"].to_pylist() == [float(cells[6]) for cells in ascending[:closed]]
    assert open_ms == (int(ascending[closed][0]) * 1000 if closed < len(rows) else None)
    assert all(int(cells[0]) * 1000 in SPAN for cells in rows)


@unhurried
@given(json | st.lists(st.lists(json | numbers, min_size=7, max_size=8), max_size=2))
def test_any_json_gives_a_table_or_one_error(value: object) -> None:
    body = orjson.dumps(value)
    for read in (
        lambda: parse_candlesticks(body, Interval.H1, SPAN, "page"),
        lambda: parse_currency_pairs(body),
        lambda: parse_server_time(body),
    ):
        try:
            read()
        except VenueError as error:
            assert type(error) is VenueProtocolError


def test_the_recorded_listing(payload: Payload) -> None:
    listing = parse_currency_pairs(payload("gate_currency_pairs_1.json.gz"))
    assert len(listing) == 1458
    assert {Symbol.parse("BTC_USDT.GIO"), Symbol.parse("BTC3L_USDT.GIO")} <= listing
    assert Symbol.parse("SAL_USDT.GIO") in listing, "untradable, still there"
    assert parse_currency_pairs(payload("gate_xchange_spot_currency_pairs.json")) == {
        Symbol.parse(f"{base}_USDT.GIO") for base in ("BTC", "CHZ", "ETH")
    }


def test_a_pair_we_cannot_name_is_left_out() -> None:
    entries = [
        {"id": f"{base}_USDT", "base": base, "quote": "USDT"} for base in ("BTC", "币安人生", "b", "A-B", "")
    ]
    entries.append({"id": "A_B", "base": "A", "quote": "C"})  # its name is not the two together
    listing = parse_currency_pairs(orjson.dumps(entries))
    assert listing == {Symbol.parse("BTC_USDT.GIO"), Symbol.parse("币安人生_USDT.GIO")}


@pytest.mark.parametrize(
    "listing", [[], {}, [1], [{"id": "A_B"}], [{"id": "A_B", "base": "A", "quote": 1}], None]
)
def test_a_listing_that_lists_nothing_is_refused(listing: object) -> None:
    with pytest.raises(VenueProtocolError):
        parse_currency_pairs(orjson.dumps(listing))


def test_the_servers_time() -> None:
    assert parse_server_time(b'{"server_time":1597026383085}') == 1_597_026_383_085


@pytest.mark.parametrize("told", [1_597_026_383, 1_597_026_383_085_000, 1.5e12, "1597026383085", True, None])
def test_a_time_in_another_unit_is_refused(told: object) -> None:
    with pytest.raises(VenueProtocolError):
        parse_server_time(orjson.dumps({"server_time": told}))
