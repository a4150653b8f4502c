"""Deposits, withdrawals and internal moves of an account as Arrow columns."""

import pyarrow as pa

from markethub.tables.records import AMOUNT, TIME, RecordTable

TRANSFERS = RecordTable(
    name="transfers",
    schema=pa.schema(
        [
            pa.field("account", pa.string(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("transfer_id", pa.string(), nullable=False),
            pa.field("asset", pa.string(), nullable=False),
            pa.field("amount", AMOUNT, nullable=False),
            pa.field("fee", AMOUNT),
            pa.field("fee_asset", pa.string()),
            pa.field("status", pa.string(), nullable=False),
            pa.field("venue_status", pa.string()),
            pa.field("chain", pa.string()),
            pa.field("tx_id", pa.string()),
            pa.field("from_place", pa.string()),
            pa.field("to_place", pa.string()),
            pa.field("time", TIME, nullable=False),
        ]
    ),
    key=("account", "kind", "transfer_id"),
    time="time",
    owner="account",
)
"""One row per movement of money, in units of ``asset``.

``kind`` is ``deposit``, ``withdrawal`` or ``internal`` (between own wallets and sub-accounts); ids are
unique within it. ``amount`` is positive for what came to the account or its trading wallet, negative for
what left it (a withdrawal, a move from trading to funding, a move to a sub-account). ``fee`` is a change of
the account: one that was paid is negative. ``status`` is ``pending``, ``done`` or ``failed``;
``venue_status`` the venue's own code. ``tx_id`` is the id on ``chain``; null off chain. ``from_place`` and
``to_place`` are wallets, sub-accounts or addresses, null where the venue does not tell.
"""
