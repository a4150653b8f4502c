"""Exchange keys, kept out of everything that is printed or stored."""

from dataclasses import dataclass, field
from typing import Protocol

from markethub.domain.symbol import Account


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of one account. Only ``key`` may ever be shown, and only its first characters."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)


class KeyRing(Protocol):
    """Where keys come from: references in the configuration, resolved when they are needed."""

    def accounts(self) -> list[Account]:
        """The configured accounts, ascending."""

    def key_of(self, account: Account) -> ApiKey:
        """The account's key; InputError, naming the reference but no secret, when it cannot be had."""
