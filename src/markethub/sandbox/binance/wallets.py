"""What the made-up accounts own, and how the venue prints it.

Sources: Binance Spot REST API, "Account information"; Wallet, "Funding Wallet" and "Get API Key Permission".
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
import orjson

from markethub.sandbox.accounts import SandboxAccount
from markethub.sandbox.bars import E8
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.rows import print_e8

_MINUTE_MS: Final = 60_000
_CREATED_MS: Final = 1_698_645_219_000
# A coin of many zeros: more digits than a float keeps.
_HUGE: Final = ("PEPE", 987_654_321_098_765_43210123, 12_345_678_901_23456789)
_FEE: Final = "0.00100000"


@dataclass(frozen=True, slots=True)
class Holding:
    """An asset in one wallet, in units of 10^-8; ``frozen`` and ``withdrawing`` are of the funding wallet."""

    asset: str
    free_e8: int
    locked_e8: int = 0
    frozen_e8: int = 0
    withdrawing_e8: int = 0

    @property
    def total_e8(self) -> int:
        return self.free_e8 + self.locked_e8 + self.frozen_e8 + self.withdrawing_e8


class Wallets:
    """The same for equal seeds, at all times. Every asset the sandbox lists has a place in the spot wallet,
    most often an empty one."""

    def __init__(self, catalog: SymbolCatalog, seed: int) -> None:
        listings = catalog.by_root.values()
        named = [asset for listing in listings for asset in (listing.base, listing.quote)]
        own = (_HUGE[0], "SIM")
        self._assets = [asset for asset in dict.fromkeys(named) if not asset.startswith(own)]
        self._seed = seed

    def spot(self, account: SandboxAccount) -> list[Holding]:
        """All assets, those that the account has none of as well."""
        dice = self._dice(account, "spot")
        holdings = []
        for asset in self._assets:
            is_held, is_locked = dice.random(2) < (0.7, 0.3)
            free_e8, locked_e8 = (int(amount) for amount in dice.integers(1, 10_000 * E8, size=2))
            if account.is_empty or not is_held:
                holdings.append(Holding(asset, 0))
            else:
                holdings.append(Holding(asset, free_e8, locked_e8 if is_locked else 0))
        huge, free_e8, locked_e8 = _HUGE
        holdings.append(Holding(huge, 0) if account.is_empty else Holding(huge, free_e8, locked_e8))
        return holdings

    def funding(self, account: SandboxAccount) -> list[Holding]:
        """Only what the account has."""
        if account.is_empty:
            return []
        dice = self._dice(account, "funding")
        holdings = []
        for asset in self._assets:
            is_held, *moves = dice.random(4) < (0.4, 0.2, 0.2, 0.2)
            amounts = [int(amount) for amount in dice.integers(1, 500 * E8, size=4)]
            parts = [amount if moved else 0 for amount, moved in zip(amounts[1:], moves, strict=True)]
            if is_held:
                holdings.append(Holding(asset, amounts[0], *parts))
        return holdings

    def _dice(self, account: SandboxAccount, wallet: str) -> np.random.Generator:
        text = f"{self._seed}:{account.venue}:{account.name}:{wallet}"
        return np.random.default_rng(list(blake2b(text.encode(), digest_size=16).digest()))


def print_account(account: SandboxAccount, holdings: list[Holding], now_ms: int) -> bytes:
    """The JSON of ``/api/v3/account``."""
    rates = {"maker": _FEE, "taker": _FEE, "buyer": print_e8(0), "seller": print_e8(0)}
    return orjson.dumps(
        {
            "makerCommission": 10,
            "takerCommission": 10,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": rates,
            "canTrade": "trade" in account.rights,
            "canWithdraw": "withdraw" in account.rights,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": 0 if account.is_empty else now_ms // _MINUTE_MS * _MINUTE_MS,
            "accountType": "SPOT",
            "balances": [
                {
                    "asset": holding.asset,
                    "free": print_e8(holding.free_e8),
                    "locked": print_e8(holding.locked_e8),
                }
                for holding in holdings
            ],
            "permissions": ["SPOT"],
            "uid": int.from_bytes(blake2b(account.key.encode(), digest_size=4).digest()),
        }
    )


def print_funding(holdings: list[Holding]) -> bytes:
    """The JSON of ``/sapi/v1/asset/get-funding-asset``; nothing is valued in bitcoin."""
    return orjson.dumps(
        [
            {
                "asset": holding.asset,
                "free": _print_short(holding.free_e8),
                "locked": _print_short(holding.locked_e8),
                "freeze": _print_short(holding.frozen_e8),
                "withdrawing": _print_short(holding.withdrawing_e8),
                "btcValuation": "0",
            }
            for holding in holdings
        ]
    )


def print_rights(account: SandboxAccount) -> bytes:
    """The JSON of ``/sapi/v1/account/apiRestrictions``."""
    return orjson.dumps(
        {
            "ipRestrict": bool(account.allowed_addresses),
            "createTime": _CREATED_MS,
            "enableInternalTransfer": False,
            "enableFutures": False,
            "enablePortfolioMarginTrading": False,
            "enableVanillaOptions": False,
            "permitsUniversalTransfer": False,
            "enableReading": "read" in account.rights,
            "enableSpotAndMarginTrading": "trade" in account.rights,
            "enableWithdrawals": "withdraw" in account.rights,
            "enableMargin": False,
        }
    )


def _print_short(amount_e8: int) -> str:
    """Without zeros at the end, as the wallet pages print amounts."""
    return print_e8(amount_e8).rstrip("0").rstrip(".")
