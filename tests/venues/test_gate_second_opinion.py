"""Gate's recorded answers, read by ccxt as well: an independent opinion on every field both of us have."""

import math
from collections.abc import Callable

import ccxt
import orjson
import pytest

from markethub.domain.errors import SymbolNotListedError, VenueRefusedError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.domain.times import parse_time
from markethub.tables.klines import open_times_ms
from markethub.venues.gate.errors import REST_FAULTS
from markethub.venues.gate.market_parse import parse_listing, parse_order_book, parse_tickers
from markethub.venues.gate.parse import parse_candlesticks
from markethub.venues.transport.faults import Reaction
from markethub.venues.transport.session import Answer

Payload = Callable[[str], bytes]

NOW = parse_time("2021-04-22T12:12:11Z")


@pytest.fixture(scope="module")
def gate() -> ccxt.gate:
    """ccxt's reader; it never opens a connection here."""
    return ccxt.gate()


def symbol_of(unified: str) -> str:
    return f"{unified.replace('/', '_')}.GIO"


@pytest.mark.parametrize("name", ["gate_currency_pairs_1.json.gz", "gate_xchange_spot_currency_pairs.json"])
def test_markets(gate: ccxt.gate, payload: Payload, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = payload(name)
    monkeypatch.setattr(gate, "publicMarginGetCurrencyPairs", lambda _: [], raising=False)
    monkeypatch.setattr(gate, "publicSpotGetCurrencyPairs", lambda _: orjson.loads(body), raising=False)
    theirs = {market["id"]: market for market in gate.fetch_spot_markets()}
    rows = parse_listing(body, NOW).to_pylist()
    assert len(rows) == len(theirs)
    for row in rows:
        market = theirs[row["venue_name"]]
        assert (row["base"], row["quote"]) == (market["baseId"], market["quoteId"])
        assert (float(row["tick_size"]), float(row["lot_size"])) == (
            market["precision"]["price"],
            market["precision"]["amount"],
        )
        assert (row["status"] == "trading") == market["active"]
        least = market["limits"]["amount"]["min"]  # theirs is the step where the venue tells none
        assert float(row["min_size"] or row["lot_size"]) == least
        worth = row["min_notional"]
        assert (None if worth is None else float(worth)) == market["limits"]["cost"]["min"]
        if market["created"] is not None:
            assert row["listed_time"].timestamp() * 1000 == market["created"]


@pytest.mark.parametrize("name", ["gate_xchange_spot_tickers.json", "gate_tickers_1.json"])
def test_tickers(gate: ccxt.gate, payload: Payload, name: str) -> None:
    body = payload(name)
    entries = orjson.loads(body)
    symbols = [Symbol("GIO", entry["currency_pair"]) for entry in entries]
    names = {
        "last": "last", "bid": "bid", "ask": "ask", "high_24h": "high", "low_24h": "low",
        "volume_24h": "baseVolume", "quote_volume_24h": "quoteVolume", "bid_size": "bidVolume",
        "ask_size": "askVolume",
    }  # fmt: skip
    for entry, row in zip(entries, parse_tickers(body, symbols, NOW, "page").to_pylist(), strict=True):
        theirs = gate.parse_ticker(entry)
        assert row["symbol"] == symbol_of(theirs["symbol"])
        for ours, name_there in names.items():
            assert row[ours] == theirs[name_there], ours


@pytest.mark.parametrize(
    "name",
    [
        "gate_order_book_1.json",
        "gate_order_book_3.json",
        "gate_order_book_5.json",
        "gate_order_book_7.json",
        "gate_order_book_9.json",
        "gate_order_book_11.json",
        "gate_xchange_spot_order_book.json",
    ],
)
def test_order_books(gate: ccxt.gate, payload: Payload, name: str) -> None:
    body = payload(name)
    (row,) = parse_order_book(body, Symbol("GIO", "BTC_USDT"), 1000, NOW, "page").to_pylist()
    answer = orjson.loads(body)
    theirs = gate.parse_order_book(answer, "BTC/USDT", answer.get("current"), "bids", "asks", 0, 1)
    for side in ("bid", "ask"):
        levels = list(zip(row[f"{side}_prices"], row[f"{side}_sizes"], strict=True))
        assert levels == [tuple(level) for level in theirs[f"{side}s"]]
    if theirs["timestamp"] is not None:
        assert row["time"].timestamp() * 1000 == theirs["timestamp"]


@pytest.mark.parametrize(
    ("name", "interval"),
    [("gate_candlesticks_1.json", Interval.D1), ("gate_candlesticks_2.json", Interval.H1)],
)
def test_candlesticks(gate: ccxt.gate, payload: Payload, name: str, interval: Interval) -> None:
    body = payload(name)
    ours = parse_candlesticks(body, interval, Span(0, parse_time("2026-01-01")), "page").closed.bars
    theirs = gate.parse_ohlcvs(orjson.loads(body))
    columns = ("open", "high", "low", "close", "volume")
    rows = zip(
        open_times_ms(ours).to_pylist(), *(ours[column].to_pylist() for column in columns), strict=True
    )
    assert [list(row) for row in rows] == theirs
    assert all(math.isfinite(number) for row in theirs for number in row)


@pytest.mark.parametrize(
    ("name", "status", "reaction", "error"),
    [
        ("gate_error_1.json", 400, VenueRefusedError, ccxt.BadRequest),
        ("gate_error_forbidden.json", 403, VenueRefusedError, ccxt.PermissionDenied),
        ("gate_error_invalid_currency.json", 400, SymbolNotListedError, ccxt.BadSymbol),
        ("gate_error_too_fast.json", 400, Reaction.WAIT, ccxt.RateLimitExceeded),
    ],
)
def test_refusals(
    gate: ccxt.gate, payload: Payload, *, name: str, status: int, reaction: object, error: type[Exception]
) -> None:
    body = payload(name)
    fault = REST_FAULTS.judge(Answer(status, {}, body), "here")
    assert fault is not None
    assert fault.reaction is reaction
    with pytest.raises(error) as caught:
        gate.handle_errors(status, "", "", "GET", {}, body.decode(), orjson.loads(body), {}, None)
    assert type(caught.value) is error
