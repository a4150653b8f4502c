"""OKX's balances and rights give exact values; anything else gives one error."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Account
from markethub.domain.times import from_ms
from markethub.ports.venue import KeyRights
from markethub.tables.balances import BALANCES
from markethub.venues.okx.account_parse import parse_funding_balances, parse_rights, parse_trading_balances
from tests.odd_json import ANY_JSON, damaged

Payload = Callable[[str], bytes]
Parse = Callable[[bytes, Account, int], pa.Table]

MM01 = Account("OKX", "MM01")
NOW = 1_700_000_000_000


def envelope(data: object) -> bytes:
    return orjson.dumps({"code": "0", "msg": "", "data": data})


def detail(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "ccy": "BTC", "cashBal": "1.5", "availBal": "1.25", "frozenBal": "0.25", "eq": "1.75", "availEq": "",
        "uTime": "1738924415308",
    } | changes  # fmt: skip


def coin(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"ccy": "USDT", "bal": "30", "availBal": "25", "frozenBal": "5"} | changes


def trading(*details: object) -> list[dict[str, Any]]:
    return rows_of(parse_trading_balances(envelope([{"details": list(details), "uTime": "1"}]), MM01, NOW))


def funding(*coins: object) -> list[dict[str, Any]]:
    return rows_of(parse_funding_balances(envelope(list(coins)), MM01, NOW))


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    assert table.schema.equals(BALANCES.schema)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_the_trading_account(payload: Payload) -> None:
    rows = rows_of(parse_trading_balances(payload("okx_account_balance_own.json"), MM01, NOW))
    assert rows[0] == {
        "account": "OKX_MM01", "wallet": "trading", "asset": "SOL", "time": from_ms(NOW),
        "free": Decimal("731.4408150962"), "locked": Decimal(0), "total": Decimal("731.4408150962"),
        "updated_time": from_ms(1_738_924_415_308),
    }  # fmt: skip
    assert [(row["asset"], row["free"], row["locked"], row["total"]) for row in rows[1:]] == [
        ("ETH", Decimal("3.125000000000000017"), Decimal("1.125"), Decimal("4.250000000000000017")),
        # These do not add up: it is the venue that says a total, not we.
        ("USDT", Decimal("0.00000031977"), Decimal("18.5"), Decimal("0.00000031977")),
        ("USDC", Decimal(0), Decimal(0), Decimal("-120.75")),
    ], "and no LTC, of which there is none"


def test_the_funding_account(payload: Payload) -> None:
    rows = rows_of(parse_funding_balances(payload("okx_asset_balances_own.json"), MM01, NOW))
    assert rows == [
        {
            "account": "OKX_MM01",
            "wallet": "funding",
            "asset": asset,
            "time": from_ms(NOW),
            "free": Decimal(free),
            "locked": Decimal(locked),
            "total": Decimal(total),
            "updated_time": None,
        }
        for asset, free, locked, total in (
            ("USDT", "3728.57352918", "12.5", "3741.07352918"),
            ("ETH", "0.000000000000412093", "0", "0.000000000000412093"),
            ("PEPE", "88000000.5", "0", "88000000.5"),
        )
    ]


def test_the_total_is_the_coins_not_the_equity() -> None:
    (row,) = trading(detail())
    assert (row["free"], row["locked"], row["total"]) == (Decimal("1.25"), Decimal("0.25"), Decimal("1.5"))


def test_borrowed_coins_are_a_total_below_zero() -> None:
    (row,) = trading(detail(cashBal="-2", availBal="0", frozenBal="0"))
    assert row["total"] == Decimal(-2)


def test_eighteen_decimals_and_twenty_digits_stay_exact() -> None:
    most, least = "99999999999999999999.999999999999999999", "0.000000000000000001"
    rows = funding(coin(bal=most, availBal=most, frozenBal=least))
    assert [(row["total"], row["locked"]) for row in rows] == [(Decimal(most), Decimal(least))]
    for text in ("0.0000000000000000001", "100000000000000000000"):
        with pytest.raises(VenueProtocolError, match=r"asset/balances of OKX_MM01: bal .* digits"):
            funding(coin(bal=text))


def test_an_empty_account_has_no_rows_in_either_wallet() -> None:
    assert trading() == []
    assert funding() == []


def test_zero_balances_are_left_out() -> None:
    zero = {"bal": "0", "availBal": "0", "frozenBal": "0.0"}
    assert funding(coin(**zero), coin(ccy="BTC")) == funding(coin(ccy="BTC"))
    assert trading(detail(cashBal="0", availBal="0", frozenBal="0")) == []
    for name in ("cashBal", "availBal", "frozenBal"):
        assert len(trading(detail(cashBal="0", availBal="0", frozenBal="0") | {name: "1"})) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"cashBal": ""},
        {"availBal": ""},
        {"frozenBal": None},
        {"cashBal": 1.5},
        {"cashBal": "NaN"},
        {"cashBal": "1e"},
        {"ccy": ""},
        {"ccy": None},
        {"ccy": ["BTC"]},
        {"uTime": "x"},
        {"uTime": "1"},
        {"uTime": 1_738_924_415_308},
    ],
)
def test_nonsense_in_the_trading_account_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(VenueProtocolError, match="account/balance of OKX_MM01"):
        trading(detail(ccy="ETH"), detail(**changes))


def test_no_time_of_the_last_change_is_null() -> None:
    assert trading(detail(uTime=""))[0]["updated_time"] is None


def test_one_asset_twice_is_refused() -> None:
    with pytest.raises(VenueProtocolError, match="more than once"):
        trading(detail(), detail(cashBal="2"))


@pytest.mark.parametrize("data", [[], [{}], [{"details": {}}], [{"details": []}, {"details": []}], ["x"]])
def test_no_account_at_all_is_not_taken_for_an_empty_one(data: list[Any]) -> None:
    with pytest.raises(VenueProtocolError, match="details"):
        parse_trading_balances(envelope(data), MM01, NOW)


@pytest.mark.parametrize(
    ("config", "rights"),
    [
        ({"perm": "read_only", "ip": ""}, KeyRights(True, False, False, False)),
        ({"perm": "read_only,trade", "ip": "192.0.2.1"}, KeyRights(True, True, False, True)),
        ({"perm": "read_only,withdraw,trade", "ip": "192.0.2.1,::1"}, KeyRights(True, True, True, True)),
        ({"perm": "read_only, withdraw"}, KeyRights(True, False, True, None)),
        ({"perm": "", "ip": None}, KeyRights(False, False, False, None)),
    ],
)
def test_rights(config: dict[str, Any], rights: KeyRights) -> None:
    assert parse_rights(envelope([{"uid": "1"} | config])) == rights


@pytest.mark.parametrize("data", [[], [{}], [{"perm": None}], [{"perm": ["trade"]}], "trade", [[]]])
def test_rights_of_an_odd_shape_are_refused(data: object) -> None:
    with pytest.raises(VenueProtocolError, match="account/config"):
        parse_rights(envelope(data))


def _rows_or_one_error(parse: Callable[[], pa.Table]) -> None:
    try:
        table = parse()
    except VenueProtocolError as error:
        assert len(str(error)) < 1000
    else:
        table.validate(full=True)


@given(ANY_JSON.map(orjson.dumps) | ANY_JSON.map(envelope) | st.binary(max_size=30))
def test_any_answer_gives_balances_or_one_error(body: bytes) -> None:
    _rows_or_one_error(lambda: parse_trading_balances(body, MM01, NOW))
    _rows_or_one_error(lambda: parse_funding_balances(body, MM01, NOW))
    with suppress(VenueProtocolError):
        parse_rights(body)


@given(damaged(detail()), damaged(coin()))
def test_damaged_balances_give_rows_or_one_error(details: list[Any], coins: list[Any]) -> None:
    _rows_or_one_error(lambda: parse_trading_balances(envelope([{"details": details}]), MM01, NOW))
    _rows_or_one_error(lambda: parse_funding_balances(envelope(coins), MM01, NOW))
