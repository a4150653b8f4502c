"""Recorded listings, tickers and books give exact values; anything else gives one error."""

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Symbol
from markethub.domain.times import parse_time
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.symbols import LISTING
from markethub.tables.tickers import TICKERS
from markethub.venues.binance.market_parse import parse_orderbook, parse_tickers, tabulate_listing
from markethub.venues.binance.parse import parse_exchange_info

Payload = Callable[[str], bytes]

BTC = Symbol.parse("BTC_USDT.BNC")
NOW = parse_time("2021-10-12T00:28:32Z")


def listing(body: bytes) -> pa.Table:
    return tabulate_listing(parse_exchange_info(body).entries, "BNC listing")


def books(body: object, depth: int = 1000) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    row: dict[str, Any] = parse_orderbook(raw, BTC, depth, NOW, "BNC book").to_pylist()[0]
    return row


def test_the_recorded_listing(payload: Payload) -> None:
    rows = listing(payload("binance_exchangeInfo_1.json.gz"))
    assert rows.schema.equals(LISTING)
    assert len(rows) == 1695
    symbols = rows["symbol"].to_pylist()
    assert symbols == sorted(symbols)
    by_symbol = {row["symbol"]: row for row in rows.to_pylist()}
    assert by_symbol["BTC_USDT.BNC"] == {
        "symbol": "BTC_USDT.BNC", "venue_name": "BTCUSDT", "base": "BTC", "quote": "USDT",
        "status": "trading", "venue_status": "TRADING", "tick_size": Decimal("0.01"),
        "lot_size": Decimal("0.00001"), "min_size": Decimal("0.00001"), "min_notional": Decimal(10),
        "listed_time": None, "delisted_time": None,
    }  # fmt: skip
    assert by_symbol["BCC_BTC.BNC"]["venue_status"] == "BREAK"
    assert by_symbol["BCC_BTC.BNC"]["status"] == "halted"
    assert by_symbol["SHIB_USDT.BNC"]["tick_size"] == Decimal("0.00000001")
    assert by_symbol["SHIB_USDT.BNC"]["lot_size"] == 1
    statuses = rows["status"].to_pylist()
    assert (statuses.count("trading"), statuses.count("halted")) == (1262, 433)


def test_two_recorded_symbols(payload: Payload) -> None:
    rows = listing(payload("binance_exchangeInfo_3.json"))
    assert rows["venue_name"].to_pylist() == ["BTCUSDT", "ETHUSDT"]
    assert rows["lot_size"].to_pylist() == [Decimal("0.00001"), Decimal("0.0001")]


ENTRY = {
    "symbol": "BTCUSDT",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "status": "TRADING",
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "9", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00002000", "maxQty": "9000", "stepSize": "0.00001000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
    ],
}


def entry(**changes: object) -> bytes:
    return orjson.dumps({"symbols": [ENTRY | changes]})


def only(body: bytes) -> dict[str, Any]:
    (row,) = listing(body).to_pylist()
    return dict(row)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("TRADING", "trading"),
        ("HALT", "halted"),
        ("END_OF_DAY", "halted"),
        ("CANCEL_ONLY", "halted"),
        ("BREAK", "halted"),
        ("POST_TRADING", "halted"),
        ("PRE_TRADING", "pre_open"),
        ("A_WORD_OF_NEXT_YEAR", "halted"),
    ],
)
def test_status_words(word: str, status: str) -> None:
    row = only(entry(status=word))
    assert (row["status"], row["venue_status"]) == (status, word)


def test_the_new_filter_notional_and_the_old_one() -> None:
    assert only(entry())["min_notional"] == 5
    old = [{"filterType": "MIN_NOTIONAL", "minNotional": "10.00000000"}]
    assert only(entry(filters=old))["min_notional"] == 10
    assert only(entry(filters=[*old, *ENTRY["filters"]]))["min_notional"] == 5


