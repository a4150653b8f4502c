"""OKX's answers about an account as tables; pure. Any bytes give a value or one VenueProtocolError."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Account
from markethub.ports.venue import KeyRights
from markethub.tables.balances import BALANCES, FUNDING, TRADING
from markethub.tables.records import TIME, check_records
from markethub.venues.okx.parse import read_data, read_time_ms
from markethub.venues.transport.amounts import read_amounts
from markethub.venues.transport.faults import quote_body, quote_value


@dataclass(frozen=True, slots=True)
class _WalletFields:
    """Which fields of an entry hold what."""

    wallet: str
    free: str
    locked: str
    total: str
    updated: str | None


_TRADING_FIELDS = _WalletFields(TRADING, "availBal", "frozenBal", "cashBal", "uTime")
_FUNDING_FIELDS = _WalletFields(FUNDING, "availBal", "frozenBal", "bal", None)


def parse_trading_balances(body: bytes, account: Account, time_ms: int) -> pa.Table:
    """Read ``/api/v5/account/balance`` as the wallet ``trading``, schema BALANCES.

    Source: "Get balance" of the trading account. ``total`` is cashBal, the coins themselves, not eq, which
    adds what open positions would bring; with borrowed coins it is below zero. ``free`` is availBal and
    ``locked`` frozenBal, as the venue says them: outside of spot mode they need not add up to the total.
    """
    source = f"account/balance of {account}"
    match read_data(body, source):
        case [{"details": list(details)}]:
            return _to_balances(details, _TRADING_FIELDS, account, time_ms, source)
    raise VenueProtocolError(f"{source}: no details of one account: {quote_body(body)}")


def parse_funding_balances(body: bytes, account: Account, time_ms: int) -> pa.Table:
    """Read ``/api/v5/asset/balances`` as the wallet ``funding``, schema BALANCES; no entries: no balances.

    Source: "Get balance" of the funding account.
    """
    source = f"asset/balances of {account}"
    return _to_balances(read_data(body, source), _FUNDING_FIELDS, account, time_ms, source)


def parse_rights(body: bytes) -> KeyRights:
    """Read ``/api/v5/account/config``. Source: "Get account configuration", fields perm and ip.

    ``perm`` lists ``read_only``, ``trade`` and ``withdraw`` with commas, ``ip`` the bound addresses.
    """
    match read_data(body, "account/config"):
        case [{"perm": str(perm)} as config]:
            pass
        case _:
            raise VenueProtocolError(f"account/config: no permissions of one account: {quote_body(body)}")
    permissions = {word.strip() for word in perm.split(",")}
    addresses = config.get("ip")
    return KeyRights(
        can_read="read_only" in permissions,
        can_trade="trade" in permissions,
        can_withdraw="withdraw" in permissions,
        is_ip_bound=bool(addresses.strip()) if isinstance(addresses, str) else None,
    )


def _to_balances(
    entries: Sequence[Any], fields: _WalletFields, account: Account, time_ms: int, source: str
) -> pa.Table:
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("ccy"), str) or not entry["ccy"]:
            raise VenueProtocolError(f"{source}: not a balance of an asset: {quote_value(entry)}")

    def column(name: str) -> pa.Array:
        return read_amounts([entry.get(name) for entry in entries], name, source)

    updated = None if fields.updated is None else [entry.get(fields.updated) for entry in entries]
    columns = {
        "account": pa.repeat(pa.scalar(str(account)), len(entries)),
        "wallet": pa.repeat(pa.scalar(fields.wallet), len(entries)),
        "asset": pa.array([entry["ccy"] for entry in entries], pa.string()),
        "time": pa.repeat(pa.scalar(time_ms).cast(TIME), len(entries)),
        "free": column(fields.free),
        "locked": column(fields.locked),
        "total": column(fields.total),
        "updated_time": _to_times(updated, len(entries), source),
    }
    rows = check_records(pa.table(columns, schema=BALANCES.schema), BALANCES, source)
    # The venue leaves out what is zero, and a snapshot says the same by an absent row.
    is_zero = [pc.equal(rows.column(name), pa.scalar(0, rows.column(name).type)) for name in _AMOUNTS]
    return rows.filter(pc.invert(pc.and_(pc.and_(is_zero[0], is_zero[1]), is_zero[2])))


_AMOUNTS = ("free", "locked", "total")


def _to_times(texts: Sequence[object] | None, length: int, source: str) -> pa.Array:
    if texts is None:
        return pa.nulls(length, TIME)
    times_ms = [None if text == "" else read_time_ms(text, "uTime", source) for text in texts]
    return pa.array(times_ms, pa.int64()).cast(TIME)
