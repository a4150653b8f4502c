"""How jobs come to an account's data."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from markethub.domain.errors import InputError
from markethub.domain.symbol import Account
from markethub.ports.keys import KeyRing
from markethub.ports.venue import AccountSource, Venue


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """The venues, and the keys to the accounts on them."""

    venues: Mapping[str, Venue]
    keys: KeyRing

    def accounts(self) -> list[Account]:
        """The configured accounts, ascending."""
        return self.keys.accounts()

    async def open(self, account: Account) -> AccountSource:
        """The account, with its key read now; nothing is asked yet.

        InputError when no adapter serves its exchange, or its key cannot be had.
        """
        venue = self.venues.get(account.venue)
        if venue is None:
            raise InputError(f"account {account}: no adapter for exchange {account.venue} is installed")
        key = await asyncio.to_thread(self.keys.key_of, account)
        return venue.account(account, key)
