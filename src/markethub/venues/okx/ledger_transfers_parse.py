"""Deposits, withdrawals and internal moves as rows of TRANSFERS; pure.

One movement of money may be told three times: a deposit and a withdrawal are asset bills as well (types 1, 2
and 13), and so is what another user sent or got (deposit or withdrawal of type 3). Each is taken from one
place only: money that came from or went to somebody else from the two histories, whatever way it took, and
moves between own wallets and sub-accounts from the bills, where only the types of ``_MOVES`` are read.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.domain.symbol import Account
from markethub.tables.balances import FUNDING, TRADING
from markethub.tables.transfers import TRANSFERS
from markethub.venues.okx.ledger_entries import (
    Entry,
    EntryColumns,
    EntryFields,
    Tabulated,
    null_if_empty,
)

DEPOSIT_FIELDS: Final = EntryFields(id="depId", time="ts", paged_time="ts")
WITHDRAWAL_FIELDS: Final = EntryFields(id="wdId", time="ts", paged_time="ts")
BILL_FIELDS: Final = EntryFields(id="billId", time="ts", paged_time="ts")

PENDING, DONE, FAILED = "pending", "done", "failed"
SUB_ACCOUNT, MASTER_ACCOUNT = "sub-account", "master account"

_STATE_CODE: Final = re.compile(r"-?[0-9]{1,3}")
# "Final stage" of the guide; every other state is one of waiting, and new ones have been added over time.
_FINAL_WITHDRAWALS: Final = MappingProxyType({"2": DONE, "-1": FAILED, "-2": FAILED})
# Frozen, intercepted or limited deposits (8, 11 to 14, 17) may still be released: none is called final.
_FINAL_DEPOSITS: Final = MappingProxyType({"2": DONE})


# Whom the funding wallet dealt with, by the type of the bill.
_MOVES: Final = MappingProxyType(
    {
        "130": TRADING,
        "131": TRADING,
        "20": SUB_ACCOUNT,
        "21": SUB_ACCOUNT,
        "22": MASTER_ACCOUNT,
        "23": MASTER_ACCOUNT,
    }
)


def tabulate_deposits(entries: Sequence[Entry], account: Account, source: str) -> Tabulated:
    """Rows of TRANSFERS of kind ``deposit``. Source: "Get deposit history".

    A deposit of another user (it has a ``fromWdId``) is off chain, and what stands in ``txId`` is no hash.
    """
    columns = EntryColumns(entries, source)
    is_internal = [text != "" for text in columns.texts("fromWdId")]
    hashes = columns.texts("txId")
    values = _history(columns, "deposit", account, _FINAL_DEPOSITS) | {
        "amount": columns.positive("amt"),
        "fee": [None] * len(entries),
        "fee_asset": [None] * len(entries),
        "tx_id": [None if off else text or None for text, off in zip(hashes, is_internal, strict=True)],
    }
    return columns.tabulate(TRANSFERS, values)


def tabulate_withdrawals(entries: Sequence[Entry], account: Account, source: str) -> Tabulated:
    """Rows of TRANSFERS of kind ``withdrawal``. Source: "Get withdrawal history".

    ``amount`` is what the receiver gets; the fee is paid beside it.
    """
    columns = EntryColumns(entries, source)
    values = _history(columns, "withdrawal", account, _FINAL_WITHDRAWALS) | {
        "amount": pc.negate(columns.positive("amt")),
        "fee": pc.negate(columns.optional_at_least_zero("fee")),
        "fee_asset": null_if_empty(columns.texts("feeCcy")),
        "tx_id": null_if_empty(columns.texts("txId")),
    }
    return columns.tabulate(TRANSFERS, values)


def is_move(entry: Entry, source: str) -> bool:
    """Whether an asset bill moves money between own wallets or sub-accounts.

    VenueProtocolError for a bill without a type.
    """
    kind = entry.row.get("type")
    if not isinstance(kind, str) or not kind:
        raise VenueProtocolError(f"{source}: bill {entry.id[:40]} has no type")
    return kind in _MOVES


def tabulate_moves(entries: Sequence[Entry], account: Account, source: str) -> Tabulated:
    """Rows of TRANSFERS of kind ``internal`` out of bills that are moves.

    Source: "Asset bills history". ``balChg`` is the change of the funding wallet: what it loses to the
    trading wallet comes to the account, and the other way round.
    """
    columns = EntryColumns(entries, source)
    partners = [_MOVES[kind] for kind in columns.texts("type")]
    changes = columns.amounts("balChg")
    columns.reject("balChg is not a number other than 0", pc.fill_null(pc.equal(changes, 0), True))
    is_gain = pc.fill_null(pc.greater(changes, 0), False).to_pylist()
    is_trading = pa.array([partner == TRADING for partner in partners], pa.bool_())
    values = _common(columns, "internal", account) | {
        "amount": pc.if_else(is_trading, pc.negate(changes), changes),
        "fee": [None] * len(entries),
        "fee_asset": [None] * len(entries),
        "status": [DONE] * len(entries),
        "venue_status": [None] * len(entries),
        "chain": [None] * len(entries),
        "tx_id": [None] * len(entries),
        "from_place": [partner if gain else FUNDING for partner, gain in zip(partners, is_gain, strict=True)],
        "to_place": [FUNDING if gain else partner for partner, gain in zip(partners, is_gain, strict=True)],
    }
    return columns.tabulate(TRANSFERS, values)


def _history(columns: EntryColumns, kind: str, account: Account, final: Mapping[str, str]) -> dict[str, Any]:
    states = columns.texts("state")
    for state in states:
        if _STATE_CODE.fullmatch(state) is None:
            raise VenueProtocolError(f"{columns.source}: {kind} state {state[:40]!r} is not known")
    return _common(columns, kind, account) | {
        "status": [final.get(state, PENDING) for state in states],
        "venue_status": states,
        "chain": null_if_empty(columns.texts("chain")),
        "from_place": null_if_empty(columns.texts("from")),
        "to_place": null_if_empty(columns.texts("to")),
    }


def _common(columns: EntryColumns, kind: str, account: Account) -> dict[str, Any]:
    assets = columns.texts("ccy")
    columns.reject("ccy is empty", [not asset for asset in assets])
    return {
        "account": [str(account)] * len(assets),
        "kind": [kind] * len(assets),
        "transfer_id": [entry.id for entry in columns.entries],
        "asset": assets,
        "time": [entry.time_ms for entry in columns.entries],
    }
