"""OKX's orders, fills and transfers give exact values; anything else gives rejects or one error."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import VenueProtocolError
from markethub.domain.span import Span
from markethub.tables.catalog import TABLE_OF
from tests.odd_json import ANY_JSON, damaged
from tests.okx_ledger_kinds import DEPOSIT, FILL, KINDS, MOVE, ORDER, WITHDRAWAL, Kind, envelope, moment

Payload = Callable[[str], bytes]

KIND_IDS = ["order", "fill", "deposit", "withdrawal", "move"]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)


def test_the_recorded_market_buy_of_quote_currency(payload: Payload) -> None:
    rows, rejected = ORDER.read(payload("okx_orders_history_2.json"))
    assert not rejected
    assert rows.to_pylist() == [
        {
            "account": "OKX_MM01", "order_id": "680800019749904384", "client_order_id": None,
            "symbol": "BTC_USDT.OKX", "side": "buy", "type": "market", "status": "filled", "price": None,
            "size": Decimal(100), "size_currency": "quote", "filled_size": Decimal("0.00192834"),
            "average_price": Decimal(51858), "fee": Decimal("-0.00000192834"), "fee_asset": "BTC",
            "rebate": Decimal(0), "rebate_asset": "USDT", "created_time": moment(1_708_587_373_361),
            "updated_time": moment(1_708_587_373_362),
        }
    ]  # fmt: skip


def test_the_archive_of_orders(payload: Payload) -> None:
    rows, rejected = ORDER.read(payload("okx_orders_history_archive_own.json"))
    assert not rejected
    first, *_, last = rows.to_pylist()
    assert first == {
        "account": "OKX_MM01", "order_id": "2241837064912809984", "client_order_id": None,
        "symbol": "SOL_USDT.OKX", "side": "sell", "type": "limit", "status": "filled",
        "price": Decimal("198.43"), "size": Decimal("41.307518"), "size_currency": "base",
        "filled_size": Decimal("41.307518"), "average_price": Decimal("198.43"),
        "fee": Decimal("-6.557320637392"), "fee_asset": "USDT", "rebate": Decimal(0), "rebate_asset": "SOL",
        "created_time": moment(1_739_260_804_117), "updated_time": moment(1_739_267_331_940),
    }  # fmt: skip
    assert (last["client_order_id"], last["fee"], last["rebate"], last["rebate_asset"]) == (
        "own0016", Decimal(0), Decimal("0.0000025"), "BTC",
    )  # fmt: skip
    columns = rows.to_pydict()
    assert columns["symbol"] == [
        f"{name}.OKX"
        for name in ("SOL_USDT", "BTC_USDT", "ETH_USDC", "USDC_USDT", "SOL_USDT", "USDC_USDT", "BTC_USDT")
    ]
    assert columns["type"] == ["limit", "market", "market", "market", "post_only", "limit", "post_only"]
    assert columns["side"] == ["sell", "buy", "buy", "sell", "buy", "sell", "buy"]
    assert columns["status"] == [*["filled"] * 4, "canceled", *["filled"] * 2]
    assert columns["size_currency"] == ["base", "quote", *["base"] * 5]
    numbers = {
        "price": ("198.43", None, None, None, "187.5", "1", "95880.1"),
        "size": ("41.307518", "250", "3.2", "1875.4402", "5", "2400", "0.05"),
        "filled_size": ("41.307518", "0.00259302", "3.2", "1875.4402", "1.75", "2400", "0.05"),
        "average_price": ("198.43", "96412.7", "2718.405691253437512", "1.0002", "187.5", "1", "95880.1"),
        "fee": (
            "-6.557320637392", "-0.00000259302", "-0.00224", "-1.87581528804", "-0.0014", "-2.4", "0",
        ),
    }  # fmt: skip
    for name, texts in numbers.items():
        assert columns[name] == [None if text is None else Decimal(text) for text in texts], name


def test_the_history_of_fills(payload: Payload) -> None:
    rows, rejected = FILL.read(payload("okx_fills_history_own.json"))
    assert not rejected
    taker, last_part, first_part, maker = rows.to_pylist()
    assert taker == {
        "account": "OKX_MM01", "fill_id": "2241102998329982977", "trade_id": "720455118",
        "order_id": "2241102998317400064", "client_order_id": None, "symbol": "BTC_USDT.OKX",
        "side": "buy", "liquidity": "taker", "price": Decimal("96412.7"), "size": Decimal("0.00259302"),
        "fee": Decimal("-0.00000259302"), "fee_asset": "BTC", "time": moment(1_739_238_927_352),
        "recorded_time": moment(1_739_238_927_361),
    }  # fmt: skip
    # One trade id in two pairs, and one order and moment for two fills: the bill id alone is the key.
    assert (last_part["trade_id"], last_part["symbol"]) == ("720455118", "DOGE_USDT.OKX")
    assert first_part == last_part | {
        "fill_id": "2240860025117843456", "trade_id": "720455117", "size": Decimal("0.000001"),
        "fee": Decimal("-0.0000000002031232"),
    }  # fmt: skip
    assert (last_part["client_order_id"], last_part["side"], last_part["fee"]) == (
        "own0021", "sell", Decimal("-3.7071507424"),
    )  # fmt: skip
    assert (maker["liquidity"], maker["fee"], maker["fee_asset"]) == ("maker", Decimal("0.000000625"), "BTC")


def test_the_history_of_deposits(payload: Payload) -> None:
    rows, rejected = DEPOSIT.read(payload("okx_deposit_history_own.json"))
    assert not rejected
    on_chain, off_chain, waiting = rows.to_pylist()
    assert on_chain == {
        "account": "OKX_MM01", "kind": "deposit", "transfer_id": "204417735", "asset": "USDT",
        "amount": Decimal("3120.447108"), "fee": None, "fee_asset": None, "status": "done",
        "venue_status": "2", "chain": "USDT-Arbitrum One",
        "tx_id": "0x58c5d0e610163c90778e6e7df88fadad16ec3139983dcbe4f350a23da5308f78", "from_place": None,
        "to_place": "0x1198b59d5ddc6853814bf54d83de5a27a91c67ef", "time": moment(1_739_187_264_000),
    }  # fmt: skip
    assert off_chain == on_chain | {
        "transfer_id": "204390016", "asset": "SOL", "amount": Decimal("12.000000001"), "chain": None,
        "tx_id": None, "from_place": "friend@example.org", "to_place": None,
        "time": moment(1_739_101_877_000),
    }  # fmt: skip
    assert waiting == on_chain | {
        "transfer_id": "204388152", "asset": "USDC", "amount": Decimal("615.038274"), "status": "pending",
        "venue_status": "8", "chain": "USDC-Polygon",
        "tx_id": "0x60895784e34fc624bc71c6461a887a6b42151e9d82ab8feb666f88cca375a9d9",
        "time": moment(1_739_098_341_000),
    }  # fmt: skip


def test_the_history_of_withdrawals(payload: Payload) -> None:
    body = payload("okx_withdrawal_history_own.json")
    with pytest.raises(VenueProtocolError, match="two different records with wdId '93162044'"):
        WITHDRAWAL.read(body)
    rows, rejected = WITHDRAWAL.read(body.replace(b"93162044", b"93162045", 1))
    assert not rejected
    first, second, canceled = rows.to_pylist()
    assert first == {
        "account": "OKX_MM01", "kind": "withdrawal", "transfer_id": "93162045", "asset": "SOL",
        "amount": Decimal("-27.14590083"), "fee": Decimal("-0.006"), "fee_asset": "SOL", "status": "done",
        "venue_status": "2", "chain": "SOL-Solana",
        "tx_id": "yNYQqrQQ27qhmq4H5BN8A6dYX14HogWSF6wZJs3rW13Zn6s2eAfFDWDsn2tsL1T4Q58z7CNb8ZmDs3sgrEE1Xa1o",
        "from_place": None, "to_place": "4rZvch4mY8Te6wF9AchsMxqKdJyzWbDybm8V6NyDw9uc",
        "time": moment(1_739_170_520_000),
    }  # fmt: skip
    assert (second["amount"], second["fee"], second["fee_asset"]) == (
        Decimal("-508.226419"), Decimal("-0.1"), "USDT",
    )  # fmt: skip
    assert (canceled["status"], canceled["venue_status"], canceled["tx_id"], canceled["amount"]) == (
        "failed", "-2", None, Decimal("-0.75"),
    )  # fmt: skip


def test_the_recorded_asset_bill_is_a_deposit_and_no_move(payload: Payload) -> None:
    body = payload("okx_asset_bills_1.json")
    assert MOVE.read(body).rows.num_rows == 0
    (row,) = MOVE.read(body.replace(b'"type": "1"', b'"type": "131"')).rows.to_pylist()
    assert row == {
        "account": "OKX_MM01", "kind": "internal", "transfer_id": "12344", "asset": "BTC",
        "amount": Decimal(-2), "fee": None, "fee_asset": None, "status": "done", "venue_status": None,
        "chain": None, "tx_id": None, "from_place": "trading", "to_place": "funding",
        "time": moment(1_597_026_383_085),
    }  # fmt: skip


def test_the_order_of_a_contract_is_refused(payload: Payload) -> None:
    with pytest.raises(VenueProtocolError, match="instType"):
        ORDER.read(payload("okx_orders_pending_own.json"))


@pytest.mark.parametrize(
    ("type_", "side", "word", "currency"),
    [
        ("market", "buy", "quote_ccy", "quote"),
        ("market", "buy", "base_ccy", "base"),
        ("market", "buy", "", "quote"),
        ("market", "sell", "", "base"),
        ("market", "sell", "quote_ccy", "quote"),
        ("limit", "buy", "", "base"),
    ],
)
def test_sz_of_a_market_buy_is_in_quote_currency(type_: str, side: str, word: str, currency: str) -> None:
    assert ORDER.read_one(ordType=type_, side=side, tgtCcy=word)["size_currency"] == currency


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("filled", "filled"),
        ("canceled", "canceled"),
        ("mmp_canceled", "canceled"),
        ("partially_filled", "partially_filled"),
        ("live", "live"),
    ],
)
def test_states_of_orders(state: str, status: str) -> None:
    assert ORDER.read_one(state=state)["status"] == status


def test_an_unfilled_order_has_no_prices_and_no_fee() -> None:
    row = ORDER.read_one(
        px="", avgPx="0", accFillSz="0", fee="", feeCcy="", rebate="", rebateCcy="", clOrdId="mine"
    )
    assert (row["price"], row["average_price"], row["filled_size"]) == (None, None, Decimal(0))
    assert (row["fee"], row["fee_asset"], row["rebate"], row["rebate_asset"]) == (None, None, None, None)
    assert row["client_order_id"] == "mine"


def test_absent_text_fields_are_null() -> None:
    sample = {name: value for name, value in ORDER.sample.items() if name not in ("clOrdId", "rebate", "px")}
    (row,) = ORDER.read(envelope(sample)).rows.to_pylist()
    assert (row["client_order_id"], row["rebate"], row["price"]) == (None, None, None)


def test_a_paid_fee_is_negative_and_a_makers_rebate_positive() -> None:
    assert FILL.read_one(fee="-0.5")["fee"] == Decimal("-0.5")
    maker = FILL.read_one(fee="0.5", execType="M", feeCcy="USDT", side="sell")
    assert (maker["fee"], maker["liquidity"], maker["fee_asset"]) == (Decimal("0.5"), "maker", "USDT")


def test_a_block_trade_has_neither_order_nor_liquidity() -> None:
    row = FILL.read_one(ordId="", execType="", tradeId="-7")
    assert (row["order_id"], row["liquidity"], row["trade_id"]) == ("", None, "-7")


@pytest.mark.parametrize("state", ["0", "1", "8", "11", "12", "13", "14", "17", "99"])
def test_a_deposit_is_pending_unless_it_is_final(state: str) -> None:
    row = DEPOSIT.read_one(state=state)
    assert (row["status"], row["venue_status"]) == ("pending", state)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("2", "done"),
        ("-1", "failed"),
        ("-2", "failed"),
        ("-3", "pending"),
        ("0", "pending"),
        ("19", "pending"),
    ],
)
def test_states_of_withdrawals(state: str, status: str) -> None:
    row = WITHDRAWAL.read_one(state=state)
    assert (row["status"], row["venue_status"]) == (status, state)


def test_what_another_user_sent_is_a_deposit_off_chain() -> None:
    row = DEPOSIT.read_one(
        fromWdId="5", txId="1915737_3_0_0_asset", chain="", to="", **{"from": "a@b.example"}
    )
    assert (row["kind"], row["tx_id"], row["chain"]) == ("deposit", None, None)
    assert (row["from_place"], row["to_place"]) == ("a@b.example", None)


def test_what_another_user_got_is_a_withdrawal_off_chain() -> None:
    row = WITHDRAWAL.read_one(txId="", chain="", fee="0", to="a@b.example")
    assert (row["kind"], row["tx_id"], row["fee"]) == ("withdrawal", None, Decimal(0))


@pytest.mark.parametrize(
    ("type_", "change", "amount", "places"),
    [
        ("130", "2", "-2", ("trading", "funding")),
        ("131", "-2", "2", ("funding", "trading")),
        ("20", "-2", "-2", ("funding", "sub-account")),
        ("21", "2", "2", ("sub-account", "funding")),
        ("22", "-2", "-2", ("funding", "master account")),
        ("23", "2", "2", ("master account", "funding")),
    ],
)
def test_moves_between_own_wallets(type_: str, change: str, amount: str, places: tuple[str, str]) -> None:
    row = MOVE.read_one(type=type_, balChg=change)
    assert (row["amount"], (row["from_place"], row["to_place"])) == (Decimal(amount), places)
    assert (row["kind"], row["status"]) == ("internal", "done")


@pytest.mark.parametrize("type_", ["1", "2", "13", "48", "61", "132", "3"])
def test_bills_of_deposits_withdrawals_and_everything_else_are_no_moves(type_: str) -> None:
    assert MOVE.read(envelope(MOVE.sample | {"type": type_})).rows.num_rows == 0


NO_AMOUNTS = ["NaN", "inf", "-inf", "1e999", "x", "0.1.2", "1" * 21, "0." + "0" * 18 + "1"]
BAD_NUMBERS = [
    *((ORDER, field, text) for field in ("px", "sz", "accFillSz", "avgPx", "fee", "rebate")
      for text in NO_AMOUNTS),
    *((ORDER, field, "-1") for field in ("px", "sz", "accFillSz", "avgPx")),
    *((ORDER, "sz", text) for text in ("0", "")),
    (ORDER, "accFillSz", ""),
    *((FILL, field, text) for field in ("fillPx", "fillSz", "fee") for text in NO_AMOUNTS),
    *((FILL, field, text) for field in ("fillPx", "fillSz") for text in ("0", "-1", "")),
    *((kind, "amt", text) for kind in (DEPOSIT, WITHDRAWAL) for text in (*NO_AMOUNTS, "0", "-1", "")),
    *((WITHDRAWAL, "fee", text) for text in (*NO_AMOUNTS, "-1")),
    *((MOVE, "balChg", text) for text in (*NO_AMOUNTS, "0", "")),
    *((ORDER, "instId", text) for text in ("", "BTC", "btc-usdt", "BTC-USDT-SWAP")),
    (FILL, "instId", "BTC_USDT"),
    (ORDER, "ordType", ""),
    *((kind, "ccy", "") for kind in (DEPOSIT, WITHDRAWAL, MOVE)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "field", "text"), BAD_NUMBERS)
def test_nonsense_is_quarantined_and_its_neighbours_are_kept(kind: Kind, field: str, text: str) -> None:
    bad = kind.sample | {field: text, kind.fields.id: "99"}
    rows, (reject,) = kind.read(envelope(kind.sample | {kind.fields.id: "1"}, bad, kind.sample))
    assert rows.column(kind.table.key[-1]).to_pylist() == ["1", kind.sample[kind.fields.id]]
    time_ms = int(kind.sample[kind.fields.time])
    assert (reject.key, reject.span) == ("99", Span(time_ms, time_ms + 1))
    assert field in reject.reason
    assert "page" not in reject.reason
    assert orjson.loads(reject.payload) == bad


def test_the_first_of_several_reasons_is_told() -> None:
    _, (reject,) = FILL.read(envelope(FILL.sample | {"fillPx": "NaN", "fillSz": "-1"}))
    assert reject.reason == "fillPx 'NaN' is not a number in text"


def test_the_largest_and_smallest_amounts_are_exact() -> None:
    largest, smallest = "9" * 20 + "." + "9" * 18, "0." + "0" * 17 + "1"
    row = FILL.read_one(fillPx=largest, fillSz=smallest, fee="-1e-18")
    assert (row["price"], row["size"], row["fee"]) == (
        Decimal(largest), Decimal(smallest), Decimal("-1e-18"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (ORDER, {"side": "hold"}),
        (ORDER, {"side": ""}),
        (ORDER, {"state": "frozen"}),
        (ORDER, {"tgtCcy": "usd"}),
        (ORDER, {"instType": "MARGIN"}),
        (ORDER, {"uTime": ""}),
        (ORDER, {"cTime": "1"}),
        (ORDER, {"sz": 5}),
        (ORDER, {"px": None}),
        (ORDER, {"ordId": ""}),
        (ORDER, {"ordId": 7}),
        (FILL, {"side": "long"}),
        (FILL, {"execType": "X"}),
        (FILL, {"fillTime": ""}),
        (FILL, {"ts": "٣"}),
        (FILL, {"ts": "9" * 18}),
        (FILL, {"fee": 0.5}),
        (DEPOSIT, {"state": ""}),
        (DEPOSIT, {"state": "done"}),
        (DEPOSIT, {"state": "1.5"}),
        (DEPOSIT, {"fromWdId": None}),
        (WITHDRAWAL, {"state": "--2"}),
        (WITHDRAWAL, {"amt": ["1"]}),
        (MOVE, {"type": ""}),
        (MOVE, {"type": 130}),
        (MOVE, {"balChg": 2}),
    ],
)
def test_what_breaks_the_documentation_refuses_the_page(kind: Kind, changes: dict[str, Any]) -> None:
    with pytest.raises(VenueProtocolError, match=r"^page: ") as caught:
        kind.read(envelope(kind.sample, kind.sample | {kind.fields.id: "1"} | changes))
    assert len(str(caught.value)) < 400


@each_kind
def test_a_record_that_comes_twice_counts_once(kind: Kind) -> None:
    assert kind.read(envelope(kind.sample, kind.sample)).rows.num_rows == 1
    other = kind.sample | {"ccy": "XYZ", "side": "sell"}
    with pytest.raises(VenueProtocolError, match="two different records"):
        kind.read(envelope(kind.sample, other))


@each_kind
@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"code":"0","data":[NaN]}'])
def test_what_is_not_json_is_refused(kind: Kind, body: bytes) -> None:
    with pytest.raises(VenueProtocolError):
        kind.read(body)


@each_kind
def test_an_empty_page_is_an_empty_table(kind: Kind) -> None:
    rows, rejected = kind.read(envelope())
    assert (rows.num_rows, rows.schema.equals(kind.table.schema), rejected) == (0, True, [])


def test_the_tables_are_those_of_the_catalog() -> None:
    assert {kind.table.name for kind in KINDS} <= {table.name for table in TABLE_OF.values()}


def check_any(kind: Kind, body: bytes) -> None:
    """Rows and rejects that add up, or the one error."""
    try:
        rows, rejected = kind.read(body)
    except VenueProtocolError as error:
        assert len(str(error)) < 2_000
        return
    assert all(reject.reason and orjson.loads(reject.payload) for reject in rejected)
    records = {record[kind.fields.id] for record in orjson.loads(body)["data"]}
    told = rows.column(kind.table.key[-1]).to_pylist() + [reject.key for reject in rejected]
    if kind is not MOVE:
        assert sorted(told) == sorted(records)


@each_kind
@given(data=ANY_JSON, is_enveloped=st.booleans())
def test_any_json_is_refused_or_read(kind: Kind, data: Any, is_enveloped: bool) -> None:  # noqa: ANN401
    check_any(kind, orjson.dumps({"code": "0", "msg": "", "data": data} if is_enveloped else data))


@each_kind
@settings(max_examples=50)
@given(data=st.data())
def test_damaged_pages_are_refused_or_read(kind: Kind, data: st.DataObject) -> None:
    wholes = [kind.sample, kind.sample | {kind.fields.id: "2"}, kind.sample | {kind.fields.id: "3"}]
    check_any(kind, envelope(*data.draw(damaged(*wholes))))


@each_kind
@settings(max_examples=30)
@given(texts=st.lists(st.decimals(allow_nan=True, allow_infinity=True).map(str) | st.text(max_size=6)))
def test_any_number_is_exact_or_rejected(kind: Kind, texts: list[str]) -> None:
    field, column = {
        "ordId": ("sz", "size"), "billId": ("balChg", "amount"), "depId": ("amt", "amount"),
        "wdId": ("amt", "amount"),
    }[kind.fields.id] if kind is not FILL else ("fillSz", "size")  # fmt: skip
    records = [kind.sample | {kind.fields.id: str(at), field: text} for at, text in enumerate(texts)]
    rows, rejected = kind.read(envelope(*records))
    assert len(rows) + len(rejected) == len(texts)
    for key, amount in zip(
        rows.column(kind.table.key[-1]).to_pylist(), rows.column(column).to_pylist(), strict=True
    ):
        assert abs(amount) == abs(Decimal(texts[int(key)]))


@pytest.mark.parametrize("depth", [300, 1_000])
def test_a_deep_value_in_an_unused_field_is_no_harm(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    body = envelope(FILL.sample | {"extra": "@", "fillSz": "NaN"}).replace(b'"@"', deep)
    doubled = body.replace(b'"data":[', b'"data":[' + body[body.index(b'"data":[') + 8 : -2] + b",")
    for page in (body, doubled):
        rows, (reject,) = FILL.read(page)
        assert rows.num_rows == 0
        assert orjson.loads(reject.payload)["fillSz"] == "NaN"
