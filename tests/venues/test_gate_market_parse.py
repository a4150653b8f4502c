"""Gate's recorded listings, tickers and books give exact values; anything else gives one error."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from markethub.domain.errors import VenueError, VenueProtocolError
from markethub.domain.symbol import Symbol
from markethub.domain.times import parse_time
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.symbols import LISTING
from markethub.tables.tickers import TICKERS
from markethub.venues.gate.market_parse import parse_listing, parse_order_book, parse_tickers

Payload = Callable[[str], bytes]

NOW = parse_time("2021-04-22T12:12:11Z")
BTC = Symbol.parse("BTC_USDT.GIO")
ETH = Symbol.parse("ETH_USDT.GIO")


def pair(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    entry = {
        "id": "BTC_USDT", "base": "BTC", "quote": "USDT", "fee": "0.2", "min_base_amount": "0.0001",
        "min_quote_amount": "1", "amount_precision": 4, "precision": 1, "trade_status": "tradable",
        "sell_start": 0, "buy_start": 0, "delisting_time": 0, "type": "normal", "st_tag": False,
    }  # fmt: skip
    return entry | changes


def listed(*entries: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parse_listing(orjson.dumps(entries), NOW).to_pylist()
    return rows


def status(**changes: Any) -> tuple[str, str]:  # noqa: ANN401
    (row,) = listed(pair(**changes))
    return row["status"], row["venue_status"]


def test_the_recorded_listing(payload: Payload) -> None:
    table = parse_listing(payload("gate_currency_pairs_1.json.gz"), NOW)
    assert table.schema.equals(LISTING)
    assert len(table) == 1458
    symbols = table["symbol"].to_pylist()
    assert symbols == sorted(symbols)
    assert {row["values"]: row["counts"] for row in table["status"].value_counts().to_pylist()} == {
        "trading": 1408,
        "halted": 44,
        "pre_open": 6,
    }
    (row,) = table.filter(pc.equal(table["symbol"], "ILV_ETH.GIO")).to_pylist()
    assert row == {
        "symbol": "ILV_ETH.GIO", "venue_name": "ILV_ETH", "base": "ILV", "quote": "ETH",
        "status": "pre_open", "venue_status": "sellable", "tick_size": Decimal("0.00001"),
        "lot_size": Decimal("0.001"), "min_size": None, "min_notional": Decimal("0.001"),
        "listed_time": datetime(2021, 4, 23, 8, tzinfo=UTC), "delisted_time": None,
    }  # fmt: skip


def test_precisions_are_counts_of_digits_and_missing_amounts_are_no_rule(payload: Payload) -> None:
    rows = parse_listing(payload("gate_xchange_spot_currency_pairs.json"), NOW).to_pylist()
    names = ("symbol", "tick_size", "lot_size", "min_size", "min_notional")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("BTC_USDT.GIO", Decimal("0.1"), Decimal("0.0001"), Decimal("0.0001"), Decimal(1)),
        ("CHZ_USDT.GIO", Decimal("0.00001"), Decimal("0.01"), None, Decimal(1)),
        ("ETH_USDT.GIO", Decimal("0.01"), Decimal("0.0001"), Decimal("0.001"), Decimal(1)),
    ]
    (row,) = listed(pair(precision=0, amount_precision=18, min_base_amount=None, min_quote_amount=""))
    assert (row["tick_size"], row["lot_size"]) == (Decimal(1), Decimal("1E-18"))
    assert (row["min_size"], row["min_notional"]) == (None, None)


FUTURE, PAST = NOW // 1000 + 60, NOW // 1000 - 60


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("trading", "tradable")),
        ({"trade_status": "untradable"}, ("halted", "untradable")),
        ({"trade_status": "buyable"}, ("halted", "buyable")),
        ({"trade_status": "sellable"}, ("halted", "sellable")),
        ({"trade_status": "sellable", "delisting_time": FUTURE}, ("delisting", "sellable")),
        ({"trade_status": "sellable", "buy_start": FUTURE}, ("pre_open", "sellable")),
        ({"buy_start": FUTURE}, ("pre_open", "tradable")),
        ({"sell_start": FUTURE}, ("pre_open", "tradable")),
        ({"trade_status": "untradable", "buy_start": FUTURE}, ("pre_open", "untradable")),
        ({"buy_start": PAST, "sell_start": PAST}, ("trading", "tradable")),
        ({"delisting_time": FUTURE}, ("trading", "tradable")),
        ({"delisting_time": PAST}, ("delisting", "tradable")),
        ({"delisting_time": NOW // 1000}, ("delisting", "tradable")),
        ({"trade_status": "untradable", "delisting_time": PAST}, ("delisting", "untradable")),
        ({"trade_status": "untradable", "delisting_time": FUTURE}, ("halted", "untradable")),
        ({"type": "premarket"}, ("pre_open", "premarket")),
        ({"type": "premarket", "delisting_time": PAST}, ("pre_open", "premarket")),
    ],
)
def test_statuses(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert status(**changes) == expected


def test_times_are_seconds_and_0_is_none() -> None:
    (row,) = listed(pair(sell_start=1608782400, buy_start=1608789600, delisting_time=1700000000))
    assert row["listed_time"] == datetime(2020, 12, 24, 6, tzinfo=UTC), "when both sides may order"
    assert row["delisted_time"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    (row,) = listed(pair())
    assert (row["listed_time"], row["delisted_time"]) == (None, None)


def test_a_pair_we_cannot_spell_is_left_out_whatever_else_it_says() -> None:
    odd = [pair(id="b_USDT", base="b", precision=-4), pair(id="A-B_C", base="A-B", quote="C")]
    assert [row["symbol"] for row in listed(*odd, pair())] == ["BTC_USDT.GIO"]


@pytest.mark.parametrize(
    "changes",
    [
        {"trade_status": "resting"},
        {"trade_status": None},
        {"trade_status": ["tradable"]},
        {"type": None},
        {"precision": -1},
        {"precision": 19},
        {"precision": "4"},
        {"precision": 4.0},
        {"precision": True},
        {"amount_precision": None},
        {"min_base_amount": 1},
        {"min_base_amount": "one"},
        {"min_base_amount": "-1"},
        {"min_base_amount": "nan"},
        {"min_quote_amount": "0." + "0" * 18 + "1"},
        {"buy_start": "0"},
        {"buy_start": -1},
        {"sell_start": NOW},  # milliseconds
        {"sell_start": None},
        {"delisting_time": 2**80},
    ],
)
def test_a_pair_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    body = orjson.dumps([pair() | {name: value for name, value in changes.items() if value != 2**80}])
    body = body.replace(b'"delisting_time":0', b'"delisting_time":%d' % changes.get("delisting_time", 0))
    with pytest.raises(VenueProtocolError, match=r"^currency pairs: "):
        parse_listing(body, NOW)


def test_a_pair_listed_twice_is_refused() -> None:
    with pytest.raises(VenueProtocolError, match="more than one BTC_USDT"):
        listed(pair(), pair())


def ticker(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    entry = {
        "currency_pair": "BTC_USDT", "last": "9", "lowest_ask": "9.5", "lowest_size": "3",
        "highest_bid": "8.5", "highest_size": "2", "change_percentage": "-8.91", "base_volume": "10",
        "quote_volume": "91", "high_24h": "11", "low_24h": "7",
    }  # fmt: skip
    return entry | changes


def parse_one(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    (row,) = parse_tickers(orjson.dumps([ticker(**changes)]), [BTC], NOW, "GIO tickers").to_pylist()
    assert isinstance(row, dict)
    return row


def test_the_recorded_tickers(payload: Payload) -> None:
    table = parse_tickers(payload("gate_xchange_spot_tickers.json"), [ETH, BTC], NOW, "page")
    assert table.schema.equals(TICKERS.schema)
    time = datetime(2021, 4, 22, 12, 12, 11, tzinfo=UTC)
    assert table.to_pylist() == [
        {
            "symbol": "ETH_USDT.GIO", "time": time, "last": 1752.96, "bid": 1752.96, "bid_size": None,
            "ask": 1752.97, "ask_size": None, "open_24h": None, "high_24h": 1777.84, "low_24h": 1719.5,
            "volume_24h": 34842.614438438, "quote_volume_24h": 60887901.935971,
        },
        {
            "symbol": "BTC_USDT.GIO", "time": time, "last": 26019.8, "bid": 26019.8, "bid_size": None,
            "ask": 26019.9, "ask_size": None, "open_24h": None, "high_24h": 26202.4, "low_24h": 25606.3,
            "volume_24h": 4722.912133756, "quote_volume_24h": 122324034.68892,
        },
    ]  # fmt: skip


def test_the_ticker_of_the_documentation(payload: Payload) -> None:
    symbol = Symbol.parse("BTC3L_USDT.GIO")
    (row,) = parse_tickers(payload("gate_tickers_1.json"), [symbol], NOW, "page").to_pylist()
    told = ("last", "bid", "ask", "high_24h", "low_24h", "volume_24h", "quote_volume_24h")
    assert [row[name] for name in told] == [
        2.46140352, 2.4606821, 2.477, 2.7431, 1.9863, 656614.0845820589, 1602221.66468375534639404191,
    ]  # fmt: skip


def test_only_the_wanted_ones_that_are_there_in_the_order_asked() -> None:
    other = Symbol.parse("NEO_USDT.GIO")
    body = orjson.dumps([ticker(), ticker(currency_pair="ETH_USDT"), ticker(currency_pair="b_X", last="x")])
    table = parse_tickers(body, [ETH, other, BTC, ETH], NOW, "page")
    assert table["symbol"].to_pylist() == ["ETH_USDT.GIO", "BTC_USDT.GIO"]


def test_empty_texts_and_missing_fields_are_null() -> None:
    row = parse_one(last="", lowest_ask="", high_24h=None, base_volume="")
    assert [row[name] for name in ("last", "ask", "high_24h", "volume_24h")] == [None] * 4
    row = parse_tickers(orjson.dumps([{"currency_pair": "BTC_USDT"}]), [BTC], NOW, "page").to_pylist()[0]
    assert {value for name, value in row.items() if name not in ("symbol", "time")} == {None}


def test_a_price_of_0_is_no_price_but_a_volume_of_0_is_one() -> None:
    row = parse_one(highest_bid="0", highest_size="0", base_volume="0", quote_volume="0.000")
    assert (row["bid"], row["bid_size"], row["volume_24h"], row["quote_volume_24h"]) == (None, None, 0, 0)


def test_a_volume_of_nan_has_been_seen_and_is_null() -> None:
    row = parse_one(base_volume="nan", quote_volume="NaN")
    assert (row["volume_24h"], row["quote_volume_24h"]) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"last": "nan"},
        {"last": "inf"},
        {"last": "-1"},
        {"last": "1e999"},
        {"last": "x"},
        {"last": 9},
        {"last": ["9"]},
        {"base_volume": "-1"},
        {"base_volume": "x"},
        {"base_volume": "inf"},
        {"lowest_size": "-0.1"},
    ],
)
def test_a_ticker_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(VenueProtocolError, match=r"^GIO tickers: "):
        parse_one(**changes)


@pytest.mark.parametrize("rows", [{}, None, [None], [[]], [{"currency_pair": 1}], [ticker(), ticker()]])
def test_what_is_not_a_list_of_tickers_is_refused(rows: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^page: "):
        parse_tickers(orjson.dumps(rows), [BTC], NOW, "page")


def parse_book(book: object, depth: int = 1000) -> pa.Table:
    return parse_order_book(orjson.dumps(book), BTC, depth, NOW, "GIO book")


def test_the_recorded_book(payload: Payload) -> None:
    table = parse_order_book(payload("gate_order_book_11.json"), BTC, 20, NOW, "page")
    assert table.schema.equals(ORDERBOOKS.schema)
    assert table.to_pylist() == [
        {
            "symbol": "BTC_USDT.GIO",
            "time": datetime(2025, 9, 29, 0, 12, 37, 920_000, tzinfo=UTC),
            "depth": 20,
            "sequence": 27596272445,
            "bid_prices": [112095.8, 112095.7, 112095.0, 112094.2, 112092.3],
            "bid_sizes": [2.255276, 1.490851, 0.0439, 0.08921, 1.186865],
            "ask_prices": [112095.9, 112096.0, 112097.0, 112097.9, 112098.0],
            "ask_sizes": [0.509926, 0.0439, 0.0439, 0.044111, 0.0439],
        }
    ]


@pytest.mark.parametrize(
    ("number", "sequence", "levels", "best"),
    [
        (1, 2691446, (35, 38), (0.00010322, 5360.209, 0.00010396, 5876.967)),
        (3, 1138115, (55, 100), (10.28, 36.50154112, 10.63, 5.0)),
        (5, 11077661, (42, 100), (0.001005, 50.29, 0.001038, 453.60214)),
        (7, 2509482, (48, 100), (0.0028144, 64918.872, 0.0029543, 70737.25)),
        (9, 13035634, (46, 43), (54272.19, 0.0589, 55070.74, 0.05822)),
    ],
)
def test_books_recorded_without_times_have_that_of_the_question(
    payload: Payload, number: int, sequence: int, levels: tuple[int, int], best: tuple[float, ...]
) -> None:
    body = payload(f"gate_order_book_{number}.json")
    (row,) = parse_order_book(body, BTC, 1000, NOW, "page").to_pylist()
    assert (row["time"], row["sequence"]) == (datetime(2021, 4, 22, 12, 12, 11, tzinfo=UTC), sequence)
    assert (len(row["bid_prices"]), len(row["ask_prices"])) == levels
    columns = ("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")
    assert tuple(row[name][0] for name in columns) == best
    told = orjson.loads(body)
    for side in ("bid", "ask"):
        assert row[f"{side}_prices"] == [float(price) for price, _ in told[f"{side}s"]]
        assert row[f"{side}_sizes"] == [float(size) for _, size in told[f"{side}s"]]


def test_a_book_without_id(payload: Payload) -> None:
    (row,) = parse_order_book(payload("gate_xchange_spot_order_book.json"), BTC, 1, NOW, "page").to_pylist()
    assert row["time"] == datetime(2023, 5, 14, 22, 10, 10, 493_000, tzinfo=UTC)
    assert (row["sequence"], row["bid_prices"], row["ask_sizes"]) == (None, [150.0], [1.0])


def test_more_levels_than_asked_for_are_cut_off() -> None:
    book = {"asks": [["3", "1"], ["4", "1"]], "bids": [["2", "1"], ["1", "1"]]}
    (row,) = parse_book(book, depth=1).to_pylist()
    assert (row["depth"], row["ask_prices"], row["bid_prices"]) == (1, [3.0], [2.0])


def test_an_empty_side_is_no_error() -> None:
    (row,) = parse_book({"asks": [], "bids": [["1", "2"]]}).to_pylist()
    assert (row["ask_prices"], row["bid_sizes"]) == ([], [2.0])


@pytest.mark.parametrize(
    "book",
    [
        {},
        None,
        {"asks": []},
        {"asks": [["3"]], "bids": []},
        {"asks": [["3", "1", "0"]], "bids": []},
        {"asks": [[3, 1]], "bids": []},
        {"asks": [["3", "0"]], "bids": []},
        {"asks": [["0", "1"]], "bids": []},
        {"asks": [["3", "-1"]], "bids": []},
        {"asks": [["nan", "1"]], "bids": []},
        {"asks": [["3", "inf"]], "bids": []},
        {"asks": [["3", ""]], "bids": []},
        {"asks": [["3", "1"], ["3", "1"]], "bids": []},  # the same price twice
        {"asks": [["4", "1"], ["3", "1"]], "bids": []},  # worst first
        {"asks": [], "bids": [["1", "1"], ["2", "1"]]},
        {"asks": [], "bids": [["1", "1"], ["1", "1"]]},
        {"asks": [["3", "1"]], "bids": [["3", "1"]]},  # locked
        {"asks": [["3", "1"]], "bids": [["4", "1"]]},  # crossed
        {"asks": [], "bids": [], "current": "1759104757920"},
        {"asks": [], "bids": [], "current": 1759104757},  # seconds
        {"asks": [], "bids": [], "current": 1.5e12},
        {"asks": [], "bids": [], "id": "1"},
        {"asks": [], "bids": [], "id": -1},
        {"asks": [], "bids": [], "id": True},
    ],
)
def test_a_book_that_makes_no_sense_is_refused(book: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^GIO book: "):
        parse_book(book)


READERS: tuple[Callable[[bytes], pa.Table], ...] = (
    lambda body: parse_listing(body, NOW),
    lambda body: parse_tickers(body, [BTC, ETH], NOW, "page"),
    lambda body: parse_order_book(body, BTC, 10, NOW, "page"),
)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b"[" * 900 + b"]" * 900, b'{"asks":' * 9, b"[NaN]"]
)
def test_what_is_not_json_or_far_too_deep_is_refused(body: bytes) -> None:
    for read in READERS:
        with pytest.raises(VenueProtocolError):
            read(body)


# A busy machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.sampled_from(["0", "-1", "nan", "inf", "", "1e400", "9", "tradable", "1.5", "٣"])
    | st.text(max_size=8)
)
json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def damaged(draw: st.DrawFn, entry: dict[str, Any]) -> dict[str, Any]:
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(entry)))
        if draw(st.booleans()):
            entry = entry | {name: draw(json)}
        elif name in entry:
            entry = {key: value for key, value in entry.items() if key != name}
    return entry


@st.composite
def almost_answers(draw: st.DrawFn) -> object:
    """Answers shaped like real ones, of which a few values were replaced or left out."""
    levels = [["3", "1"], ["4", draw(st.sampled_from(["1", "0", "x"]))]]
    book: dict[str, Any] = {"id": 7, "current": NOW, "update": NOW, "asks": levels, "bids": [["2", "1"]]}
    pairs = [pair(), pair(id="ETH_USDT", base="ETH", buy_start=FUTURE)]
    tickers = [ticker(), ticker(currency_pair="ETH_USDT")]
    shape = draw(st.sampled_from(["pairs", "tickers", "book"]))
    if shape == "book":
        return damaged(draw, book)
    return [damaged(draw, entry) for entry in (pairs if shape == "pairs" else tickers)]


@unhurried
@given(json | almost_answers())
def test_any_json_gives_a_sound_table_or_one_error(value: object) -> None:
    body = orjson.dumps(value)
    for read, schema in zip(READERS, (LISTING, TICKERS.schema, ORDERBOOKS.schema), strict=True):
        try:
            table = read(body)
        except VenueError as error:
            assert type(error) is VenueProtocolError
            assert len(str(error)) < 900
            continue
        assert table.schema.equals(schema)
        table.validate(full=True)
        for row in table.to_pylist():
            for name, number in row.items():
                if isinstance(number, float):
                    assert 0 <= number < float("inf"), name
