"""Balances are exact to the last digit; anything that is not an account gives one error."""

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
from markethub.domain.symbol import Account
from markethub.ports.venue import KeyRights
from markethub.tables.balances import BALANCES
from markethub.venues.binance.account_parse import parse_funding_wallet, parse_rights, parse_spot_wallet

Payload = Callable[[str], bytes]

MM01 = Account("BNC", "MM01")
NOW = 1_700_000_000_000
UPDATED = 1_517_434_535_027


def spot(document: object) -> pa.Table:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return parse_spot_wallet(body, MM01, NOW, "BNC spot")


def funding(document: object) -> pa.Table:
    return parse_funding_wallet(orjson.dumps(document), MM01, NOW, "BNC funding")


def account(*balances: object, **changes: object) -> dict[str, object]:
    return {"accountType": "SPOT", "balances": list(balances), "updateTime": UPDATED} | changes


def held(asset: str = "BTC", free: object = "1.50000000", locked: object = "0.25000000") -> dict[str, object]:
    return {"asset": asset, "free": free, "locked": locked}


def test_the_recorded_account_of_170_empty_assets_has_no_rows(payload: Payload) -> None:
    rows = spot(payload("binance_account_1.json.gz"))
    assert rows.schema.equals(BALANCES.schema)
    assert len(rows) == 0


def test_the_recorded_account_with_money_in_it(payload: Payload) -> None:
    recorded = orjson.loads(payload("binance_account_1.json.gz"))
    recorded["balances"][0] |= {"free": "4723846.89208129", "locked": "0.00000001"}
    (row,) = spot(recorded).to_pylist()
    times = [row.pop(name).timestamp() * 1000 for name in ("time", "updated_time")]
    assert times == [NOW, UPDATED]
    assert row == {
        "account": "BNC_MM01", "wallet": "trading", "asset": "BTC", "free": Decimal("4723846.89208129"),
        "locked": Decimal("0.00000001"), "total": Decimal("4723846.89208130"),
    }  # fmt: skip


def test_amounts_never_pass_through_a_float() -> None:
    free, locked = "98765432109876543210.123456789012345678", "0.000000000000000001"
    (row,) = spot(account(held("PEPE", free, locked))).to_pylist()
    assert str(row["free"]) == free
    assert str(row["total"]) == "98765432109876543210.123456789012345679"


def test_an_empty_account() -> None:
    assert len(spot(account(updateTime=0))) == 0
    assert len(funding([])) == 0


def test_an_account_that_never_changed_tells_no_time() -> None:
    assert spot(account(held(), updateTime=0))["updated_time"].to_pylist() == [None]


def test_the_documented_funding_wallet() -> None:
    # Source: "Funding Wallet" of the Wallet pages.
    documented = {
        "asset": "USDT", "free": "1", "locked": "0", "freeze": "0", "withdrawing": "0",
        "btcValuation": "0.00000091",
    }  # fmt: skip
    (row,) = funding([documented]).to_pylist()
    assert (row["wallet"], row["asset"], row["free"], row["total"]) == ("funding", "USDT", 1, 1)
    assert row["updated_time"] is None


def asset(**changes: object) -> dict[str, object]:
    return {"asset": "BTC", "free": "1", "locked": "0.1", "freeze": "0.02", "withdrawing": "0.003"} | changes


def test_what_is_frozen_or_being_withdrawn_is_locked_and_still_counts() -> None:
    (row,) = funding([asset()]).to_pylist()
    assert (row["free"], row["locked"], row["total"]) == (1, Decimal("0.123"), Decimal("1.123"))


