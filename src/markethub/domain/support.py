"""Kinds of data, and which venue has which."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from markethub.domain.errors import InputError


class DataKind(StrEnum):
    """One kind of data, as the API spells it."""

    KLINE = "kline"
    SYMBOL = "symbol"
    BALANCE = "balance"
    ORDER = "order"
    FILL = "fill"
    TRANSFER = "transfer"
    ORDERBOOK = "orderbook"
    TICKER = "ticker"

    @property
    def backfill_job(self) -> str:
        """The name of the job that backfills it, such as ``backfill_kline``."""
        return f"backfill_{self.value}"


LEDGER_KINDS = (DataKind.ORDER, DataKind.FILL, DataKind.TRANSFER)
"""What an account did, row by row and for ever."""

ACCOUNT_KINDS = frozenset({DataKind.BALANCE, *LEDGER_KINDS})
"""What needs an account's key."""

_PUBLIC = frozenset({DataKind.KLINE, DataKind.SYMBOL, DataKind.ORDERBOOK, DataKind.TICKER})

SUPPORT: dict[str, frozenset[DataKind]] = {
    "BNC": _PUBLIC | {DataKind.BALANCE},
    "OKX": frozenset(DataKind),
    "GIO": _PUBLIC,
}
"""The contract's support table: exchange code to the kinds that can be backfilled from it."""

VENUE_NAMES = {"BNC": "Binance", "OKX": "OKX", "GIO": "Gate.io"}


Support = Mapping[str, frozenset[DataKind]]


def venues_with(kind: DataKind, support: Support = SUPPORT) -> list[str]:
    """The exchanges that support ``kind``, in the contract's order."""
    return [venue for venue, kinds in support.items() if kind in kinds]


def check_support(venues: Iterable[str], kind: DataKind, support: Support = SUPPORT) -> None:
    """Raise InputError naming the first venue that is unknown or lacks ``kind``, with those that have it."""
    for venue in venues:
        if venue not in support:
            raise InputError(f"exchange {venue[:20]!r} is unknown; known are {', '.join(support)}")
        if kind not in support[venue]:
            allowed = ", ".join(venues_with(kind, support))
            raise InputError(f"exchange {venue} does not support {kind}; supported are {allowed}")
