"""OKX's recorded listing, tickers and books give exact values; anything else gives one error."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Symbol
from markethub.domain.times import from_ms, parse_time
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.symbols import LISTING
from markethub.tables.tickers import TICKERS
from markethub.venues.okx.market_parse import parse_listing, parse_orderbook, parse_tickers
from tests.odd_json import ANY_JSON, damaged

Payload = Callable[[str], bytes]

BTC = Symbol.parse("BTC_USDT.OKX")
WANTED = {"BTC-USDT": BTC, "ETH-USDT": Symbol.parse("ETH_USDT.OKX")}
# What is recorded is the documentation's example, of two swaps.
RECORDED = {name: Symbol.parse(symbol) for name, symbol in
            {"BTC-USD-SPOT": "BTC_USD.OKX", "LTC-USD-SPOT": "LTC_USD.OKX"}.items()}  # fmt: skip


def envelope(data: object) -> bytes:
    return orjson.dumps({"code": "0", "msg": "", "data": data})


def instrument(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live",
        "tickSz": "0.1", "lotSz": "0.00000001", "minSz": "0.00001", "listTime": "1548133413000",
        "expTime": "",
    } | changes  # fmt: skip


def ticker(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "instType": "SPOT", "instId": "BTC-USDT", "last": "43000.1", "lastSz": "0.1", "askPx": "43000.2",
        "askSz": "1.5", "bidPx": "43000", "bidSz": "2.5", "open24h": "42000", "high24h": "43500.5",
        "low24h": "41000", "volCcy24h": "43000000", "vol24h": "1000", "sodUtc0": "42500", "sodUtc8": "42600",
        "ts": "1700000000123",
    } | changes  # fmt: skip


def book(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "bids": [["10", "1", "0", "2"], ["9.5", "2", "0", "1"]],
        "asks": [["10.5", "3", "0", "2"], ["11", "4", "0", "1"]],
        "ts": "1700000000123",
        "seqId": 3235851742,
    } | changes


def listing_of(*entries: object) -> list[dict[str, Any]]:
    table = parse_listing(envelope(list(entries)))
    assert table.schema.equals(LISTING)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def tickers_of(*entries: object) -> list[dict[str, Any]]:
    table = parse_tickers(envelope(list(entries)), WANTED, "page")
    assert table.schema.equals(TICKERS.schema)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def book_of(entry: object, depth: int = 400, items: int = 4) -> dict[str, Any]:
    table = parse_orderbook(envelope([entry]), BTC, depth, items, "page")
    assert table.schema.equals(ORDERBOOKS.schema)
    (row,) = table.to_pylist()
    return dict(row)


class TestListing:
    def test_the_recorded_instruments(self, payload: Payload) -> None:
        table = parse_listing(payload("okx_instruments_spot_1.json.gz"))
        assert table.schema.equals(LISTING)
        rows = {row["symbol"]: row for row in table.to_pylist()}
        assert len(rows) == len(table) == 513
        assert list(rows) == sorted(rows)
        assert rows["BTC_USDT.OKX"] == {
            "symbol": "BTC_USDT.OKX", "venue_name": "BTC-USDT", "base": "BTC", "quote": "USDT",
            "status": "trading", "venue_status": "live", "tick_size": Decimal("0.1"),
            "lot_size": Decimal("0.00000001"), "min_size": Decimal("0.00001"), "min_notional": None,
            "listed_time": from_ms(1_548_133_413_000), "delisted_time": None,
        }  # fmt: skip
        shib = rows["SHIB_USDT.OKX"]
        assert [shib[name] for name in ("tick_size", "lot_size", "min_size")] == [
            Decimal("0.00000001"),
            Decimal(1),
            Decimal(50_000),
        ]
        assert shib["listed_time"] == from_ms(parse_time("2021-05-08T05:40:10"))

    @pytest.mark.parametrize(
        ("state", "status"),
        [("live", "trading"), ("suspend", "halted"), ("preopen", "pre_open"), ("test", "pre_open")],
    )
    def test_states(self, state: str, status: str) -> None:
        (row,) = listing_of(instrument(state=state))
        assert (row["status"], row["venue_status"]) == (status, state)

    def test_an_announced_end_of_trading(self) -> None:
        (row,) = listing_of(instrument(expTime="1704876947000"))
        assert row["delisted_time"] == from_ms(1_704_876_947_000)
        assert row["status"] == "trading"

    def test_a_pair_that_is_only_announced_has_nothing_but_name_state_and_time(self) -> None:
        nothing = dict.fromkeys(("baseCcy", "quoteCcy", "tickSz", "lotSz", "minSz"), "")
        (row,) = listing_of(instrument(instId="NEW-USDT", state="preopen", **nothing))
        assert (row["symbol"], row["base"], row["quote"]) == ("NEW_USDT.OKX", "NEW", "USDT")
        assert (row["tick_size"], row["lot_size"], row["min_size"]) == (None, None, None)
        assert row["listed_time"] == from_ms(1_548_133_413_000)

    def test_names_that_no_symbol_can_spell_are_left_out(self) -> None:
        odd = [
            instrument(instId="BTC-USDT-X"),
            instrument(instId="btc-USDT", baseCcy="btc"),
            instrument(instId="BTC-USDT", baseCcy="XBT"),
        ]
        assert [row["symbol"] for row in listing_of(*odd, instrument(instId="ETH-USDT", baseCcy="ETH"))] == [
            "ETH_USDT.OKX"
        ]

    def test_no_step_is_null(self) -> None:
        (row,) = listing_of(instrument(tickSz="0", minSz=""))
        assert (row["tick_size"], row["min_size"]) == (None, None)

    @pytest.mark.parametrize(
        "changes",
        [
            {"state": "unheard of"},
            {"state": None},
            {"state": []},
            {"tickSz": "-0.1"},
            {"tickSz": "NaN"},
            {"tickSz": 0.1},
            {"lotSz": "0.0000000000000000001"},
            {"minSz": "100000000000000000000"},
            {"minSz": None},
            {"listTime": "x"},
            {"listTime": 1_548_133_413_000},
            {"expTime": "99999999999999999"},
            {"instType": "SWAP"},
            {"instId": None},
        ],
    )
    def test_nonsense_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(VenueProtocolError, match="instruments"):
            listing_of(instrument(**changes))

    def test_a_pair_that_is_listed_twice_is_refused(self) -> None:
        with pytest.raises(VenueProtocolError, match="twice"):
            listing_of(instrument(), instrument())

    def test_an_empty_listing_is_refused(self) -> None:
        with pytest.raises(VenueProtocolError, match="none"):
            listing_of()


class TestTickers:
    def test_the_recorded_tickers(self, payload: Payload) -> None:
        body = payload("okx_tickers_1.json").replace(b"SWAP", b"SPOT")
        rows = parse_tickers(body, RECORDED, "page").to_pylist()
        assert [row["symbol"] for row in rows] == ["BTC_USD.OKX", "LTC_USD.OKX"]
        assert rows[1] == {
            "symbol": "LTC_USD.OKX", "time": from_ms(1_597_026_383_085), "last": 9999.99, "bid": 8888.88,
            "bid_size": 5.0, "ask": 9999.99, "ask_size": 11.0, "open_24h": 9000.0, "high_24h": 10000.0,
            "low_24h": 8888.88, "volume_24h": 2222.0, "quote_volume_24h": 2222.0,
        }  # fmt: skip

    def test_spot_volumes_are_base_in_vol_and_quote_in_vol_ccy(self) -> None:
        (row,) = tickers_of(ticker())
        assert (row["volume_24h"], row["quote_volume_24h"]) == (1000.0, 43_000_000.0)

    def test_rows_come_in_the_order_asked_for_and_others_are_ignored(self) -> None:
        others = [{"instId": "X-Y", "last": None}]
        rows = tickers_of(ticker(instId="ETH-USDT"), *others, ticker())
        assert [row["symbol"] for row in rows] == ["BTC_USDT.OKX", "ETH_USDT.OKX"]
        assert tickers_of(*others) == []

    def test_what_there_is_none_of_is_null(self) -> None:
        nothing = {
            "last": "",
            "askPx": "",
            "askSz": "",
            "bidPx": "0",
            "bidSz": "0",
            "low24h": "0",
            "vol24h": "0",
        }
        (row,) = tickers_of(ticker(**nothing))
        none = ("last", "ask", "ask_size", "bid", "bid_size", "low_24h")
        assert {name for name, value in row.items() if value is None} == set(none)
        assert row["volume_24h"] == 0.0

    @pytest.mark.parametrize(
        "changes",
        [
            {"last": "NaN"},
            {"last": "inf"},
            {"last": "1e400"},
            {"last": "-1"},
            {"last": 43000.1},
            {"last": None},
            {"last": "1,5"},
            {"vol24h": "-0.1"},
            {"ts": ""},
            {"ts": "0"},
            {"ts": 1_700_000_000_123},
            {"instType": "SWAP"},
            {"instId": None},
        ],
    )
    def test_nonsense_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(VenueProtocolError, match="page"):
            tickers_of(ticker(**changes))

    def test_one_pair_twice_is_refused(self) -> None:
        with pytest.raises(VenueProtocolError, match="BTC-USDT twice"):
            tickers_of(ticker(), ticker())


class TestOrderbook:
    def test_the_recorded_book(self, payload: Payload) -> None:
        table = parse_orderbook(payload("okx_books_2.json"), BTC, 1, 4, "page")
        assert table.to_pylist() == [
            {
                "symbol": "BTC_USDT.OKX",
                "time": from_ms(1_629_966_436_396),
                "depth": 1,
                "sequence": None,
                "bid_prices": [41006.3],
                "bid_sizes": [0.30178218],
                "ask_prices": [41006.8],
                "ask_sizes": [0.60038921],
            }
        ]

    def test_the_full_books_rows_have_three_items_and_no_sequence(self) -> None:
        full = {
            "bids": [["10", "1", "2"]],
            "asks": [["10.5", "3", "2"], ["11", "4", "1"]],
            "ts": "1700000000123",
        }
        row = book_of(full, depth=1000, items=3)
        assert (row["ask_prices"], row["ask_sizes"], row["sequence"]) == ([10.5, 11.0], [3.0, 4.0], None)
        with pytest.raises(VenueProtocolError, match="rows of 4 items"):
            book_of(full)
        with pytest.raises(VenueProtocolError, match="rows of 3 items"):
            book_of(book(), items=3)

    def test_levels_best_first_cut_to_the_depth(self) -> None:
        row = book_of(book())
        assert (row["bid_prices"], row["bid_sizes"]) == ([10.0, 9.5], [1.0, 2.0])
        assert (row["depth"], row["sequence"]) == (400, 3235851742)
        row = book_of(book(), depth=1)
        assert (row["bid_prices"], row["ask_prices"], row["depth"]) == ([10.0], [10.5], 1)

    def test_a_side_may_be_empty(self) -> None:
        assert book_of(book(bids=[]))["bid_prices"] == []
        empty = book_of(book(bids=[], asks=[]))
        assert (empty["ask_prices"], empty["ask_sizes"]) == ([], [])

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"bids": [["10.5", "1", "0", "2"]]}, "crossed"),
            ({"bids": [["10.6", "1", "0", "2"]]}, "crossed"),
            ({"bids": [["9", "1", "0", "1"], ["10", "1", "0", "1"]]}, "order"),
            ({"asks": [["11", "1", "0", "1"], ["10.5", "1", "0", "1"]]}, "order"),
            ({"asks": [["11", "1", "0", "1"], ["11", "1", "0", "1"]]}, "order"),
            ({"asks": [["NaN", "1", "0", "1"]]}, "asks"),
            ({"asks": [["11", "inf", "0", "1"]]}, "asks"),
            ({"asks": [["11", "0", "0", "1"]]}, "above 0"),
            ({"asks": [["11", "-1", "0", "1"]]}, "asks"),
            ({"bids": [["0", "1", "0", "1"]]}, "above 0"),
            ({"bids": [["", "1", "0", "1"]]}, "above 0"),
            ({"bids": [[9, "1", "0", "1"]]}, "not text"),
            ({"bids": [["9", "1", "0"]]}, "rows of 4"),
            ({"bids": ["9110"]}, "rows of 4"),
            ({"bids": None}, "not one book"),
            ({"ts": "x"}, "ts"),
            ({"seqId": "x"}, "seqId"),
            ({"seqId": True}, "seqId"),
            ({"seqId": 2**63}, "seqId"),
            ({"seqId": -1}, "seqId"),
        ],
    )
    def test_nonsense_is_refused(self, changes: dict[str, Any], words: str) -> None:
        with pytest.raises(VenueProtocolError, match=f"page: .*{words}"):
            book_of(book(**changes))

    def test_no_book_is_refused(self) -> None:
        with pytest.raises(VenueProtocolError, match="not one book"):
            parse_orderbook(envelope([]), BTC, 1, 4, "page")


def _rows_or_one_error(parse: Callable[[], pa.Table]) -> None:
    try:
        table = parse()
    except VenueProtocolError as error:
        assert len(str(error)) < 1000
    else:
        table.validate(full=True)


_LEVEL = st.lists(st.floats(0, 20).map(str) | ANY_JSON, min_size=2, max_size=5)


@given(ANY_JSON | damaged(instrument()))
def test_any_listing_gives_rows_or_one_error(data: object) -> None:
    _rows_or_one_error(lambda: parse_listing(envelope(data)))


@given(ANY_JSON | damaged(ticker()))
def test_any_tickers_give_rows_or_one_error(data: object) -> None:
    _rows_or_one_error(lambda: parse_tickers(envelope(data), WANTED, "page"))


@given(ANY_JSON | damaged(book()) | st.lists(st.builds(book, asks=st.lists(_LEVEL, max_size=3)), max_size=1))
def test_any_book_gives_a_row_or_one_error(data: object) -> None:
    _rows_or_one_error(lambda: parse_orderbook(envelope(data), BTC, 5, 4, "page"))


@given(st.binary(max_size=40) | ANY_JSON.map(orjson.dumps))
def test_any_bytes_give_one_error(body: bytes) -> None:
    for parse in (
        parse_listing,
        lambda body: parse_tickers(body, WANTED, "page"),
        lambda body: parse_orderbook(body, BTC, 5, 4, "page"),
    ):
        with pytest.raises(VenueProtocolError):
            parse(body)


@pytest.mark.parametrize("levels", [300, 1000, 5000])
def test_a_value_nested_as_deep_as_it_gets_gives_one_error(levels: int) -> None:
    deep = b"[" * levels + b"]" * levels
    body = b'{"code":"0","msg":"","data":[' + deep + b"]}"
    for parse in (parse_listing, lambda body: parse_tickers(body, WANTED, "page")):
        with pytest.raises(VenueProtocolError):
            parse(body)
