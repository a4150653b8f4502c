"""Binance's recorded answers give exact values; anything else gives one error."""

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
from markethub.tables.klines import KLINES, check_klines
from markethub.venues.binance.parse import parse_exchange_info, parse_klines, parse_server_time

Payload = Callable[[str], bytes]

HOUR = 3_600_000
START = 1_588_280_400_000
SPAN = Span(START, START + 10 * HOUR)


def row(index: int = 0, **changes: Any) -> list[Any]:  # noqa: ANN401
    open_ms = START + index * HOUR
    cells: dict[str, Any] = {
        "open_time": open_ms, "open": "8.5", "high": "9.0", "low": "8.0", "close": "8.75", "volume": "12.5",
        "close_time": open_ms + HOUR - 1, "quote_volume": "106.25", "trades": 3, "taker_volume": "5.5",
        "taker_quote_volume": "46.75", "ignore": "0",
    }  # fmt: skip
    return list((cells | changes).values())


def parse(rows: object) -> Any:  # noqa: ANN401
    return parse_klines(orjson.dumps(rows), Interval.H1, SPAN, "BNC page")


def test_a_full_page_as_recorded(payload: Payload) -> None:
    asked = Span(START, 1_591_880_400_000)
    bars = parse_klines(payload("binance_klines_1.json.gz"), Interval.H1, asked, "page")
    assert bars.schema.equals(KLINES)
    assert len(bars) == 1000
    assert bars.slice(0, 1).to_pylist()[0] | {"open_time": 0} == {
        "open_time": 0, "open": 8819.15, "high": 8849.8, "low": 8734.5, "close": 8761.92,
        "volume": 3089.560545, "quote_volume": 27174569.16633405, "trades": 34467,
        "taker_volume": 1553.361498, "taker_quote_volume": 13666586.86496907,
    }  # fmt: skip
    times = bars["open_time"].cast("int64").to_pylist()
    assert times == list(range(START, START + 1000 * HOUR, HOUR))


@pytest.mark.parametrize(
    ("name", "interval", "start_ms", "row_count"),
    [
        ("binance_klines_1.json.gz", Interval.H1, START, 1000),
        ("binance_klines_2.json.gz", Interval.D1, 1_546_300_800_000, 365),
        ("binance_klines_3.json", Interval.M5, 1_586_987_400_000, 24),
        ("binance_klines_4.json", Interval.D1, 1_672_531_200_000, 6),
    ],
)
def test_every_recorded_number_is_kept(
    payload: Payload, name: str, interval: Interval, start_ms: int, row_count: int
) -> None:
    body = payload(name)
    bars = parse_klines(body, interval, Span(start_ms, start_ms + 1000 * interval.width_ms), name)
    columns = list(zip(*orjson.loads(body), strict=True))
    assert len(bars) == row_count
    assert bars["open_time"].cast("int64").to_pylist() == list(columns[0])
    assert bars["trades"].to_pylist() == list(columns[8])
    for column, index in {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 7,
                          "taker_volume": 9, "taker_quote_volume": 10}.items():  # fmt: skip
        assert bars[column].to_pylist() == [float(text) for text in columns[index]]


def test_an_empty_page() -> None:
    assert parse([]).schema.equals(KLINES)


def test_numbers_are_the_nearest_floats() -> None:
    odd = "0.1000000000000000055511151231257827021181583404541015625"
    bars = parse([row(low="1e-1", high="123456789012345.12345678", volume=odd, quote_volume="-0.0")])
    assert bars["low"][0].as_py() == 0.1
    assert bars["high"][0].as_py() == float("123456789012345.12345678")
    assert bars["volume"][0].as_py() == 0.1


@pytest.mark.parametrize(
    "rows",
    [
        [row(10)],  # right after what was asked
        [row(-1)],
        [row(0), row(0)],
        [row(1), row(0)],
        [row(0, open_time=START + 1, close_time=START + HOUR)],
        [row(0, close_time=START + HOUR)],
        [row(0, close_time=START - 1)],
        [row(0, open_time=float(START))],
        [row(0, open_time=True)],
        [row(0, open_time=2**63)],
        [row(0, open_time=-(2**63))],
        [row(0, close_time=2**64 - 1)],
        [row(0, trades=-1)],
        [row(0, trades="3")],
        [row(0, trades=None)],
        [row(0, trades=2**64 - 1)],
        [row(0, open=8.5)],
        [row(0, open=None)],
        [row(0, quote_volume=None)],
        [row(0, open="")],
        [row(0, open="8,5")],
        [row(0, open="0x8")],
        [row(0, open="NaN")],
        [row(0, high="inf")],
        [row(0, high="1e999")],
        [row(0, low="-1")],
        [row(0, low="0")],
        [row(0, high="8.6")],
        [row(0, low="8.6")],
        [row(0, volume="-1")],
        [row(0, quote_volume="nan")],
        [row(0, taker_volume="-inf")],
        [row(0)[:11]],
        [row(0), row(1)[:11]],
        [[*row(0), "more"]],
        [row(0), None],
        [{"open_time": START}],
        [[]],
        ["x" * 12],
        [[[]] * 12],
        {},
        None,
        7,
        {"code": -1121, "msg": "Invalid symbol."},
    ],
)
def test_what_is_not_a_page_of_klines_is_refused(rows: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^BNC page: ") as caught:
        parse(rows)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b'[["\\ud800"]]', b"[NaN]", b"[1"]
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    for read in (parse_exchange_info, parse_server_time):
        with pytest.raises(VenueProtocolError):
            read(body)
    with pytest.raises(VenueProtocolError):
        parse_klines(body, Interval.H1, SPAN, "page")


