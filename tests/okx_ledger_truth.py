"""What the sandbox's OKX accounts really have, as rows of the tables: what an adapter should find."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from markethub.domain.support import DataKind
from markethub.sandbox.accounts import ACCOUNTS, SandboxAccount
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.okx.ledger_orders import Fill, Order
from markethub.sandbox.okx.ledger_slots import opened_ms
from markethub.sandbox.okx.ledger_transfers import Transfer
from markethub.sandbox.okx.ledgers import AccountLedger, Ledgers
from markethub.sandbox.okx.names import PairNames
from markethub.sandbox.settings import SandboxSettings
from markethub.tables.catalog import TABLE_OF

DAY = 86_400_000
HOUR = 3_600_000
KEPT = 90 * DAY

Key = tuple[str, ...]
Rows = dict[Key, dict[str, Any]]

_PLACES = {"130": "trading", "131": "trading", "20": "sub-account", "21": "sub-account",
           "22": "master account", "23": "master account"}  # fmt: skip
_FINAL = {"2": "done", "-1": "failed", "-2": "failed"}


def moment(time_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)


def find_okx(name: str) -> SandboxAccount:
    return next(one for one in ACCOUNTS if (one.venue, one.name) == ("OKX", name))


@cache
def ledger_of(name: str, orders: int, transfers: int) -> AccountLedger:
    """The ledger of an account in a sandbox with so many orders and transfers."""
    settings = SandboxSettings(orders_per_account=orders, transfers_per_account=transfers)
    return Ledgers(settings, PairNames(SymbolCatalog())).of(find_okx(name))


def key_of(kind: DataKind, row: dict[str, Any]) -> Key:
    return tuple(row[name] for name in TABLE_OF[kind].key)


def find_rows(kind: DataKind, ledger: AccountLedger, now_ms: int) -> Rows:
    """Every row that the venue still tells at ``now_ms``, by its key."""
    from_ms = opened_ms(now_ms)
    if kind is DataKind.ORDER:
        orders = [one for one in ledger.orders.orders(now_ms) if one.created_ms >= from_ms]
        rows = [order_row(one) for one in orders if is_told(one, now_ms)]
    elif kind is DataKind.FILL:
        rows = [
            fill_row(one)
            for one in ledger.orders.fills(now_ms)
            if one.order.created_ms >= from_ms and now_ms - KEPT < one.booked_ms <= now_ms
        ]
    else:
        rows = [
            transfer_row(one, now_ms)
            for one in ledger.transfers.transfers(now_ms)
            if one.kind != "other" and from_ms <= one.time_ms <= now_ms
            and (one.kind != "move" or one.time_ms <= now_ms - 30_000)
        ]  # fmt: skip
    found = {key_of(kind, row): row for row in rows}
    assert len(found) == len(rows)
    return found


def is_told(order: Order, now_ms: int) -> bool:
    """Whether either endpoint shows an order: it has ended, and not too long ago."""
    kept_ms = KEPT if order.fills else 2 * HOUR
    return now_ms - kept_ms < order.ended_ms <= now_ms


def order_row(order: Order) -> dict[str, Any]:
    listing = order.pair.listing
    return {
        "account": "OKX_MM01",
        "order_id": str(order.id),
        "client_order_id": order.client_id or None,
        "symbol": f"{listing.root}.OKX",
        "side": order.side,
        "type": order.type,
        "status": "canceled" if order.is_canceled else "filled",
        "price": order.price,
        "size": order.size,
        "size_currency": "quote" if order.is_quote_size else "base",
        "filled_size": sum((fill.size for fill in order.fills), Decimal(0)),
        "average_price": order.average_price,
        "fee": sum((fill.fee for fill in order.fills), Decimal(0)),
        "fee_asset": listing.base if order.side == "buy" else listing.quote,
        "rebate": order.rebate,
        "rebate_asset": listing.quote if order.side == "buy" else listing.base,
        "created_time": moment(order.created_ms),
        "updated_time": moment(order.ended_ms),
    }


def fill_row(fill: Fill) -> dict[str, Any]:
    order = fill.order
    listing = order.pair.listing
    return {
        "account": "OKX_MM01",
        "fill_id": str(fill.bill_id),
        "trade_id": str(fill.trade_id),
        "order_id": str(order.id),
        "client_order_id": order.client_id or None,
        "symbol": f"{listing.root}.OKX",
        "side": order.side,
        "liquidity": "taker" if fill.is_taker else "maker",
        "price": fill.price,
        "size": fill.size,
        "fee": fill.fee,
        "fee_asset": listing.base if order.side == "buy" else listing.quote,
        "time": moment(fill.time_ms),
        "recorded_time": moment(fill.booked_ms),
    }


def transfer_row(one: Transfer, now_ms: int) -> dict[str, Any]:
    row = {
        "account": "OKX_MM01",
        "asset": one.asset,
        "fee": None,
        "fee_asset": None,
        "chain": one.chain or None,
        "tx_id": one.tx_id or None,
        "time": moment(one.time_ms),
    }
    if one.kind == "move":
        place = _PLACES[one.bill_type]
        change = one.amount if one.is_gain else -one.amount
        return row | {
            "kind": "internal",
            "transfer_id": str(one.bill_id),
            "amount": -change if place == "trading" else change,
            "status": "done",
            "venue_status": None,
            "from_place": place if one.is_gain else "funding",
            "to_place": "funding" if one.is_gain else place,
        }
    state = one.state(now_ms)
    finals = _FINAL if one.kind == "withdrawal" else {"2": "done"}
    row |= {
        "kind": one.kind,
        "transfer_id": str(one.id),
        "status": finals.get(state, "pending"),
        "venue_status": state,
    }
    if one.kind == "withdrawal":
        fee = -one.fee if one.chain else Decimal(0)
        return row | {
            "amount": -one.amount,
            "fee": fee,
            "fee_asset": one.asset,
            "from_place": None,
            "to_place": one.partner,
        }
    return row | {
        "amount": one.amount,
        "from_place": None if one.chain else one.partner,
        "to_place": one.partner if one.chain else None,
    }
