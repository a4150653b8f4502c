"""ccxt reads OKX's answers too; wherever both tell something, they tell the same."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import ccxt
import orjson
import pytest

from markethub.domain.errors import VenueProtocolError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.domain.times import from_ms
from markethub.venues.okx.account_parse import parse_funding_balances, parse_trading_balances
from markethub.venues.okx.market_parse import parse_listing, parse_orderbook, parse_tickers
from markethub.venues.okx.parse import parse_candles
from tests.okx_ledger_kinds import DEPOSIT, FILL, MM01, MOVE, ORDER, WITHDRAWAL, Kind, envelope

Payload = Callable[[str], bytes]

HOUR = 3_600_000
NOW = 1_700_000_000_000
ANY_SPAN = Span(0, 4_000_000_000_000)
PAIRS = ("BTC-USDT", "ETH-USDC", "SOL-USDT", "USDC-USDT", "DOGE-USDT", "BTC-USD-SPOT", "LTC-USD-SPOT")


@pytest.fixture(scope="module")
def other() -> ccxt.okx:
    """ccxt's reader with the markets of the payloads; it never opens a connection here."""
    exchange = ccxt.okx()
    contract = {"instType": "SWAP", "instId": "ETH-USDT-SWAP", "settleCcy": "USDT", "ctType": "linear",
                "ctVal": "0.1", "ctMult": "1", "uly": "ETH-USDT", "state": "live"}  # fmt: skip
    entries = [{"instType": "SPOT", "instId": name, "baseCcy": name.split("-")[0],
                "quoteCcy": name.split("-")[1], "state": "live"} for name in PAIRS]  # fmt: skip
    exchange.set_markets([exchange.parse_market(entry) for entry in [*entries, contract]])
    return exchange


def entries_of(body: bytes) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = orjson.loads(body)["data"]
    return entries


def when(time_ms: float) -> datetime:
    return from_ms(int(time_ms))


@pytest.mark.parametrize("name", ["okx_candles_1.json", "okx_candles_3.json"])
def test_candles(other: ccxt.okx, payload: Payload, name: str) -> None:
    body = payload(name)
    bars = parse_candles(body, Interval.H1, ANY_SPAN, "page").confirmed.bars
    # For spot its volume is the one in the base currency, and it does not look at confirm.
    theirs = [other.parse_ohlcv(cells) for cells in reversed(entries_of(body)) if cells[-1] == "1"]
    columns = [bars["open_time"].cast("int64")]
    columns += [bars[column] for column in ("open", "high", "low", "close", "volume")]
    assert [list(row) for row in zip(*(column.to_pylist() for column in columns), strict=True)] == theirs
    assert theirs


def test_candles_of_the_documentation(other: ccxt.okx, payload: Payload) -> None:
    body = payload("okx_history_candles_4.json")
    times = [other.parse_ohlcv(cells)[0] for cells in entries_of(body)]
    assert len(times) > len(set(times)), "one time twice"
    assert times[0] % Interval.M1.width_ms, "and on no grid"
    with pytest.raises(VenueProtocolError, match="grid"):
        parse_candles(body, Interval.M1, ANY_SPAN, "page")


def test_instruments(payload: Payload) -> None:
    body = payload("okx_instruments_spot_1.json.gz")
    rows = {row["venue_name"]: row for row in parse_listing(body).to_pylist()}
    other = ccxt.okx()
    for entry in entries_of(body):
        market, row = other.parse_market(entry), rows.pop(entry["instId"])
        assert (market["base"], market["quote"]) == (
            other.safe_currency_code(row["base"]),
            other.safe_currency_code(row["quote"]),
        )
        assert market["active"] == (row["status"] == "trading")
        assert float(row["tick_size"]) == market["precision"]["price"]
        assert float(row["lot_size"]) == market["precision"]["amount"]
        assert float(row["min_size"]) == market["limits"]["amount"]["min"]
        assert row["listed_time"] == from_ms(market["created"])
    assert rows == {}


