"""Binance's recorded answers give exact values; anything else gives one error."""

from collections.abc import Callable

import orjson
import pytest

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.tables.klines import KLINES
from markethub.venues.binance.parse import parse_exchange_info, parse_klines, parse_server_time
from tests.kline_formats import BINANCE, HOUR, START

Payload = Callable[[str], bytes]

RECORDED = 1_588_280_400_000


def test_a_full_page_as_recorded(payload: Payload) -> None:
    asked = Span(RECORDED, 1_591_880_400_000)
    bars = parse_klines(payload("binance_klines_1.json.gz"), Interval.H1, asked, "page").bars
    assert bars.schema.equals(KLINES)
    assert len(bars) == 1000
    assert bars.slice(0, 1).to_pylist()[0] | {"open_time": 0} == {
        "open_time": 0, "open": 8819.15, "high": 8849.8, "low": 8734.5, "close": 8761.92,
        "volume": 3089.560545, "quote_volume": 27174569.16633405, "trades": 34467,
        "taker_volume": 1553.361498, "taker_quote_volume": 13666586.86496907,
    }  # fmt: skip
    times = bars["open_time"].cast("int64").to_pylist()
    assert times == list(range(RECORDED, RECORDED + 1000 * HOUR, HOUR))


@pytest.mark.parametrize(
    ("name", "interval", "start_ms", "row_count"),
    [
        ("binance_klines_1.json.gz", Interval.H1, RECORDED, 1000),
        ("binance_klines_2.json.gz", Interval.D1, 1_546_300_800_000, 365),
        ("binance_klines_3.json", Interval.M5, 1_586_987_400_000, 24),
        ("binance_klines_4.json", Interval.D1, 1_672_531_200_000, 6),
    ],
)
def test_every_recorded_number_is_kept(
    payload: Payload, name: str, interval: Interval, start_ms: int, row_count: int
) -> None:
    body = payload(name)
    bars = parse_klines(body, interval, Span(start_ms, start_ms + 1000 * interval.width_ms), name).bars
    columns = list(zip(*orjson.loads(body), strict=True))
    assert len(bars) == row_count
    assert bars["open_time"].cast("int64").to_pylist() == list(columns[0])
    assert bars["trades"].to_pylist() == list(columns[8])
    for column, index in {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 7,
                          "taker_volume": 9, "taker_quote_volume": 10}.items():  # fmt: skip
        assert bars[column].to_pylist() == [float(text) for text in columns[index]]


@pytest.mark.parametrize(
    "changes",
    [
        {"open_time": START + 1, "close_time": START + HOUR},
        {"close_time": START + HOUR},
        {"close_time": START - 1},
        {"close_time": 2**64 - 1},
        {"open_time": float(START)},
        {"open_time": str(START)},
        {"open_time": True},
        {"open_time": 2**63},
        {"open_time": -(2**63)},
        {"trades": "3"},
        {"trades": None},
        {"trades": 2**64 - 1},
    ],
)
def test_a_time_or_count_that_is_none_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(VenueProtocolError, match=r"^BNC page: ") as caught:
        BINANCE.read([BINANCE.row(**changes)])
    assert len(str(caught.value)) < 800


def test_a_refusal_is_no_page() -> None:
    with pytest.raises(VenueProtocolError, match=r"^BNC page: not a list"):
        BINANCE.read({"code": -1121, "msg": "Invalid symbol."})


def test_a_negative_count_of_trades_sets_the_bar_apart() -> None:
    found = BINANCE.read([BINANCE.row(0), BINANCE.row(1, trades=-1)]).closed
    assert found.bars["trades"].to_pylist() == [3]
    assert [reject.span.start_ms for reject in found.rejected] == [START + HOUR]


def test_a_bar_that_an_outage_cut_short_is_a_bar() -> None:
    rows = [BINANCE.row(0, close_time=START + HOUR - 60_001), BINANCE.row(1)]
    assert BINANCE.read(rows).closed.bars.num_rows == 2


def test_the_recorded_listing(payload: Payload) -> None:
    info = parse_exchange_info(payload("binance_exchangeInfo_1.json.gz"))
    assert len(info.listing.symbols) == 1695
    assert info.weight_limit is not None
    assert (info.weight_limit.limit, info.weight_limit.window_s) == (1200, 60)
    assert info.weight_limit.header == "X-MBX-USED-WEIGHT-1M"
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
    assert info.weight_limit is None


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
BAD_WINDOWS = [
    [{"rateLimitType": "REQUEST_WEIGHT", "interval": interval, "intervalNum": number, "limit": 6000}]
    for interval, number in (("WEEK", 1), (None, 1), ("MINUTE", 0), ("MINUTE", True), ("MINUTE", "1"))
]


@pytest.mark.parametrize("rules", [None, {}, [1], *BAD_LIMITS, *BAD_WINDOWS])
def test_a_limit_that_makes_no_sense_is_ignored(rules: object) -> None:
    assert parse_exchange_info(orjson.dumps({"symbols": ONE, "rateLimits": rules})).weight_limit is None


def test_the_servers_time() -> None:
    assert parse_server_time(b'{"serverTime":1499827319559}') == 1_499_827_319_559


@pytest.mark.parametrize("told", [1_499_827_319, 1_499_827_319_559_000, 1.5e12, "1499827319559", True, None])
def test_a_time_in_another_unit_is_refused(told: object) -> None:
    with pytest.raises(VenueProtocolError):
        parse_server_time(orjson.dumps({"serverTime": told}))
