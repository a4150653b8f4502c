"""Gate's listing, tickers and books as tables; pure. Any bytes give a value or one VenueProtocolError."""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import pyarrow as pa

from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Symbol
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.records import TIME, check_records
from markethub.tables.symbols import LISTING
from markethub.tables.tickers import TICKERS
from markethub.venues.gate.names import split_name
from markethub.venues.gate.parse import EARLIEST_MS, LATEST_MS, read_json, read_pairs
from markethub.venues.transport.amounts import read_amounts
from markethub.venues.transport.faults import quote_body, quote_value
from markethub.venues.transport.numbers import read_numbers

# Source: "CurrencyPair" of the Gate API v4 page.
_OPEN, _CLOSED, _ONE_SIDED = "tradable", "untradable", ("buyable", "sellable")
_PREMARKET = "premarket"
_DECIMALS: Final = 18  # what AMOUNT holds

# Source: "Ticker" of the same page. It tells no price of a day ago but a rounded change in percent.
_PRICES = {
    "last": "last",
    "bid": "highest_bid",
    "ask": "lowest_ask",
    "high_24h": "high_24h",
    "low_24h": "low_24h",
}
_SIZES = {"bid_size": "highest_size", "ask_size": "lowest_size"}
_VOLUMES = {"volume_24h": "base_volume", "quote_volume_24h": "quote_volume"}


def parse_listing(body: bytes, now_ms: int) -> pa.Table:
    """Read ``/spot/currency_pairs`` into schema LISTING; pairs that MarketHub cannot write are left out.

    ``now_ms`` is the venue's time. The precisions are counts of digits. Statuses: ``tradable`` is trading
    unless one of its starts lies ahead (``pre_open``); ``untradable`` is halted; ``buyable`` and
    ``sellable`` are halted on one side, or ``delisting`` where an end is announced; whatever its word, a pair
    past its ``delisting_time`` is ``delisting``. A pair of type ``premarket`` is ``pre_open``: what changes
    hands there is a promise, and the coin itself does not trade yet; its ``venue_status`` is ``premarket``.
    An amount that is null or missing, as most are, is no rule.
    """
    source = "currency pairs"
    pairs = sorted(read_pairs(body).items(), key=lambda item: str(item[0]))
    entries = [entry for _, entry in pairs]
    starts = [_read_starts(entry, source) for entry in entries]
    ends = [_read_seconds(entry, "delisting_time", source) for entry in entries]
    states = [_read_status(*facts, now_ms, source) for facts in zip(entries, starts, ends, strict=True)]
    columns = {
        "symbol": [str(symbol) for symbol, _ in pairs],
        "venue_name": [entry["id"] for entry in entries],
        "base": [entry["base"] for entry in entries],
        "quote": [entry["quote"] for entry in entries],
        "status": [status for status, _ in states],
        "venue_status": [word for _, word in states],
        "tick_size": [_read_step(entry, "precision", source) for entry in entries],
        "lot_size": [_read_step(entry, "amount_precision", source) for entry in entries],
        "min_size": _read_rules(entries, "min_base_amount", source),
        "min_notional": _read_rules(entries, "min_quote_amount", source),
        # Trading begins when both sides may order.
        "listed_time": [max(told) or None for told in starts],
        "delisted_time": [end_ms or None for end_ms in ends],
    }
    return pa.table(columns, schema=LISTING)


def _read_status(
    entry: dict[str, Any], starts_ms: tuple[int, int], end_ms: int, now_ms: int, source: str
) -> tuple[str, str]:
    """Our status and the venue's own word."""
    word, kind = entry.get("trade_status"), entry.get("type", "normal")
    if not isinstance(kind, str) or word not in (_OPEN, _CLOSED, *_ONE_SIDED):
        raise VenueProtocolError(f"{source}: status of {entry['id']} unknown: {quote_value((word, kind))}")
    if kind == _PREMARKET:
        return "pre_open", _PREMARKET
    if 0 < end_ms <= now_ms or (end_ms and word in _ONE_SIDED):
        return "delisting", word
    if max(starts_ms) > now_ms:
        return "pre_open", word
    return ("trading" if word == _OPEN else "halted"), word


