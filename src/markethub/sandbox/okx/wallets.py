"""Made-up balances of the sandbox's accounts: alike at equal times, different from hour to hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np

from markethub.sandbox.accounts import SandboxAccount
from markethub.sandbox.listings import SymbolCatalog

_HOUR_MS: Final = 3_600_000
_FUNDED: Final = 12
_DECIMALS: Final = 18
E18: Final = 10**_DECIMALS
# As many coins as one may hold of what is worth next to nothing.
_HUGE: Final = ("PEPE", 98_765_432_109_876_543_210 * E18)


@dataclass(frozen=True, slots=True)
class Holding:
    """Coins of one asset in one wallet, in units of 10^-18; ``price`` is a usual one in US dollars."""

    asset: str
    free_e18: int
    locked_e18: int
    updated_ms: int
    price: float

    @property
    def total_e18(self) -> int:
        return self.free_e18 + self.locked_e18


class Wallets:
    """Some 40 assets in the trading account, a dozen in the funding account; none in an empty one."""

    def __init__(self, seed: int, catalog: SymbolCatalog) -> None:
        self._seed = seed
        self._prices = {"USDT": 1.0} | {
            listing.base: listing.price
            for listing in catalog.by_root.values()
            if listing.quote == "USDT" and listing.delisted_ms is None and not listing.base.startswith("SIM")
        }

    def trading(self, account: SandboxAccount, now_ms: int) -> Sequence[Holding]:
        return self._hold(account, "trading", list(self._prices), now_ms)

    def funding(self, account: SandboxAccount, now_ms: int) -> Sequence[Holding]:
        return self._hold(account, "funding", [*list(self._prices)[:_FUNDED], _HUGE[0]], now_ms)

    def _hold(
        self, account: SandboxAccount, wallet: str, assets: Sequence[str], now_ms: int
    ) -> Sequence[Holding]:
        if account.is_empty:
            return []
        return [self._draw(account, wallet, asset, now_ms) for asset in assets]

    def _draw(self, account: SandboxAccount, wallet: str, asset: str, now_ms: int) -> Holding:
        name = f"{self._seed}:{account.venue}_{account.name}:{wallet}:{asset}:{now_ms // _HOUR_MS}"
        dice = np.random.default_rng(int.from_bytes(blake2b(name.encode(), digest_size=8).digest()))
        price = self._prices.get(asset, 1e-9)
        # Some ten thousand dollars of each, in as many decimals as interest and fees leave behind.
        step = 10 ** int(dice.integers(0, _DECIMALS + 1))
        total = int(dice.integers(0, max(int(20_000 / price), 2))) * E18
        total += int(dice.integers(0, E18)) // step * step
        if asset == _HUGE[0]:
            total = _HUGE[1] + total % E18
        locked = total // int(dice.integers(2, 9)) if dice.random() < 0.3 else 0
        updated_ms = now_ms // _HOUR_MS * _HOUR_MS - int(dice.integers(0, _HOUR_MS))
        return Holding(asset, total - locked, locked, updated_ms, price)


def print_e18(amount_e18: int) -> str:
    """One non-negative amount without needless zeros."""
    return f"{amount_e18 // E18}.{amount_e18 % E18:018d}".rstrip("0").rstrip(".")
