"""Listings, tickers and order books out of Binance's answers; pure.

Any bytes give a table or one VenueProtocolError.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Symbol
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.records import AMOUNT, TIME, check_records
from markethub.tables.symbols import LISTING
from markethub.tables.tickers import TICKERS
from markethub.venues.binance.names import join_name
from markethub.venues.binance.parse import EARLIEST_MS, LATEST_MS, read_json
from markethub.venues.transport.amounts import read_amounts
from markethub.venues.transport.faults import quote_body
from markethub.venues.transport.numbers import read_numbers

# Source: "Enums" of the Binance Spot API pages; PRE_TRADING stands in older ones only.
_STATUSES = {"TRADING": "trading", "PRE_TRADING": "pre_open"}

# Source: "Filters" of the Binance Spot API pages; the first filter that is there tells.
_RULES = {
    "tick_size": (("PRICE_FILTER", "tickSize"),),
    "lot_size": (("LOT_SIZE", "stepSize"),),
    "min_size": (("LOT_SIZE", "minQty"),),
    "min_notional": (("NOTIONAL", "minNotional"), ("MIN_NOTIONAL", "minNotional")),
}

# Source: "24hr ticker price change statistics". Of prices and of what is bid and asked, 0 stands for none.
_TICKER_FIELDS = {
    "last": "lastPrice",
    "bid": "bidPrice",
    "bid_size": "bidQty",
    "ask": "askPrice",
    "ask_size": "askQty",
    "open_24h": "openPrice",
    "high_24h": "highPrice",
    "low_24h": "lowPrice",
    "volume_24h": "volume",
    "quote_volume_24h": "quoteVolume",
}
_ZERO_IS_SOMETHING = ("volume_24h", "quote_volume_24h")


def tabulate_listing(entries: Mapping[Symbol, Mapping[str, Any]], source: str) -> pa.Table:
    """Entries of ``/api/v3/exchangeInfo`` as a table of schema LISTING, ascending by symbol.

    TRADING is ``trading``; every other word is ``halted``, also BREAK: the venue says it of pairs it has
    given up and of pairs it stops for an hour, and ``venue_status`` keeps the word. A step of 0 means that
    the rule is off: null. When a pair was listed, or will be delisted, is not told here.
    VenueProtocolError, starting with ``source``, for a status or a step that cannot be one.
    """
    listed = sorted(entries.items(), key=lambda item: str(item[0]))
    words = [_read_status(entry, source) for _, entry in listed]
    rules = [_read_rules(entry, source) for _, entry in listed]
    unknown = pa.nulls(len(listed), TIME)
    columns: dict[str, pa.Array] = {
        "symbol": pa.array([str(symbol) for symbol, _ in listed], pa.string()),
        "venue_name": pa.array([join_name(symbol) for symbol, _ in listed], pa.string()),
        "base": pa.array([symbol.base for symbol, _ in listed], pa.string()),
        "quote": pa.array([symbol.quote for symbol, _ in listed], pa.string()),
        "status": pa.array([_STATUSES.get(word, "halted") for word in words], pa.string()),
        "venue_status": pa.array(words, pa.string()),
        "listed_time": unknown,
        "delisted_time": unknown,
    }
    for name in _RULES:
        columns[name] = _read_steps([rule[name] for rule in rules], name, source)
    return pa.table(columns, schema=LISTING)


def _read_status(entry: Mapping[str, Any], source: str) -> str:
    match entry.get("status"):
        case str(word) if 0 < len(word) <= 40:
            return word
    raise VenueProtocolError(f"{source}: not a status in {repr(entry)[:200]}")


def _read_rules(entry: Mapping[str, Any], source: str) -> dict[str, str]:
    filters = entry.get("filters")
    if not isinstance(filters, list) or not all(isinstance(one, dict) for one in filters):
        raise VenueProtocolError(f"{source}: not filters in {repr(entry)[:200]}")
    by_type = {str(one.get("filterType")): one for one in filters}
    rules = {}
    for rule, places in _RULES.items():
        told = [by_type[kind].get(field) for kind, field in places if kind in by_type]
        rules[rule] = told[0] if told else ""
    return rules


def _read_steps(texts: Sequence[str], name: str, source: str) -> pa.Array:
    steps = read_amounts(texts, name, source)
    zero = pa.scalar(0, AMOUNT)
    if pc.any(pc.less(steps, zero)).as_py():
        raise VenueProtocolError(f"{source}: a {name} below 0")
    return pc.if_else(pc.equal(steps, zero), pa.scalar(None, AMOUNT), steps)


def parse_tickers(body: bytes, wanted: Mapping[str, Symbol], source: str) -> pa.Table:
    """Read ``/api/v3/ticker/24hr`` (a list) into TICKERS: a row for each of ``wanted``, in its order.

    ``wanted`` are symbols by their names at the venue; others in the answer are passed over. ``time`` is the
    end of the 24 hours that the numbers are about. VenueProtocolError, starting with ``source``, for one that
    is missing or there twice, and for numbers that are none, negative or infinite.
    """
    entries = read_json(body, source)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise VenueProtocolError(f"{source}: not a list of tickers: {quote_body(body)}")
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        name = entry.get("symbol")
        if not isinstance(name, str) or name in found:
            raise VenueProtocolError(f"{source}: no symbol, or one twice: {repr(entry)[:200]}")
        found[name] = entry
    if missing := [name for name in wanted if name not in found]:
        raise VenueProtocolError(f"{source}: {len(missing)} are missing, such as {missing[0]}")
    kept = [found[name] for name in wanted]
    columns: dict[str, pa.Array] = {
        "symbol": pa.array([str(symbol) for symbol in wanted.values()], pa.string()),
        "time": pa.array([_read_time(entry, source) for entry in kept], TIME),
    }
    for name, field in _TICKER_FIELDS.items():
        columns[name] = _read_ticker_numbers([entry.get(field) for entry in kept], name, source)
    rows = pa.table(columns, schema=TICKERS.schema)
    if pc.any(pc.less(rows["high_24h"], rows["low_24h"])).as_py():
        raise VenueProtocolError(f"{source}: a high below its low")
    return check_records(rows, TICKERS, source)


def _read_time(entry: Mapping[str, Any], source: str) -> int:
    match entry.get("closeTime"):
        case int(time_ms) if EARLIEST_MS <= time_ms < LATEST_MS:
            return time_ms
    raise VenueProtocolError(f"{source}: not a closeTime in {repr(entry)[:200]}")


def _read_ticker_numbers(texts: Sequence[object], name: str, source: str) -> pa.Array:
    numbers = _read_numbers(texts, name, source)
    if name in _ZERO_IS_SOMETHING:
        return pa.array(numbers)
    return pa.array(numbers, mask=numbers == 0)


def _read_numbers(texts: Sequence[object], name: str, source: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if not set(map(type, texts)) <= {str}:
        raise VenueProtocolError(f"{source}: {name} is not a decimal in quotes")
    numbers: np.ndarray[Any, np.dtype[np.float64]] = read_numbers([str(text) for text in texts]).to_numpy()
    is_wrong = ~(np.isfinite(numbers) & (numbers >= 0))
    if is_wrong.any():
        raise VenueProtocolError(f"{source}: {name} {str(texts[is_wrong.argmax()])[:60]!r} cannot be")
    return numbers


def parse_orderbook(body: bytes, symbol: Symbol, depth: int, time_ms: int, source: str) -> pa.Table:
    """Read ``/api/v3/depth`` into one row of ORDERBOOKS, cut to ``depth`` levels a side.

    ``time_ms`` is when it was asked: the venue dates no book. VenueProtocolError, starting with ``source``,
    for a book that is not sorted from its best price on, that is crossed, or whose numbers are not above 0.
    """
    match read_json(body, source):
        case {"lastUpdateId": int(sequence), "bids": list(bids), "asks": list(asks)} if (
            sequence is not True and sequence is not False and 0 <= sequence < 2**63
        ):
            pass
        case _:
            raise VenueProtocolError(f"{source}: not an order book: {quote_body(body)}")
    bid_prices, bid_sizes = _read_side(bids, -1, f"{source}: bids")
    ask_prices, ask_sizes = _read_side(asks, 1, f"{source}: asks")
    if len(bid_prices) and len(ask_prices) and bid_prices[0] >= ask_prices[0]:
        raise VenueProtocolError(f"{source}: crossed: {bid_prices[0]} is bid and {ask_prices[0]} asked")
    row = {
        "symbol": [str(symbol)],
        "time": [time_ms],
        "depth": [depth],
        "sequence": [sequence],
        "bid_prices": [bid_prices[:depth]],
        "bid_sizes": [bid_sizes[:depth]],
        "ask_prices": [ask_prices[:depth]],
        "ask_sizes": [ask_sizes[:depth]],
    }
    columns = {name: pa.array(row[name], ORDERBOOKS.schema.field(name).type) for name in row}
    return check_records(pa.table(columns, schema=ORDERBOOKS.schema), ORDERBOOKS, source)


def _read_side(
    levels: list[Any], direction: int, source: str
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    if not levels:
        return np.empty(0), np.empty(0)
    if set(map(type, levels)) != {list} or set(map(len, levels)) != {2}:
        raise VenueProtocolError(f"{source} are not pairs of price and quantity: {repr(levels)[:200]}")
    prices = _read_numbers([level[0] for level in levels], "price", source)
    sizes = _read_numbers([level[1] for level in levels], "quantity", source)
    if not prices.all() or not sizes.all():
        raise VenueProtocolError(f"{source}: a price or a quantity of 0")
    if (np.diff(prices) * direction <= 0).any():
        raise VenueProtocolError(f"{source}: not sorted from the best price on")
    return prices, sizes
