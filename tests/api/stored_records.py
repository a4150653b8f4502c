"""A few rows of every table, and the accounts behind them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account
from markethub.domain.times import parse_time
from markethub.ports.keys import ApiKey
from markethub.ports.records import OwnerClaims, RecordStore
from markethub.ports.store import Coverage
from markethub.tables.balances import BALANCES
from markethub.tables.fills import FILLS
from markethub.tables.orderbooks import ORDERBOOKS
from markethub.tables.orders import ORDERS
from markethub.tables.records import RecordTable
from markethub.tables.rejects import REJECTS, Reject, tabulate_rejects
from markethub.tables.symbols import SYMBOLS
from markethub.tables.tickers import TICKERS
from markethub.tables.transfers import TRANSFERS

DAY_MS = 86_400_000
START_MS = parse_time("2026-01-01")


class Accounts:
    """Accounts that are configured, but whose keys nobody has."""

    def accounts(self) -> list[Account]:
        return [Account("BNC", "MM01"), Account("OKX", "EMPTY"), Account("OKX", "MM01")]

    def key_of(self, account: Account) -> ApiKey:
        raise AssertionError("no test of this room asks an exchange")


def rows_of(table: RecordTable, *rows: Mapping[str, Any]) -> pa.Table:
    """Rows of a table; columns that a row leaves out are null, zero or a name of their own."""
    filled = [{field.name: row.get(field.name, _filler(field)) for field in table.schema} for row in rows]
    return pa.Table.from_pylist(filled, schema=table.schema)


def _filler(field: pa.Field) -> object:
    if field.nullable:
        return None
    if pa.types.is_list(field.type):
        return []
    if pa.types.is_string(field.type):
        return f"some {field.name}"
    return Decimal(0) if pa.types.is_decimal(field.type) else 0


def claim_moments(owner: str, *times_ms: int) -> list[OwnerClaims]:
    return [OwnerClaims(owner, [Coverage(Span(t, t + 1), "rest", t) for t in times_ms])]


def store_records(records: RecordStore) -> None:
    """Fill every table."""
    _store_market(records)
    _store_balances(records)
    _store_ledger(records)
    reject = Reject("2026-01-01T00:00:00Z", Span(START_MS, START_MS + 60_000), "low above high", "[1]")
    rejected = tabulate_rejects(DataKind.KLINE, "BTC_USDT.BNC 1m", [reject], "rest", START_MS + DAY_MS)
    records.upsert_records(REJECTS, rejected).result()


def _store_market(records: RecordStore) -> None:
    def version(symbol: str, start: int, end: int | None, tick: str, status: str = "trading") -> Any:  # noqa: ANN401
        return {
            "symbol": symbol,
            "seen_from": START_MS + start * DAY_MS,
            "seen_until": None if end is None else START_MS + end * DAY_MS,
            "base": symbol.partition("_")[0],
            "quote": "USDT",
            "status": status,
            "tick_size": Decimal(tick),
        }

    listed = rows_of(
        SYMBOLS,
        version("BTC_USDT.BNC", 0, 5, "0.1"),
        version("BTC_USDT.BNC", 5, None, "0.01"),
        version("OLD_USDT.BNC", 0, 7, "0.5"),
        version("ETH_USDT.BNC", 0, 1, "0.01"),
        version("ETH_USDT.BNC", 1, None, "0.01", "halted"),
        version("BTC_USDT.OKX", 2, None, "0.1"),
    )
    records.upsert_records(SYMBOLS, listed).result()
    tickers = [
        {"symbol": symbol, "time": START_MS + day * DAY_MS + 1, "last": 100.0 + day}
        for symbol in ("BTC_USDT.BNC", "ETH_USDT.BNC", "BTC_USDT.OKX")
        for day in range(3)
    ]
    records.upsert_records(TICKERS, rows_of(TICKERS, *tickers)).result()
    book = {
        "symbol": "BTC_USDT.BNC",
        "time": START_MS + 123,
        "depth": 2,
        "bid_prices": [1.5, 1.25],
        "bid_sizes": [0.1, 1e-7],
        "ask_prices": [2.0],
        "ask_sizes": [3.0],
    }
    records.upsert_records(ORDERBOOKS, rows_of(ORDERBOOKS, book)).result()


def _store_balances(records: RecordStore) -> None:
    def balance(account: str, asset: str, day: int, total: str) -> Mapping[str, Any]:
        return {
            "account": account,
            "wallet": "trading",
            "asset": asset,
            "time": START_MS + day * DAY_MS,
            "free": Decimal(total),
            "locked": Decimal(0),
            "total": Decimal(total),
        }

    held = rows_of(
        BALANCES,
        balance("BNC_MM01", "BTC", 0, "1.5"),
        balance("BNC_MM01", "USDT", 0, "7"),
        balance("BNC_MM01", "USDT", 1, "99999999999999999999.000000000000000001"),
        balance("OKX_EMPTY", "BTC", 0, "1"),
    )
    claims = claim_moments("BNC_MM01", START_MS, START_MS + DAY_MS)
    claims += claim_moments("OKX_EMPTY", START_MS, START_MS + 2 * DAY_MS)
    records.upsert_records(BALANCES, held, claims).result()


def _store_ledger(records: RecordStore) -> None:
    trades: Sequence[tuple[str, str]] = [("BTC_USDT.OKX", "buy"), ("ETH_USDT.OKX", "sell")]
    orders = [
        {
            "account": f"OKX_{name}",
            "order_id": f"{name}-{number}",
            "symbol": trades[number % 2][0],
            "side": trades[number % 2][1],
            "status": "filled" if number % 3 else "canceled",
            "size": Decimal(number + 1) / 8,
            "created_time": START_MS + number * 1000,
        }
        for name in ("MM01", "MM02")
        for number in range(150)
    ]
    records.upsert_records(ORDERS, rows_of(ORDERS, *orders)).result()
    fills = [
        {
            "account": "OKX_MM01",
            "fill_id": str(number),
            "order_id": f"MM01-{number}",
            "symbol": "BTC_USDT.OKX",
            "price": Decimal("0.1"),
            "time": START_MS + number,
        }
        for number in range(3)
    ]
    records.upsert_records(FILLS, rows_of(FILLS, *fills)).result()
    moves = [
        {"account": "OKX_MM01", "kind": kind, "transfer_id": "1", "asset": asset, "time": START_MS}
        for kind, asset in (("deposit", "BTC"), ("withdrawal", "USDT"))
    ]
    records.upsert_records(TRANSFERS, rows_of(TRANSFERS, *moves)).result()