def test_a_step_of_0_is_a_rule_that_is_off() -> None:
    off = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.00000000"},
        {"filterType": "LOT_SIZE", "stepSize": "0", "minQty": "0.00000000"},
    ]
    row = only(entry(filters=off))
    assert [row[name] for name in ("tick_size", "lot_size", "min_size", "min_notional")] == [None] * 4


def test_names_that_our_symbols_cannot_spell_are_left_out() -> None:
    odd = ENTRY | {"symbol": "b-cUSDT", "baseAsset": "b-c"}
    rows = listing(orjson.dumps({"symbols": [odd, ENTRY]}))
    assert rows["symbol"].to_pylist() == ["BTC_USDT.BNC"]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": None},
        {"status": ""},
        {"status": 1},
        {"filters": None},
        {"filters": {}},
        {"filters": [None]},
        {"filters": [{"filterType": "PRICE_FILTER"}]},
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": 0.01}]},
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "NaN"}]},
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "-0.01"}]},
        {"filters": [{"filterType": "LOT_SIZE", "stepSize": "1e-19", "minQty": "1"}]},
        {"filters": [{"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1" + "0" * 20}]},
    ],
)
def test_rules_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(VenueProtocolError, match=r"^BNC listing: "):
        listing(entry(**changes))


def test_a_symbol_listed_twice_is_refused() -> None:
    with pytest.raises(VenueProtocolError, match="BTCUSDT is listed twice"):
        listing(orjson.dumps({"symbols": [ENTRY, ENTRY]}))


# ---------------------------------------------------------------------------------------------- tickers


def test_the_recorded_ticker(payload: Payload) -> None:
    body = b"[" + payload("binance_ticker24hr_1.json") + b"]"
    rows = parse_tickers(body, {"BTCUSDT": BTC}, "BNC tickers")
    assert rows.schema.equals(TICKERS.schema)
    (row,) = rows.to_pylist()
    assert row.pop("time").timestamp() == 1_586_991_278.494
    assert row == {
        "symbol": "BTC_USDT.BNC", "last": 6705.82, "bid": 6705.88, "bid_size": 0.184011, "ask": 6706.21,
        "ask_size": 0.195188, "open_24h": 6872.64, "high_24h": 6933.0, "low_24h": 6680.1,
        "volume_24h": 57857.494857, "quote_volume_24h": 392659910.6266075,
    }  # fmt: skip


def test_recorded_tickers_come_in_the_order_asked_for(payload: Payload) -> None:
    wanted = {"LTCBTC": Symbol.parse("LTC_BTC.BNC"), "ETHBTC": Symbol.parse("ETH_BTC.BNC")}
    rows = parse_tickers(payload("binance_ticker24hr_2.json"), wanted, "BNC tickers")
    assert rows["symbol"].to_pylist() == ["LTC_BTC.BNC", "ETH_BTC.BNC"]
    assert rows["last"].to_pylist() == [0.000988, 0.03606]
    assert rows["time"].cast("int64").to_pylist() == [1_730_439_016_994, 1_730_439_017_452]


def ticker(**changes: object) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT", "lastPrice": "8.5", "bidPrice": "8.4", "bidQty": "1", "askPrice": "8.6",
        "askQty": "2", "openPrice": "8", "highPrice": "9", "lowPrice": "7", "volume": "10",
        "quoteVolume": "85", "openTime": NOW - 86_400_000, "closeTime": NOW, "count": 3,
    } | changes  # fmt: skip


def read_tickers(*entries: object) -> pa.Table:
    return parse_tickers(orjson.dumps(entries), {"BTCUSDT": BTC}, "BNC tickers")