def _read_starts(entry: dict[str, Any], source: str) -> tuple[int, int]:
    return _read_seconds(entry, "buy_start", source), _read_seconds(entry, "sell_start", source)


def _read_seconds(entry: dict[str, Any], name: str, source: str) -> int:
    """Unix milliseconds of a time in seconds; 0 where none is told."""
    told = entry.get(name, 0)
    if type(told) is not int or not 0 <= told * 1000 < LATEST_MS:
        raise VenueProtocolError(f"{source}: {name} of {entry['id']} is not a time: {quote_value(told)}")
    return told * 1000


def _read_step(entry: dict[str, Any], name: str, source: str) -> Decimal:
    """The step that a count of decimals leaves: 0.001 of 3."""
    digits = entry.get(name)
    if type(digits) is not int or not 0 <= digits <= _DECIMALS:
        raise VenueProtocolError(
            f"{source}: {name} of {entry['id']} is no count of digits: {quote_value(digits)}"
        )
    return Decimal(1).scaleb(-digits)


def _read_rules(entries: Sequence[dict[str, Any]], name: str, source: str) -> pa.Array:
    told = [entry.get(name) for entry in entries]
    amounts = read_amounts(["" if text is None else text for text in told], name, source)
    for entry, amount in zip(entries, amounts.to_pylist(), strict=True):
        if amount is not None and amount < 0:
            raise VenueProtocolError(f"{source}: {name} of {entry['id']} is negative")
    return amounts


def parse_tickers(body: bytes, wanted: Sequence[Symbol], time_ms: int, source: str) -> pa.Table:
    """Read ``/spot/tickers`` into TICKERS: a row for each of ``wanted`` that the answer has, in their order.

    The answer has no time: ``time_ms`` is taken. Texts that are empty are null, as are prices and sizes of 0
    (a side of the book without an order, a day without a trade) and volumes of ``nan``, which have been seen.
    """
    rows = read_json(body, source)
    if not isinstance(rows, list):
        raise VenueProtocolError(f"{source}: not a list of tickers: {quote_body(body)}")
    tickers = _by_symbol(rows, source)
    found = [symbol for symbol in dict.fromkeys(wanted) if symbol in tickers]
    told = [tickers[symbol] for symbol in found]

    def read(names: dict[str, str], fit: Callable[[float | None], float | None]) -> dict[str, pa.Array]:
        return {
            ours: pa.array([fit(number) for number in _read_column(told, theirs, source)], pa.float64())
            for ours, theirs in names.items()
        }

    values = read(_PRICES | _SIZES, _none_of_zero) | read(_VOLUMES, _none_of_nan)
    for ours, column in values.items():
        for symbol, number in zip(found, column.to_pylist(), strict=True):
            if number is not None and not 0 <= number < math.inf:
                raise VenueProtocolError(f"{source}: {ours} of {symbol} is {number}")
    values["symbol"] = pa.array(map(str, found), pa.string())
    values["time"] = pa.array([time_ms] * len(found), TIME)
    values["open_24h"] = pa.nulls(len(found), pa.float64())
    table = pa.table([values[field.name] for field in TICKERS.schema], schema=TICKERS.schema)
    return check_records(table, TICKERS, source)


def _by_symbol(rows: list[Any], source: str) -> dict[Symbol, dict[str, Any]]:
    tickers: dict[Symbol, dict[str, Any]] = {}
    for row in rows:
        match row:
            case {"currency_pair": str(name)}:
                pass
            case _:
                raise VenueProtocolError(f"{source}: not a ticker: {quote_value(row)}")
        symbol = split_name(name)
        if symbol is None:
            continue
        if symbol in tickers:
            raise VenueProtocolError(f"{source}: more than one of {name}")
        tickers[symbol] = row
    return tickers


