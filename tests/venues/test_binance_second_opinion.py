"""ccxt reads the recorded answers too; wherever both tell something, they tell the same."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import orjson
import pyarrow as pa
import pytest

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Account, Series, Symbol
from markethub.domain.times import parse_time
from markethub.ports.keys import ApiKey
from markethub.venues.binance.account_parse import parse_funding_wallet, parse_spot_wallet
from markethub.venues.binance.archive_files import list_files
from markethub.venues.binance.archive_parse import read_archive
from markethub.venues.binance.market_parse import parse_orderbook, parse_tickers, tabulate_listing
from markethub.venues.binance.parse import parse_exchange_info, parse_klines
from markethub.venues.binance.signing import BinanceSigner
from markethub.venues.transport.request import Question
from markethub.venues.transport.server_clock import ServerClock

Payload = Callable[[str], bytes]

MM01 = Account("BNC", "MM01")
NOW = 1_700_000_000_000


@pytest.fixture(scope="module")
def other() -> ccxt.binance:
    """ccxt's reader; it never opens a connection here."""
    return ccxt.binance({"options": {"crossMarginPairsData": [], "isolatedMarginPairsData": []}})


@pytest.mark.parametrize(
    ("name", "interval", "start_ms"),
    [
        ("binance_klines_1.json.gz", Interval.H1, 1_588_280_400_000),
        ("binance_klines_2.json.gz", Interval.D1, 1_546_300_800_000),
        ("binance_klines_3.json", Interval.M5, 1_586_987_400_000),
        ("binance_klines_4.json", Interval.D1, 1_672_531_200_000),
    ],
)
def test_klines(other: ccxt.binance, payload: Payload, name: str, interval: Interval, start_ms: int) -> None:
    body = payload(name)
    span = Span(start_ms, start_ms + 1000 * interval.width_ms)
    bars = parse_klines(body, interval, span, name).bars
    assert rows_of(bars) == [other.parse_ohlcv(row) for row in orjson.loads(body)]


