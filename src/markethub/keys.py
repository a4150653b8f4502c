"""Exchange keys by reference: environment variables, or a file that only its owner can read."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from markethub.config import AccountSettings
from markethub.domain.errors import InputError
from markethub.domain.symbol import Account
from markethub.ports.keys import ApiKey
from markethub.private_files import read_private_file

_PARTS = ("key", "secret", "passphrase")


@dataclass(frozen=True, slots=True)
class ConfiguredKeys:
    """The KeyRing of ``[accounts]``: what is in the configuration is a reference, never a key.

    A key is read when it is asked for, so that a rotated one is taken up without a restart, and no error
    says more of it than where it should be.
    """

    references: Mapping[Account, AccountSettings]
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(
        cls, accounts: Mapping[str, AccountSettings], environment: Mapping[str, str] = os.environ
    ) -> "ConfiguredKeys":
        """The keys of the settings' accounts by name; InputError for a name that is no account's."""
        return cls({Account.parse(name): one for name, one in accounts.items()}, environment)

    def accounts(self) -> list[Account]:
        return sorted(self.references)

    def key_of(self, account: Account) -> ApiKey:
        reference = self.references.get(account)
        if reference is None:
            raise InputError(f"account {account} is not configured; set [accounts.{account}]")
        if reference.key_env is not None:
            return self._read_environment(account, reference.key_env)
        if reference.key_file is not None:
            return _read_file(account, reference.key_file)
        raise InputError(f"account {account} names neither key_env nor key_file")

    def _read_environment(self, account: Account, prefix: str) -> ApiKey:
        names = {part: f"{prefix}_{part.upper()}" for part in _PARTS}
        found = {part: self.environment[name] for part, name in names.items() if name in self.environment}
        return _make_key(f"account {account}: environment variable", names, found)


def _read_file(account: Account, path: Path) -> ApiKey:
    content = read_private_file(f"account {account}: key file", path)
    try:
        found = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # Not even the parser's words: they may quote what stands in the file.
        raise InputError(
            f'account {account}: key file {path} is not TOML with lines such as key = "..."'
        ) from None
    if unknown := [name for name in found if name not in _PARTS]:
        raise InputError(
            f"account {account}: key file {path} has {len(unknown)} unknown names; "
            f"allowed are {', '.join(_PARTS)}"
        )
    names = {part: f"{part} in key file {path}" for part in _PARTS}
    return _make_key(f"account {account}:", names, found)


def _make_key(place: str, names: Mapping[str, str], found: Mapping[str, object]) -> ApiKey:
    texts: dict[str, str] = {}
    for part, value in found.items():
        # They travel in headers; a stray line end from a copy would be refused there with worse words.
        is_sound = isinstance(value, str) and value and value.isascii() and value.isprintable()
        if not is_sound or value != str(value).strip():
            raise InputError(
                f"{place} {names[part]} must be plain printable characters without spaces around them"
            )
        texts[part] = str(value)
    for part in ("key", "secret"):
        if part not in texts:
            raise InputError(f"{place} {names[part]} is not set")
    return ApiKey(texts["key"], texts["secret"], texts.get("passphrase"))
