"""The made-up accounts the sandbox knows, with their keys: public, worthless, the same in every sandbox."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """One account of one venue. ``rights`` are among ``read``, ``trade`` and ``withdraw``.

    Calls from other addresses than those in ``allowed_addresses`` are refused, unless it is empty.
    """

    venue: str
    name: str
    key: str
    secret: str
    passphrase: str = ""
    rights: frozenset[str] = frozenset({"read"})
    allowed_addresses: frozenset[str] = frozenset()
    is_empty: bool = False


def _account(venue: str, name: str, *rights: str, empty: bool = False, address: str = "") -> SandboxAccount:
    stem = f"sandbox-{venue}-{name}".lower()
    return SandboxAccount(
        venue=venue,
        name=name,
        key=f"{stem}-key",
        secret=f"{stem}-secret",
        passphrase=f"{stem}-passphrase" if venue == "OKX" else "",
        rights=frozenset(rights),
        allowed_addresses=frozenset({address}) if address else frozenset(),
        is_empty=empty,
    )


ACCOUNTS: Final = (
    _account("BNC", "MM01", "read", "trade"),
    _account("BNC", "EMPTY", "read", empty=True),
    _account("BNC", "RICH", "read", "trade", "withdraw"),
    _account("BNC", "BLIND", "trade"),
    _account("BNC", "ELSEWHERE", "read", address="192.0.2.7"),
    _account("OKX", "MM01", "read", "trade"),
    _account("OKX", "EMPTY", "read", empty=True),
    _account("OKX", "RICH", "read", "trade", "withdraw"),
    _account("OKX", "BLIND", "trade"),
    _account("OKX", "ELSEWHERE", "read", address="192.0.2.7"),
)


def find_account(venue: str, key: str) -> SandboxAccount | None:
    """The account of a venue that a key belongs to."""
    return next((one for one in ACCOUNTS if (one.venue, one.key) == (venue, key)), None)