@pytest.mark.parametrize(
    ("name", "per_ms"), [("BTCUSDT-1h-2024-12.csv", 1), ("BTCUSDT-1h-2025-01.csv", 1000)]
)
def test_archived_klines(other: ccxt.binance, payload: Payload, name: str, per_ms: int) -> None:
    # It reads no archives, but their lines are rows of the other endpoint, later ones in microseconds.
    text = payload(name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    zipped = packed.getvalue()
    start_ms = parse_time(f"{name.removesuffix('.csv')[-7:]}-01")
    (file,) = list_files(Series.parse("BTC_USDT.BNC 1h"), Span(start_ms, start_ms + 1), NOW * 2)
    told = f"{hashlib.sha256(zipped).hexdigest()}  {name.removesuffix('.csv')}.zip\n".encode()
    bars = read_archive(file, zipped, told).bars
    theirs = [other.parse_ohlcv(line.split(",")) for line in text.decode().splitlines()]
    assert rows_of(bars) == [[row[0] // per_ms, *row[1:]] for row in theirs]


def rows_of(bars: pa.Table) -> list[list[Any]]:
    columns = [bars["open_time"].cast("int64")]
    columns += [bars[name] for name in ("open", "high", "low", "close", "volume")]
    return [list(row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]


def exact(number: float | None) -> Decimal | None:
    return None if number is None or number == 0 else Decimal(repr(number))


@pytest.mark.parametrize("name", ["binance_exchangeInfo_1.json.gz", "binance_exchangeInfo_3.json"])
def test_markets(other: ccxt.binance, payload: Payload, name: str) -> None:
    body = payload(name)
    ours = {row["venue_name"]: row for row in listing_of(body)}
    theirs = [other.parse_market(entry) for entry in orjson.loads(body)["symbols"]]
    assert len(ours) == len(theirs)
    for market in theirs:
        row = ours[market["id"]]
        assert (row["base"], row["quote"]) == (market["baseId"], market["quoteId"])
        assert (row["status"] == "trading") == market["active"]
        assert row["tick_size"] == exact(market["precision"]["price"])
        assert row["lot_size"] == exact(market["precision"]["amount"])
        assert row["min_size"] == exact(market["limits"]["amount"]["min"])
        assert row["min_notional"] == exact(market["limits"]["cost"]["min"])


def listing_of(body: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tabulate_listing(parse_exchange_info(body).entries, "listing").to_pylist()
    return rows


def tickers_of(payload: Payload, name: str) -> list[dict[str, Any]]:
    document = orjson.loads(payload(name))
    return document if isinstance(document, list) else [document]


@pytest.mark.parametrize("name", ["binance_ticker24hr_1.json", "binance_ticker24hr_2.json"])
def test_tickers(other: ccxt.binance, payload: Payload, name: str) -> None:
    entries = tickers_of(payload, name)
    # Only the names matter here, and the recorded six are not split by anything.
    wanted = {
        entry["symbol"]: Symbol("BNC", f"{entry['symbol'][:3]}_{entry['symbol'][3:]}") for entry in entries
    }
    ours = parse_tickers(orjson.dumps(entries), wanted, name)
    for row, time_ms, entry in zip(
        ours.to_pylist(), ours["time"].cast("int64").to_pylist(), entries, strict=True
    ):
        theirs = other.parse_ticker(entry)
        assert time_ms == theirs["timestamp"]
        pairs = {
            "last": "last", "bid": "bid", "bid_size": "bidVolume", "ask": "ask", "ask_size": "askVolume",
            "open_24h": "open", "high_24h": "high", "low_24h": "low", "volume_24h": "baseVolume",
            "quote_volume_24h": "quoteVolume",
        }  # fmt: skip
        assert {mine: row[mine] for mine in pairs} == {mine: theirs[yours] for mine, yours in pairs.items()}


@pytest.mark.parametrize("name", ["binance_depth_1.json.gz", "binance_depth_4.json"])
def test_order_books(other: ccxt.binance, payload: Payload, name: str) -> None:
    body = payload(name)
    (row,) = parse_orderbook(body, Symbol.parse("X_Y.BNC"), 1000, NOW, name).to_pylist()
    theirs = other.parse_order_book(orjson.loads(body), "X/Y")
    for side in ("bid", "ask"):
        levels = [list(level) for level in zip(row[f"{side}_prices"], row[f"{side}_sizes"], strict=True)]
        assert levels == theirs[f"{side}s"]
    assert row["sequence"] == orjson.loads(body)["lastUpdateId"]


def test_spot_wallet(other: ccxt.binance, payload: Payload) -> None:
    recorded = orjson.loads(payload("binance_account_1.json.gz"))
    for number, balance in enumerate(recorded["balances"][::7]):  # every balance of the recording is 0
        balance |= {"free": f"{number + 1}.12345678", "locked": f"0.0000000{number % 10}"}
    rows = parse_spot_wallet(orjson.dumps(recorded), MM01, NOW, "spot").to_pylist()
    theirs = other.parse_balance_custom(recorded, "spot")
    check_balances(
        rows, theirs, {one["asset"]: other.safe_currency_code(one["asset"]) for one in recorded["balances"]}
    )
    assert len(rows) == 25


def test_funding_wallet(other: ccxt.binance) -> None:
    answer = [
        {"asset": asset, "free": "1.5", "locked": "0.25", "freeze": "0.125", "withdrawing": f"0.{number}"}
        for number, asset in enumerate(("USDT", "BTC", "ETH"), start=1)
    ]
    rows = parse_funding_wallet(orjson.dumps(answer), MM01, NOW, "funding").to_pylist()
    theirs = other.parse_balance_custom(answer, "funding")
    check_balances(rows, theirs, {row["asset"]: row["asset"] for row in rows})
    assert len(rows) == 3


def check_balances(rows: list[dict[str, Any]], theirs: dict[str, Any], codes: dict[str, str]) -> None:
    assert {codes[row["asset"]] for row in rows} == {code for code, total in theirs["total"].items() if total}
    for row in rows:
        account = theirs[codes[row["asset"]]]
        assert (float(row["free"]), float(row["locked"]), float(row["total"])) == (
            account["free"],
            account["used"],
            account["total"],
        )


async def test_signatures(other: ccxt.binance) -> None:
    async def tell() -> int:
        return NOW

    clock = ServerClock(tell, lambda _: None, lambda: 0.0)
    signer = BinanceSigner(MM01, ApiKey("some-key", "some-secret"), clock, recv_window_ms=5000)
    await signer.prepare()
    params: dict[str, str | int] = {"symbol": "币安人生USDT", "note": "a b+c&d=[é]"}
    query, _, ours = (
        signer.sign(Question("/x", 1, "x", 1, params)).target.removeprefix("/x?").rpartition("&signature=")
    )
    assert other.hmac(other.encode(query), other.encode("some-secret"), hashlib.sha256) == ours
    assert query == other.urlencode(params | {"recvWindow": 5000, "timestamp": NOW}).replace("+", "%20")