@pytest.mark.parametrize(
    "document",
    [
        account(held(), held()),
        account(held(free=1.5)),
        account(held(free=None)),
        account(held(free="")),
        account(held(free="NaN")),
        account(held(free="Infinity")),
        account(held(free="-1")),
        account(held(locked="-0.00000001")),
        account(held(free="1e-19")),
        account(held(free="1" + "0" * 20)),
        account(held(free="9" * 20, locked="9" * 20)),
        account({"asset": "BTC", "free": "1"}),
        account(held(asset="")),
        account({"free": "1", "locked": "1"}),
        account(None),
        account(held(), updateTime=str(UPDATED)),
        account(held(), updateTime=UPDATED // 1000),
        account(held(), updateTime=False),
        account(held(), updateTime=True),
        {"balances": {}, "updateTime": UPDATED},
        [],
        None,
        b"<html>",
    ],
)
def test_what_is_not_an_account_is_refused(document: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^BNC spot: "):
        spot(document)


@pytest.mark.parametrize(
    "document",
    [{}, None, [None], [asset(), asset()], [asset(freeze=None)], [asset(withdrawing="-1")], [held()]],
)
def test_what_is_not_a_funding_wallet_is_refused(document: object) -> None:
    with pytest.raises(VenueProtocolError, match=r"^BNC funding: "):
        funding(document)


# Source: "Get API Key Permission" of the Wallet pages.
RIGHTS = {
    "ipRestrict": False, "createTime": 1_698_645_219_000, "enableInternalTransfer": False,
    "enableFutures": False, "enablePortfolioMarginTrading": False, "enableVanillaOptions": False,
    "permitsUniversalTransfer": False, "enableReading": True, "enableSpotAndMarginTrading": False,
    "enableWithdrawals": False, "enableMargin": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "rights"),
    [
        ({}, KeyRights(can_read=True, can_trade=False, can_withdraw=False, is_ip_bound=False)),
        (
            {"enableWithdrawals": True, "ipRestrict": True},
            KeyRights(can_read=True, can_trade=False, can_withdraw=True, is_ip_bound=True),
        ),
        ({"enableFutures": True}, KeyRights(True, True, False, False)),
        ({"enableSpotAndMarginTrading": True}, KeyRights(True, True, False, False)),
    ],
)
def test_rights(changes: dict[str, bool], rights: KeyRights) -> None:
    assert parse_rights(orjson.dumps(RIGHTS | changes)) == rights


def test_a_right_that_is_not_told_is_unknown() -> None:
    assert parse_rights(b'{"ipRestrict":true}') == KeyRights(None, None, None, True)


@pytest.mark.parametrize(
    "document", [{}, [], None, {"ipRestrict": 1}, {"ipRestrict": True, "enableWithdrawals": "false"}]
)
def test_rights_that_make_no_sense_are_refused(document: object) -> None:
    with pytest.raises(VenueProtocolError, match="key permissions"):
        parse_rights(orjson.dumps(document))


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

amounts = st.sampled_from(["0", "1", "0.00000001", "-1", "NaN", "", "1e30", "1e-30", "9" * 25]) | st.decimals(
    allow_nan=False, allow_infinity=False
).map(str)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | amounts
json = st.recursive(
    scalars | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def balances(draw: st.DrawFn) -> list[Any]:
    """Balances like real ones, of which a few fields were replaced or removed."""
    sound = st.builds(asset, asset=st.sampled_from(["BTC", "ETH", "BNB"]), free=amounts)
    rows: list[Any] = copy.deepcopy(draw(st.lists(sound, max_size=4)))
    for row in rows:
        if draw(st.integers(0, 3)) == 0:
            name = draw(st.sampled_from(sorted(row)))
            if draw(st.booleans()):
                row[name] = draw(json)
            else:
                del row[name]
    return rows


@unhurried
@given(json | st.builds(lambda rows, time: {"balances": rows, "updateTime": time}, balances(), scalars))
def test_any_account_gives_rows_or_one_error(document: object) -> None:
    check_rows_or_one_error(lambda: spot(document))


@unhurried
@given(json | balances())
def test_any_funding_wallet_gives_rows_or_one_error(document: object) -> None:
    check_rows_or_one_error(lambda: funding(document))


@unhurried
@given(json | st.dictionaries(st.sampled_from(sorted(RIGHTS)), st.booleans() | json))
def test_any_rights_give_a_value_or_one_error(document: object) -> None:
    try:
        rights = parse_rights(orjson.dumps(document))
    except VenueProtocolError:
        return
    assert {rights.can_read, rights.can_trade, rights.can_withdraw, rights.is_ip_bound} <= {True, False, None}


def check_rows_or_one_error(read: Callable[[], pa.Table]) -> None:
    try:
        rows = read()
    except VenueProtocolError:
        return
    assert rows.schema.equals(BALANCES.schema)
    for row in rows.to_pylist():
        assert row["free"] >= 0
        assert row["locked"] >= 0
        assert row["total"] == row["free"] + row["locked"] > 0
