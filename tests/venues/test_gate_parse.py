"""Gate's recorded answers give exact values; anything else gives one error."""

from collections.abc import Callable

import orjson
import pytest

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.domain.times import parse_time
from markethub.tables.klines import KLINES, open_times_ms
from markethub.venues.gate.parse import (
    Candles,
    parse_candlesticks,
    parse_currency_pairs,
    parse_server_time,
)
from tests.kline_formats import GATE, HOUR, SPAN, START

Payload = Callable[[str], bytes]

RECORDED = 1_685_167_200_000

row = GATE.row


def parse(rows: object) -> Candles:
    return parse_candlesticks(GATE.body(rows), Interval.H1, SPAN, "GIO page")


def test_column_order_as_recorded(payload: Payload) -> None:
    days = Span(parse_time("2025-01-29"), parse_time("2025-02-01"))
    closed, open_ms = parse_candlesticks(payload("gate_candlesticks_1.json"), Interval.D1, days, "page")
    bars = closed.bars
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
    closed, open_ms = parse_candlesticks(body, Interval.H1, Span(RECORDED, RECORDED + 4 * HOUR), "page")
    bars = closed.bars
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
    bars = parse_candlesticks(payload(name), interval, Span(0, parse_time("2026-01-01")), "page").closed.bars
    for bar in bars.to_pylist():
        assert bar["low"] * bar["volume"] <= bar["quote_volume"] <= bar["high"] * bar["volume"]


def test_trades_and_takers_are_unknown() -> None:
    bars = parse([row(0), row(1)]).closed.bars
    for name in ("trades", "taker_volume", "taker_quote_volume"):
        assert bars[name].to_pylist() == [None, None]


def test_the_open_bar_is_told_and_not_returned() -> None:
    closed, open_ms = parse([row(0), row(1), row(2, closed="false")])
    assert open_times_ms(closed.bars).to_pylist() == [START, START + HOUR]
    assert open_ms == START + 2 * HOUR


def test_nothing_after_an_open_bar_is_returned() -> None:
    closed, open_ms = parse([row(0), row(1, closed="false"), row(2)])
    assert open_times_ms(closed.bars).to_pylist() == [START]
    assert open_ms == START + HOUR


def test_rows_with_and_without_the_closed_flag_may_be_mixed() -> None:
    assert len(parse([row(0)[:7], row(1)]).closed.bars) == 2
    assert parse([row(0)[:7], row(1)[:7], row(2, closed="false")]).open_ms == START + 2 * HOUR


def test_newest_first_is_as_good_as_oldest_first() -> None:
    rows = [row(0), row(1, close="8.25"), row(2, closed="false")]
    assert parse(rows[::-1]) == parse(rows)
    assert parse(rows).closed.bars["close"].to_pylist() == [8.75, 8.25]


def test_bars_without_trades_may_be_there_or_missing() -> None:
    still = {"volume": "0", "quote_volume": "0", "high": "8", "low": "8", "open": "8", "close": "8"}
    present = parse([row(0), row(1, **still), row(2)]).closed.bars
    assert present["volume"].to_pylist() == [12.5, 0, 12.5]
    missing = parse([row(0), row(2)]).closed.bars
    assert open_times_ms(missing).to_pylist() == [START, START + 2 * HOUR]


@pytest.mark.parametrize(
    "rows",
    [
        [row(0, open_time=str(START))],  # milliseconds
        [{"t": "1685167200"}],  # how another channel of the venue spells it
        {"label": "INVALID_PARAM_VALUE", "message": "words"},
    ],
)
def test_what_is_not_a_page_of_candlesticks_is_refused(rows: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^GIO page: ") as caught:
        parse(rows)
    assert len(str(caught.value)) < 800


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
