"""Each parser of OKX's ledger with a record that it reads."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from markethub.domain.symbol import Account
from markethub.tables.fills import FILLS
from markethub.tables.orders import ORDERS
from markethub.tables.records import RecordTable, check_records
from markethub.tables.transfers import TRANSFERS
from markethub.venues.okx.ledger_entries import Entry, EntryFields, Tabulated, read_entries
from markethub.venues.okx.ledger_parse import FILL_FIELDS, ORDER_FIELDS, tabulate_fills, tabulate_orders
from markethub.venues.okx.ledger_transfers_parse import (
    BILL_FIELDS,
    DEPOSIT_FIELDS,
    WITHDRAWAL_FIELDS,
    is_move,
    tabulate_deposits,
    tabulate_moves,
    tabulate_withdrawals,
)

MM01 = Account("OKX", "MM01")


class Kind(NamedTuple):
    """One endpoint's parser."""

    table: RecordTable
    fields: EntryFields
    tabulate: Callable[[Sequence[Entry], Account, str], Tabulated]
    sample: dict[str, str]

    def read(self, body: bytes) -> Tabulated:
        """What the ledger makes of one answer."""
        entries = read_entries(body, self.fields, "page")
        if self.tabulate is tabulate_moves:
            entries = [entry for entry in entries if is_move(entry, "page")]
        rows, rejected = self.tabulate(entries, MM01, "page")
        return Tabulated(check_records(rows, self.table, "page"), rejected)

    def read_one(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
        rows, rejected = self.read(envelope(self.sample | changes))
        assert not rejected
        (row,) = rows.to_pylist()
        found: dict[str, Any] = row
        return found


def envelope(*rows: object) -> bytes:
    return orjson.dumps({"code": "0", "msg": "", "data": rows})


def moment(time_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)


ORDER = Kind(
    ORDERS,
    ORDER_FIELDS,
    tabulate_orders,
    {
        "instType": "SPOT", "instId": "BTC-USDT", "tgtCcy": "", "ordId": "680800019749904384", "clOrdId": "",
        "px": "51858", "sz": "0.5", "ordType": "limit", "side": "buy", "accFillSz": "0.25", "avgPx": "51857",
        "state": "canceled", "feeCcy": "BTC", "fee": "-0.00025", "rebateCcy": "USDT", "rebate": "",
        "uTime": "1708587373362", "cTime": "1708587373361",
    },
)  # fmt: skip
FILL = Kind(
    FILLS,
    FILL_FIELDS,
    tabulate_fills,
    {
        "instType": "SPOT", "instId": "BTC-USDT", "tradeId": "720455118", "ordId": "2241102998317400064",
        "clOrdId": "", "billId": "2241102998329982977", "fillPx": "96412.7", "fillSz": "0.002", "side": "buy",
        "execType": "T", "feeCcy": "BTC", "fee": "-0.000002", "ts": "1739238927361",
        "fillTime": "1739238927352",
    },
)  # fmt: skip
DEPOSIT = Kind(
    TRANSFERS,
    DEPOSIT_FIELDS,
    tabulate_deposits,
    {
        "amt": "3120.447108", "ccy": "USDT", "chain": "USDT-TRC20", "depId": "204417735", "from": "",
        "fromWdId": "", "state": "2", "to": "TAddress", "ts": "1739187264000", "txId": "0x58c5",
    },
)  # fmt: skip
WITHDRAWAL = Kind(
    TRANSFERS,
    WITHDRAWAL_FIELDS,
    tabulate_withdrawals,
    {
        "amt": "27.14590083", "ccy": "SOL", "chain": "SOL-Solana", "wdId": "93162044", "from": "",
        "fee": "0.006", "feeCcy": "SOL", "state": "2", "to": "4rZv", "ts": "1739170520000", "txId": "yNYQ",
    },
)  # fmt: skip
MOVE = Kind(
    TRANSFERS,
    BILL_FIELDS,
    tabulate_moves,
    {"billId": "12344", "ccy": "BTC", "balChg": "2", "bal": "12", "type": "130", "ts": "1612543210085"},
)
KINDS = [ORDER, FILL, DEPOSIT, WITHDRAWAL, MOVE]
