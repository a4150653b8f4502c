"""Balances and rights out of Binance's answers; pure. Any bytes give a value or one VenueProtocolError."""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from typing import Any, NamedTuple

import pyarrow as pa

from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Account
from markethub.ports.venue import KeyRights
from markethub.tables.balances import BALANCES, FUNDING, TRADING
from markethub.tables.records import AMOUNT, TIME, check_records
from markethub.venues.binance.parse import EARLIEST_MS, LATEST_MS, read_json
from markethub.venues.transport.amounts import read_amounts
from markethub.venues.transport.faults import quote_body

_SPOT_LOCKED = ("locked",)
# In the funding wallet: held by an order of another product, frozen by the venue, and on its way out.
_FUNDING_LOCKED = ("locked", "freeze", "withdrawing")

_MAY_TRADE = (
    "enableSpotAndMarginTrading",
    "enableMargin",
    "enableFutures",
    "enableVanillaOptions",
    "enablePortfolioMarginTrading",
)

_EXACT = Context(prec=80)
_TOO_LARGE = Decimal(10) ** 20


class _Wallet(NamedTuple):
    account: Account
    name: str
    locked_fields: Sequence[str]
    time_ms: int
    updated_ms: int | None


def parse_spot_wallet(body: bytes, account: Account, time_ms: int, source: str) -> pa.Table:
    """Read ``/api/v3/account`` into BALANCES of wallet ``trading``; assets without any are left out.

    ``locked`` is in open orders, ``total`` both together; ``updated_time`` is when the account last changed.
    VenueProtocolError, starting with ``source``, for anything else. Source: "Account information".
    """
    match read_json(body, source):
        case {"balances": list(balances), "updateTime": int(updated_ms)} if _is_time(updated_ms):
            pass
        case _:
            raise VenueProtocolError(f"{source}: not an account: {quote_body(body)}")
    wallet = _Wallet(account, TRADING, _SPOT_LOCKED, time_ms, updated_ms or None)
    return _tabulate(balances, wallet, source)


def parse_funding_wallet(body: bytes, account: Account, time_ms: int, source: str) -> pa.Table:
    """Read ``/sapi/v1/asset/get-funding-asset`` into BALANCES of wallet ``funding``.

    ``locked`` adds up what is locked, frozen and being withdrawn, ``total`` that and what is free: a
    withdrawal under way still belongs to the account. Source: "Funding Wallet" of the Wallet pages.
    """
    balances = read_json(body, source)
    if not isinstance(balances, list):
        raise VenueProtocolError(f"{source}: not a list of assets: {quote_body(body)}")
    return _tabulate(balances, _Wallet(account, FUNDING, _FUNDING_LOCKED, time_ms, None), source)


def parse_rights(body: bytes) -> KeyRights:
    """Read ``/sapi/v1/account/apiRestrictions``; a right that is not told is None.

    ``can_trade`` covers spot, margin, futures and options. Source: "Get API Key Permission" of the Wallet
    pages.
    """
    source = "key permissions"
    rights = read_json(body, source)
    if not isinstance(rights, dict) or "ipRestrict" not in rights:
        raise VenueProtocolError(f"{source}: not the rights of a key: {quote_body(body)}")
    return KeyRights(
        can_read=_read_flag(rights, ("enableReading",), source),
        can_trade=_read_flag(rights, _MAY_TRADE, source),
        can_withdraw=_read_flag(rights, ("enableWithdrawals",), source),
        is_ip_bound=_read_flag(rights, ("ipRestrict",), source),
    )


def _read_flag(rights: dict[str, Any], names: Sequence[str], source: str) -> bool | None:
    flags = [rights[name] for name in names if name in rights]
    if not all(isinstance(flag, bool) for flag in flags):
        raise VenueProtocolError(f"{source}: {' or '.join(names)} is neither true nor false")
    return any(flags) if flags else None


def _is_time(updated_ms: int) -> bool:
    return updated_ms is not False and (updated_ms == 0 or EARLIEST_MS <= updated_ms < LATEST_MS)


def _tabulate(balances: Sequence[Any], wallet: _Wallet, source: str) -> pa.Table:
    assets = [_read_asset(balance, source) for balance in balances]
    free = _read_amounts(balances, "free", source)
    parts = [_read_amounts(balances, field, source) for field in wallet.locked_fields]
    locked = [_add(amounts, source) for amounts in zip(*parts, strict=True)]
    total = [_add(amounts, source) for amounts in zip(free, locked, strict=True)]
    held = [position for position, amount in enumerate(total) if amount]
    columns = {
        "account": pa.array([str(wallet.account)] * len(held), pa.string()),
        "wallet": pa.array([wallet.name] * len(held), pa.string()),
        "asset": pa.array([assets[position] for position in held], pa.string()),
        "time": pa.array([wallet.time_ms] * len(held), TIME),
        "free": pa.array([free[position] for position in held], AMOUNT),
        "locked": pa.array([locked[position] for position in held], AMOUNT),
        "total": pa.array([total[position] for position in held], AMOUNT),
        "updated_time": pa.array([wallet.updated_ms] * len(held), TIME),
    }
    return check_records(pa.table(columns, schema=BALANCES.schema), BALANCES, source)


def _read_asset(balance: object, source: str) -> str:
    match balance:
        case {"asset": str(asset)} if 0 < len(asset) <= 100:
            return asset
    raise VenueProtocolError(f"{source}: not a balance: {repr(balance)[:200]}")


def _read_amounts(balances: Sequence[Any], field: str, source: str) -> list[Decimal]:
    texts = [balance.get(field) for balance in balances]
    amounts: list[Decimal | None] = read_amounts(texts, field, source).to_pylist()
    checked = [amount for amount in amounts if amount is not None and amount >= 0]
    if len(checked) < len(amounts):
        raise VenueProtocolError(f"{source}: a balance with {field} empty or below 0")
    return checked


def _add(amounts: Iterable[Decimal], source: str) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, amount)
    if total >= _TOO_LARGE:
        raise VenueProtocolError(f"{source}: a balance of {total} has more than 20 digits")
    return total