def _read_column(rows: Sequence[dict[str, Any]], name: str, source: str) -> list[float | None]:
    texts = [row.get(name) for row in rows]
    for text in texts:
        if text is not None and not isinstance(text, str):
            raise VenueProtocolError(f"{source}: {name} is not in quotes: {quote_value(text)}")
    numbers: list[float] = read_numbers([text or "nan" for text in texts]).to_pylist()
    for text, number in zip(texts, numbers, strict=True):
        if math.isnan(number) and text and text.lower() != "nan":
            raise VenueProtocolError(f"{source}: {name} is no number: {quote_value(text)}")
    return [number if text else None for text, number in zip(texts, numbers, strict=True)]


def _none_of_zero(number: float | None) -> float | None:
    return number or None


def _none_of_nan(number: float | None) -> float | None:
    return None if number is None or math.isnan(number) else number


class _Side(NamedTuple):
    prices: list[float]
    sizes: list[float]


def parse_order_book(body: bytes, symbol: Symbol, depth: int, asked_ms: int, source: str) -> pa.Table:
    """Read ``/spot/order_book`` into one row of ORDERBOOKS, cut to ``depth`` levels a side.

    ``current`` is its time, ``asked_ms`` where there is none, as in older answers; ``id`` its sequence.
    VenueProtocolError for levels that are not best first, repeated, without price or size, or a bid that
    reaches an ask.
    """
    book = read_json(body, source)
    match book:
        case {"asks": list(ask_rows), "bids": list(bid_rows)}:
            pass
        case _:
            raise VenueProtocolError(f"{source}: not a book: {quote_body(body)}")
    asks, bids = (_read_side(rows, source) for rows in (ask_rows, bid_rows))
    if any(low >= high for low, high in zip(asks.prices, asks.prices[1:], strict=False)):
        raise VenueProtocolError(f"{source}: asks do not ascend")
    if any(high <= low for high, low in zip(bids.prices, bids.prices[1:], strict=False)):
        raise VenueProtocolError(f"{source}: bids do not descend")
    if asks.prices and bids.prices and bids.prices[0] >= asks.prices[0]:
        raise VenueProtocolError(f"{source}: bid {bids.prices[0]} reaches ask {asks.prices[0]}")
    row = {
        "symbol": str(symbol),
        "time": _read_whole(book, "current", EARLIEST_MS, LATEST_MS, source) or asked_ms,
        "depth": depth,
        "sequence": _read_whole(book, "id", 0, 2**63, source),
        "bid_prices": bids.prices[:depth],
        "bid_sizes": bids.sizes[:depth],
        "ask_prices": asks.prices[:depth],
        "ask_sizes": asks.sizes[:depth],
    }
    return check_records(pa.Table.from_pylist([row], schema=ORDERBOOKS.schema), ORDERBOOKS, source)


def _read_side(rows: list[Any], source: str) -> _Side:
    texts: list[str] = []
    for level in rows:
        match level:
            case [str(price), str(size)]:
                texts += (price, size)
            case _:
                raise VenueProtocolError(f"{source}: not a price and a size: {quote_value(level)}")
    numbers: list[float] = read_numbers(texts).to_pylist()
    for text, number in zip(texts, numbers, strict=True):
        if not 0 < number < math.inf:
            raise VenueProtocolError(f"{source}: neither price nor size: {quote_value(text)}")
    return _Side(numbers[::2], numbers[1::2])


def _read_whole(book: dict[str, Any], name: str, low: int, high: int, source: str) -> int | None:
    told = book.get(name)
    if told is None:
        return None
    if type(told) is not int or not low <= told < high:
        raise VenueProtocolError(f"{source}: {name} is {quote_value(told)}")
    return told