# A busy machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=13) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
numbers = st.sampled_from(["8.5", "9", "8", "0", "-1", "nan", "inf", "", "1e400", "x"]) | st.floats().map(str)
prices = st.floats(0.0001, 1e6).map(str)


cells = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers


@st.composite
def almost_rows(draw: st.DrawFn) -> list[Any]:
    """Rows shaped like real ones, of which a few cells were replaced."""
    rows = []
    for index in draw(st.lists(st.integers(-1, 11), max_size=6)):
        low, *body, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)), key=float)
        rows.append(row(index, open=body[0], high=high, low=low, close=body[1]))
    if rows:
        for _ in range(draw(st.integers(0, 2))):
            cells = draw(st.sampled_from(rows))
            cells[draw(st.integers(0, 11))] = draw(json | numbers)
    return rows


@unhurried
@given(almost_rows())
def test_rows_like_real_ones_give_sound_bars_or_one_error(rows: list[Any]) -> None:
    try:
        bars = parse(rows)
    except VenueProtocolError:
        return
    assert check_klines(bars, Interval.H1, "again") is bars
    assert bars["open_time"].cast("int64").to_pylist() == [cells[0] for cells in rows]
    assert all(cells[0] in SPAN for cells in rows)
    assert bars["close"].to_pylist() == [float(cells[4]) for cells in rows]


@unhurried
@given(json | st.lists(st.lists(cells, min_size=12, max_size=12), max_size=2))
def test_any_json_gives_a_table_or_one_error(value: object) -> None:
    body = orjson.dumps(value)
    for read in (
        lambda: parse_klines(body, Interval.H1, SPAN, "page"),
        lambda: parse_exchange_info(body),
        lambda: parse_server_time(body),
    ):
        try:
            read()
        except VenueError as error:
            assert type(error) is VenueProtocolError


def test_the_recorded_listing(payload: Payload) -> None:
    info = parse_exchange_info(payload("binance_exchangeInfo_1.json.gz"))
    assert len(info.listing.symbols) == 1695
    assert info.weight_per_minute == 1200
    assert info.listing.symbols["BTCUSDT"] == Symbol.parse("BTC_USDT.BNC")
    assert Symbol.parse("ADA_BTC.BNC") in info.listing
    assert Symbol.parse("BTCU_SDT.BNC") not in info.listing
    assert Symbol.parse("BCC_BTC.BNC") in info.listing  # halted since 2018, still there
    for name, symbol in info.listing.symbols.items():
        assert symbol.base + symbol.quote == name


def test_a_symbol_we_cannot_name_is_left_out() -> None:
    entries = [
        {"symbol": base + "USDT", "baseAsset": base, "quoteAsset": "USDT"}
        for base in ("BTC", "币安人生", "b", "A-B", "")
    ]
    entries.append(
        {"symbol": "OTHER", "baseAsset": "A", "quoteAsset": "B"}
    )  # its name is not the two together
    info = parse_exchange_info(orjson.dumps({"symbols": entries}))
    assert set(info.listing.symbols) == {"BTCUSDT", "币安人生USDT"}
    assert info.weight_per_minute is None


ONE = [{"symbol": "AB", "baseAsset": "A", "quoteAsset": "B"}]


@pytest.mark.parametrize(
    "info",
    [{}, {"symbols": []}, {"symbols": {}}, {"symbols": [1]}, {"symbols": [{"symbol": "AB"}]}, [], None],
)
def test_a_listing_that_lists_nothing_is_refused(info: object) -> None:
    with pytest.raises(VenueProtocolError):
        parse_exchange_info(orjson.dumps(info))


BAD_LIMITS = [
    [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit}]
    for limit in (0, -5, True, "9", 1.5, 2**40)
]


@pytest.mark.parametrize("rules", [None, {}, [1], *BAD_LIMITS])
def test_a_limit_that_makes_no_sense_is_ignored(rules: object) -> None:
    assert parse_exchange_info(orjson.dumps({"symbols": ONE, "rateLimits": rules})).weight_per_minute is None


def test_the_servers_time() -> None:
    assert parse_server_time(b'{"serverTime":1499827319559}') == 1_499_827_319_559


@pytest.mark.parametrize("told", [1_499_827_319, 1_499_827_319_559_000, 1.5e12, "1499827319559", True, None])
def test_a_time_in_another_unit_is_refused(told: object) -> None:
    with pytest.raises(VenueProtocolError):
        parse_server_time(orjson.dumps({"serverTime": told}))


def test_a_bar_that_an_outage_cut_short_is_a_bar() -> None:
    assert len(parse([row(0, close_time=START + HOUR - 60_001), row(1)])) == 2