def test_tickers(other: ccxt.okx, payload: Payload) -> None:
    # The recorded two are of swaps.
    recorded = entries_of(payload("okx_tickers_1.json").replace(b"SWAP", b"SPOT"))
    ordinary = recorded[0] | {
        "instId": "BTC-USDT", "last": "43000.1", "askPx": "43000.2", "askSz": "1.5", "bidPx": "43000",
        "bidSz": "2.5", "open24h": "42000", "high24h": "43500.5", "low24h": "41000",
        "volCcy24h": "43000000", "vol24h": "1000", "ts": "1700000000123",
    }  # fmt: skip
    wanted = {"BTC-USD-SPOT": Symbol.parse("BTC_USD.OKX"), "LTC-USD-SPOT": Symbol.parse("LTC_USD.OKX"),
              "BTC-USDT": Symbol.parse("BTC_USDT.OKX")}  # fmt: skip
    entries = [*recorded, ordinary]
    rows = {row["symbol"]: row for row in parse_tickers(envelope(*entries), wanted, "page").to_pylist()}
    names = {
        "last": "last", "bid": "bid", "bidVolume": "bid_size", "ask": "ask", "askVolume": "ask_size",
        "open": "open_24h", "high": "high_24h", "low": "low_24h", "baseVolume": "volume_24h",
        "quoteVolume": "quote_volume_24h",
    }  # fmt: skip
    for entry in entries:
        theirs = other.parse_ticker(entry)
        ours = rows[str(wanted[entry["instId"]])]
        assert {name: theirs[name] for name in names} == {name: ours[to] for name, to in names.items()}
        assert from_ms(theirs["timestamp"]) == ours["time"]


@pytest.mark.parametrize("extra", [{}, {"seqId": 7, "bids": [["10", "1", "0", "2"], ["9.5", "2", "0", "1"]]}])
def test_order_books(other: ccxt.okx, payload: Payload, extra: dict[str, Any]) -> None:
    (recorded,) = entries_of(payload("okx_books_2.json"))
    entry = recorded | extra
    theirs = other.parse_order_book(entry, "BTC/USDT", int(entry["ts"]))
    (ours,) = parse_orderbook(envelope(entry), Symbol.parse("BTC_USDT.OKX"), 400, 4, "page").to_pylist()
    for side in ("bid", "ask"):
        levels = zip(ours[f"{side}_prices"], ours[f"{side}_sizes"], strict=True)
        assert [level[:2] for level in theirs[f"{side}s"]] == [list(level) for level in levels]
    assert when(theirs["timestamp"]) == ours["time"]


def test_funding_balances(other: ccxt.okx, payload: Payload) -> None:
    body = payload("okx_asset_balances_own.json")
    theirs = other.parse_funding_balance(orjson.loads(body))
    rows = parse_funding_balances(body, MM01, NOW).to_pylist()
    assert {row["asset"] for row in rows} == {asset for asset, total in theirs["total"].items() if total}
    for row in rows:
        ours = {"free": row["free"], "used": row["locked"], "total": row["total"]}
        assert theirs[row["asset"]] == {name: float(amount) for name, amount in ours.items()}


def test_trading_balances(other: ccxt.okx, payload: Payload) -> None:
    body = payload("okx_account_balance_own.json")
    theirs = other.parse_trading_balance(orjson.loads(body))
    rows = parse_trading_balances(body, MM01, NOW).to_pylist()
    assert {row["asset"] for row in rows} == {asset for asset, total in theirs["total"].items() if total}
    for row in rows:
        account = theirs[row["asset"]]
        assert account["free"] == float(row["free"])
        assert account["total"] == float(row["total"])
        # It works out what is frozen, which the venue tells.
        if row["free"] + row["locked"] == row["total"]:
            assert account["used"] == float(row["locked"])


