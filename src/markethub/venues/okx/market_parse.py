"""OKX's listing, tickers and books as tables; pure. Any bytes give a value or one VenueProtocolError."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Symbol
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.records import AMOUNT, TIME, check_records
from markethub.tables.symbols import LISTING
from markethub.tables.tickers import TICKERS
from markethub.venues.okx.parse import read_data, read_instruments, read_time_ms
from markethub.venues.transport.amounts import read_amounts
from markethub.venues.transport.faults import quote_body, quote_value

# The states a spot pair can have. Source: "Get instruments".
_STATUSES = {"live": "trading", "suspend": "halted", "preopen": "pre_open", "test": "pre_open"}

# Columns of TICKERS by the fields of "Tickers"; for spot volCcy24h is in the quote currency.
_TICKER_PRICES = {
    "last": "last",
    "bid": "bidPx",
    "ask": "askPx",
    "open_24h": "open24h",
    "high_24h": "high24h",
    "low_24h": "low24h",
}
_TICKER_SIZES = {
    "bid_size": "bidSz",
    "ask_size": "askSz",
    "volume_24h": "vol24h",
    "quote_volume_24h": "volCcy24h",
}
_LARGEST_SEQUENCE = 2**63 - 1


def parse_listing(body: bytes) -> pa.Table:
    """Read ``/api/v5/public/instruments`` of spot, schema LISTING, ascending by symbol.

    The venue has no least value of an order. ``delisted_time`` is expTime, the announced end. A state other
    than the documented ones is refused: nobody knows whether such a pair trades. Source: "Get instruments".
    """
    source = "instruments"
    pairs = sorted(read_instruments(body), key=lambda pair: str(pair[0]))
    symbols = [symbol for symbol, _ in pairs]
    entries = [entry for _, entry in pairs]
    if len(set(symbols)) < len(symbols):
        raise VenueProtocolError(f"{source}: a pair is listed twice")
    states: list[str] = []
    for entry in entries:
        state = entry.get("state")
        if not isinstance(state, str) or state not in _STATUSES:
            raise VenueProtocolError(f"{source}: state {quote_value(state)} is not known")
        states.append(state)
    columns = {
        "symbol": pa.array(map(str, symbols), pa.string()),
        "venue_name": pa.array([entry["instId"] for entry in entries], pa.string()),
        "base": pa.array([symbol.base for symbol in symbols], pa.string()),
        "quote": pa.array([symbol.quote for symbol in symbols], pa.string()),
        "status": pa.array([_STATUSES[state] for state in states], pa.string()),
        "venue_status": pa.array(states, pa.string()),
        "tick_size": _read_steps(entries, "tickSz", source),
        "lot_size": _read_steps(entries, "lotSz", source),
        "min_size": _read_steps(entries, "minSz", source),
        "min_notional": pa.nulls(len(pairs), AMOUNT),
        "listed_time": _read_times(entries, "listTime", source),
        "delisted_time": _read_times(entries, "expTime", source),
    }
    return pa.table(columns, schema=LISTING)


def parse_tickers(body: bytes, wanted: Mapping[str, Symbol], source: str) -> pa.Table:
    """Read ``/api/v5/market/tickers`` or ``ticker``, schema TICKERS: the entries of ``wanted``, in its order.

    ``wanted`` maps names of the venue to symbols. A price of 0 means that there is none. Sources: "Tickers"
    and "Ticker".
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in read_data(body, source):
        match entry:
            case {"instId": str(name)}:
                pass
            case _:
                raise VenueProtocolError(f"{source}: not a ticker: {quote_value(entry)}")
        if name not in wanted:
            continue
        if name in found or entry.get("instType") != "SPOT":
            raise VenueProtocolError(f"{source}: {name} twice, or not of spot")
        found[name] = entry
    names = [name for name in wanted if name in found]
    entries = [found[name] for name in names]
    columns = {
        "symbol": pa.array([str(wanted[name]) for name in names], pa.string()),
        "time": _read_times(entries, "ts", source),
    }
    for column, field in (_TICKER_PRICES | _TICKER_SIZES).items():
        columns[column] = _read_numbers([entry.get(field) for entry in entries], field, source)
    for column in _TICKER_PRICES:
        columns[column] = _null_where(pc.equal(columns[column], 0.0), columns[column])
    for side in ("bid", "ask"):
        columns[f"{side}_size"] = _null_where(pc.is_null(columns[side]), columns[f"{side}_size"])
    return check_records(pa.table(columns, schema=TICKERS.schema), TICKERS, source)