def test_an_empty_side_and_a_pair_without_trades_are_null() -> None:
    zero = "0.00000000"
    (row,) = read_tickers(
        ticker(
            lastPrice=zero,
            bidPrice=zero,
            bidQty=zero,
            openPrice=zero,
            highPrice=zero,
            lowPrice=zero,
            volume=zero,
        )
    ).to_pylist()
    names = ("last", "bid", "bid_size", "open_24h", "high_24h", "low_24h")
    assert [row[name] for name in names] == [None] * 6
    assert (row["volume_24h"], row["ask"]) == (0.0, 8.6)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [ticker(symbol="ETHUSDT")],
        [ticker(), ticker()],
        [ticker(), None],
        [ticker(symbol=None)],
        [ticker(closeTime=str(NOW))],
        [ticker(closeTime=NOW // 1000)],
        [ticker(closeTime=NOW * 1000)],
        [ticker(closeTime=True)],
        [ticker(lastPrice=8.5)],
        [ticker(lastPrice=None)],
        [ticker(lastPrice="")],
        [ticker(lastPrice="NaN")],
        [ticker(bidPrice="-1")],
        [ticker(askQty="inf")],
        [ticker(volume="1e400")],
        [ticker(highPrice="6")],
        [{name: value for name, value in ticker().items() if name != "askPrice"}],
    ],
)
def test_what_is_not_the_ticker_asked_for_is_refused(entries: list[object]) -> None:
    with pytest.raises(VenueProtocolError, match=r"^BNC tickers: "):
        read_tickers(*entries)


# ------------------------------------------------------------------------------------------------ books


def test_the_recorded_books(payload: Payload) -> None:
    row = books(payload("binance_depth_1.json.gz"))
    assert row["time"].timestamp() * 1000 == NOW
    assert (row["symbol"], row["depth"], row["sequence"]) == ("BTC_USDT.BNC", 1000, 499_869_752)
    assert (len(row["bid_prices"]), len(row["ask_prices"])) == (609, 1000)
    assert (row["bid_prices"][:2], row["bid_sizes"][:2]) == ([0.3521, 0.352], [672.0, 1144.0])
    assert row["ask_prices"][0] == 0.3525
    recorded = orjson.loads(payload("binance_depth_4.json"))
    other = books(payload("binance_depth_4.json"))
    for side in ("bid", "ask"):
        assert other[f"{side}_prices"] == [float(level[0]) for level in recorded[f"{side}s"]]
        assert other[f"{side}_sizes"] == [float(level[1]) for level in recorded[f"{side}s"]]


def test_a_book_deeper_than_asked_is_cut_on_our_side(payload: Payload) -> None:
    row = books(payload("binance_depth_1.json.gz"), depth=3)
    assert row["bid_prices"] == [0.3521, 0.352, 0.3519]
    assert len(row["ask_sizes"]) == row["depth"] == 3


def test_an_empty_book() -> None:
    row = books({"lastUpdateId": 0, "bids": [], "asks": []})
    assert (row["bid_prices"], row["ask_sizes"]) == ([], [])


def book(bids: object, asks: object, sequence: object = 7) -> dict[str, object]:
    return {"lastUpdateId": sequence, "bids": bids, "asks": asks}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(book([["9", "1"]], [["8", "1"]]), id="crossed"),
        pytest.param(book([["9", "1"]], [["9", "1"]]), id="locked"),
        pytest.param(book([["8", "1"], ["9", "1"]], []), id="bids ascending"),
        pytest.param(book([], [["9", "1"], ["8", "1"]]), id="asks descending"),
        pytest.param(book([["8", "1"], ["8", "2"]], []), id="a price twice"),
        pytest.param(book([["NaN", "1"]], []), id="NaN price"),
        pytest.param(book([["8", "NaN"]], []), id="NaN quantity"),
        pytest.param(book([["-8", "1"]], []), id="negative price"),
        pytest.param(book([], [["8", "-1"]]), id="negative quantity"),
        pytest.param(book([["8", "0"]], []), id="quantity 0"),
        pytest.param(book([["0", "1"]], []), id="price 0"),
        pytest.param(book([[8, 1]], []), id="numbers without quotes"),
        pytest.param(book([["8"]], []), id="no quantity"),
        pytest.param(book([["8", "1", "1"]], []), id="three items"),
        pytest.param(book([None], []), id="no level"),
        pytest.param(book({}, []), id="no list"),
        pytest.param(book([], [], True), id="sequence true"),
        pytest.param(book([], [], "7"), id="sequence text"),
        pytest.param(book([], [], -1), id="sequence negative"),
        pytest.param(book([], [], 2**63), id="sequence too large"),
        pytest.param({"bids": [], "asks": []}, id="no sequence"),
        pytest.param([], id="a list"),
    ],
)
def test_what_is_not_a_sound_book_is_refused(body: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^BNC book: "):
        books(body)


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"\xff", b'{"lastUpdateId":1,"bids":[["1'])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(VenueProtocolError, match=r"not JSON"):
        parse_tickers(body, {"BTCUSDT": BTC}, "BNC tickers")
    with pytest.raises(VenueProtocolError, match=r"not JSON"):
        books(body)