@pytest.mark.parametrize("name", ["okx_orders_history_2.json", "okx_orders_history_archive_own.json"])
def test_orders(other: ccxt.okx, payload: Payload, name: str) -> None:
    body = payload(name)
    for ours, raw in zip(ORDER.read(body).rows.to_pylist(), entries_of(body), strict=True):
        order = other.parse_order(raw)
        assert f"{order['symbol'].replace('/', '_')}.OKX" == ours["symbol"]
        assert (order["id"], order["clientOrderId"]) == (ours["order_id"], ours["client_order_id"])
        assert order["side"] == ours["side"]
        # An order that only makes is a flag of a limit order there.
        assert (order["type"], order["postOnly"]) == {
            "post_only": ("limit", True),
            "limit": ("limit", None),
            "market": ("market", None),
        }[ours["type"]]
        assert order["status"] == {"filled": "closed", "canceled": "canceled"}[ours["status"]]
        assert when(order["timestamp"]) == ours["created_time"]
        assert when(order["lastUpdateTimestamp"]) == ours["updated_time"]
        assert order["filled"] == float(ours["filled_size"])
        assert order["average"] == float(ours["average_price"])
        assert order["fee"] == {"cost": -float(ours["fee"]), "currency": ours["fee_asset"]}
        if ours["size_currency"] == "base":
            assert order["amount"] == float(ours["size"])
        else:
            assert order["cost"] == float(ours["size"])
        if ours["price"] is not None:
            assert order["price"] == float(ours["price"])


def test_the_order_of_a_contract(other: ccxt.okx, payload: Payload) -> None:
    body = payload("okx_orders_pending_own.json")
    (raw,) = entries_of(body)
    assert other.market(other.parse_order(raw)["symbol"])["contract"]
    with pytest.raises(VenueProtocolError, match="instType"):
        ORDER.read(body)


def test_fills_but_for_their_time(other: ccxt.okx, payload: Payload) -> None:
    body = payload("okx_fills_history_own.json")
    for ours, raw in zip(FILL.read(body).rows.to_pylist(), entries_of(body), strict=True):
        trade = other.parse_trade(raw)
        assert f"{trade['symbol'].replace('/', '_')}.OKX" == ours["symbol"]
        assert (trade["id"], trade["order"]) == (ours["trade_id"], ours["order_id"])
        assert trade["side"] == ours["side"]
        assert (trade["price"], trade["amount"]) == (float(ours["price"]), float(ours["size"]))
        assert trade["takerOrMaker"] == ours["liquidity"]
        assert trade["fee"] == {"cost": -float(ours["fee"]), "currency": ours["fee_asset"]}
        # It takes the time of the booking for that of the trade.
        assert when(trade["timestamp"]) == ours["recorded_time"] != ours["time"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(DEPOSIT, "okx_deposit_history_own.json"), (WITHDRAWAL, "okx_withdrawal_history_own.json")],
    ids=["deposits", "withdrawals"],
)
def test_transfers(other: ccxt.okx, payload: Payload, kind: Kind, name: str) -> None:
    records = entries_of(payload(name))
    records[0][kind.fields.id] = "1"  # two withdrawals have one id there, on purpose
    for ours, raw in zip(kind.read(envelope(*records)).rows.to_pylist(), records, strict=True):
        theirs = other.parse_transaction(raw)
        assert (theirs["type"], theirs["id"]) == (ours["kind"], ours["transfer_id"])
        # A number of another user's withdrawal is no hash, though it takes it for one.
        assert theirs["txid"] == (ours["tx_id"] or raw["txId"] or None)
        assert theirs["amount"] == float(abs(ours["amount"]))
        assert theirs["currency"] == ours["asset"]
        assert ours["status"] == {"ok": "done", "pending": "pending", "canceled": "failed"}[theirs["status"]]
        assert (theirs["addressFrom"], theirs["addressTo"]) == (ours["from_place"], ours["to_place"])
        assert when(theirs["timestamp"]) == ours["time"]
        assert theirs["fee"]["cost"] == -float(ours["fee"] or 0)


def test_asset_bills(other: ccxt.okx, payload: Payload) -> None:
    body = payload("okx_asset_bills_1.json")
    (recorded,) = entries_of(body)
    assert MOVE.read(body).rows.num_rows == 0, "a deposit"
    # As if those coins had come from the trading wallet.
    move = recorded | {"type": "131"}
    entry = other.parse_ledger_entry(move)
    (ours,) = MOVE.read(envelope(move)).rows.to_pylist()
    assert (entry["id"], entry["currency"]) == (ours["transfer_id"], ours["asset"])
    # It tells what the funding wallet gained, which the trading wallet lost.
    assert (entry["direction"], entry["amount"]) == ("in", -float(ours["amount"]))
    assert when(entry["timestamp"]) == ours["time"]