def parse_orderbook(body: bytes, symbol: Symbol, depth: int, row_items: int, source: str) -> pa.Table:
    """Read a book, schema ORDERBOOKS, cut to ``depth``; its levels are rows of ``row_items`` items.

    VenueProtocolError as well for a book that is crossed, as it may be while a pair opens by auction.
    Sources: "Order book" (4 items, with a sequence number) and "Full order book" (3 items, without).
    """
    match read_data(body, source):
        case [{"bids": list(bids), "asks": list(asks), "ts": ts} as book]:
            pass
        case _:
            raise VenueProtocolError(f"{source}: not one book: {quote_body(body)}")
    sequence = book.get("seqId")
    if sequence is not None and (type(sequence) is not int or not 0 <= sequence <= _LARGEST_SEQUENCE):
        raise VenueProtocolError(f"{source}: seqId {quote_value(sequence)} is not a number of a message")
    bid_prices, bid_sizes = _read_levels(bids, row_items, "bids", source)
    ask_prices, ask_sizes = _read_levels(asks, row_items, "asks", source)
    if not (_ascends(ask_prices) and _ascends(bid_prices[::-1])):
        raise VenueProtocolError(f"{source}: levels are not in the order of their prices")
    if bid_prices and ask_prices and bid_prices[0] >= ask_prices[0]:
        raise VenueProtocolError(f"{source}: crossed, bid {bid_prices[0]} is not below ask {ask_prices[0]}")
    row = {
        "symbol": str(symbol),
        "time": read_time_ms(ts, "ts", source),
        "depth": depth,
        "sequence": sequence,
        "bid_prices": bid_prices[:depth],
        "bid_sizes": bid_sizes[:depth],
        "ask_prices": ask_prices[:depth],
        "ask_sizes": ask_sizes[:depth],
    }
    return pa.Table.from_pylist([row], schema=ORDERBOOKS.schema)


def _read_steps(entries: Sequence[Mapping[str, Any]], field: str, source: str) -> pa.Array:
    column = read_amounts([entry.get(field) for entry in entries], field, source)
    zero = pa.scalar(Decimal(0), AMOUNT)
    if pc.any(pc.less(column, zero)).as_py():
        raise VenueProtocolError(f"{source}: a {field} is below 0")
    return _null_where(pc.equal(column, zero), column)  # no step at all


def _read_times(entries: Sequence[Mapping[str, Any]], field: str, source: str) -> pa.Array:
    texts = [entry.get(field) for entry in entries]
    times_ms = [None if text == "" else read_time_ms(text, field, source) for text in texts]
    return pa.array(times_ms, pa.int64()).cast(TIME)


def _read_levels(
    levels: list[Any], row_items: int, side: str, source: str
) -> tuple[list[float], list[float]]:
    if not levels:
        return [], []
    if set(map(type, levels)) != {list} or set(map(len, levels)) != {row_items}:
        raise VenueProtocolError(f"{source}: {side} are not rows of {row_items} items: {quote_value(levels)}")
    prices = _read_numbers([level[0] for level in levels], f"price of {side}", source)
    sizes = _read_numbers([level[1] for level in levels], f"size of {side}", source)
    for column in (prices, sizes):
        if column.null_count or pc.min(column).as_py() <= 0:
            raise VenueProtocolError(f"{source}: {side} have a price or a size that is not above 0")
    return prices.to_pylist(), sizes.to_pylist()


def _read_numbers(texts: Sequence[object], name: str, source: str) -> pa.Array:
    """Float64 out of text, ``""`` as null; nothing below 0, infinite or NaN."""
    if not set(map(type, texts)) <= {str}:
        raise VenueProtocolError(f"{source}: {name} is not text everywhere: {quote_value(list(texts))}")
    try:
        column = pa.array([text or None for text in texts], pa.string()).cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise VenueProtocolError(f"{source}: {name}: {str(error)[:200]}") from error
    is_sound = pc.and_(pc.is_finite(column), pc.greater_equal(column, 0.0))
    if not pc.all(is_sound, min_count=0).as_py():
        raise VenueProtocolError(f"{source}: {name} is below 0 or no number: {quote_value(list(texts))}")
    return column


def _null_where(is_null: pa.Array, column: pa.Array) -> pa.Array:
    return pc.if_else(is_null, pa.scalar(None, column.type), column)


def _ascends(prices: list[float]) -> bool:
    return all(low < high for low, high in pairwise(prices))