# ------------------------------------------------------------------------------------------------- fuzz

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.sampled_from(["8.5", "9", "0", "-1", "nan", "inf", "", "1e400", "1e-30", "TRADING", "BTCUSDT"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | texts
    | st.text(max_size=8)
)
json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
sound_listing = {"symbols": [ENTRY, ENTRY | {"symbol": "ETHBTC", "baseAsset": "ETH", "quoteAsset": "BTC"}]}
sound_book = book([["8", "1"], ["7", "2"]], [["9", "1"], ["10", "2"]])
sound_tickers = [ticker(), ticker(symbol="ETHBTC")]


@st.composite
def damaged(draw: st.DrawFn, sound: object) -> object:
    """``sound``, in which up to three places are something else, gone, or there twice."""
    document = copy.deepcopy(sound)
    for _ in range(draw(st.integers(0, 3))):
        place: Any = document
        while isinstance(place, list | dict) and place:
            keys = range(len(place)) if isinstance(place, list) else sorted(place)
            key = draw(st.sampled_from(list(keys)))
            if not isinstance(place[key], list | dict) or draw(st.integers(0, 2)) == 0:
                break
            place = place[key]
        if not isinstance(place, list | dict) or not place:
            continue
        change = draw(st.sampled_from(["replace", "remove", "repeat"]))
        if change == "remove":
            del place[key]
        elif change == "repeat" and isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        else:
            place[key] = draw(json)
    return document


def rows_or_one_error(read: Callable[[], pa.Table]) -> pa.Table | None:
    try:
        return read()
    except VenueProtocolError:
        return None


@unhurried
@given(json | damaged(sound_listing))
def test_any_listing_gives_rows_or_one_error(document: object) -> None:
    rows = rows_or_one_error(lambda: listing(orjson.dumps(document)))
    if rows is not None:
        assert rows.schema.equals(LISTING)
        assert set(rows["status"].to_pylist()) <= {"trading", "halted", "pre_open"}
        assert all(step is None or step > 0 for step in rows["tick_size"].to_pylist())


@unhurried
@given(json | damaged(sound_tickers))
def test_any_tickers_give_rows_or_one_error(document: object) -> None:
    wanted = {"BTCUSDT": BTC, "ETHBTC": Symbol.parse("ETH_BTC.BNC")}
    rows = rows_or_one_error(lambda: parse_tickers(orjson.dumps(document), wanted, "page"))
    if rows is not None:
        numbers = [value for row in rows.drop(["symbol", "time"]).to_pylist() for value in row.values()]
        assert all(number is None or 0 <= number < float("inf") for number in numbers)
        assert len(rows) == 2


@unhurried
@given(json | damaged(sound_book))
def test_any_book_gives_one_row_or_one_error(document: object) -> None:
    rows = rows_or_one_error(lambda: parse_orderbook(orjson.dumps(document), BTC, 2, NOW, "book"))
    if rows is not None:
        assert rows.schema.equals(ORDERBOOKS.schema)
        (row,) = rows.to_pylist()
        assert row["bid_prices"] == sorted(set(row["bid_prices"]), reverse=True)
        assert row["ask_prices"] == sorted(set(row["ask_prices"]))
        assert not row["bid_prices"] or not row["ask_prices"] or row["bid_prices"][0] < row["ask_prices"][0]
        assert all(0 < number < float("inf") for number in row["bid_prices"] + row["ask_sizes"])
        assert len(row["bid_prices"]) == len(row["bid_sizes"]) <= 2
