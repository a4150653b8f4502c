"""What really happened on the sandbox's accounts, whatever its endpoints show of it."""

from functools import cache
from typing import Final, NamedTuple

from markethub.sandbox.accounts import SandboxAccount
from markethub.sandbox.okx.ledger_orders import OrderBookkeeping
from markethub.sandbox.okx.ledger_transfers import TransferBookkeeping
from markethub.sandbox.okx.names import PairNames
from markethub.sandbox.settings import SandboxSettings

# The most traded first.
_PAIRS: Final = (
    "BTC-USDT", "ETH-USDT", "XRP-USDT", "ETH-BTC", "TRX-USDT", "LTC-USDT", "LINK-USDT", "ADA-BTC", "ADA-USDT",
    "XLM-USDT", "DOGE-USDT", "SOL-USDT",
)  # fmt: skip


class AccountLedger(NamedTuple):
    """One account's orders with their fills, and its transfers."""

    orders: OrderBookkeeping
    transfers: TransferBookkeeping


class Ledgers:
    """The ledgers of all accounts; equal settings give equal ones, in every process."""

    def __init__(self, settings: SandboxSettings, names: PairNames) -> None:
        self._settings = settings
        self._names = names
        self.of = cache(self._make)

    def _make(self, account: SandboxAccount) -> AccountLedger:
        settings = self._settings
        pairs = self._names.all_of(_PAIRS)
        assets = sorted({"USDT"} | {pair.listing.base for pair in pairs})
        return AccountLedger(
            OrderBookkeeping(settings.seed, account, pairs, settings.orders_per_account),
            TransferBookkeeping(settings.seed, account, assets, settings.transfers_per_account),
        )
