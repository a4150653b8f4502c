"""The sandbox's accounts as a hub's configuration names them."""

from pathlib import Path

from markethub.config import AccountSettings
from markethub.sandbox.accounts import ACCOUNTS


def write_keys(folder: Path) -> dict[str, AccountSettings]:
    """Write one private key file per account into ``folder``; return the settings' ``accounts``."""
    folder.mkdir(parents=True, exist_ok=True)
    references = {}
    for account in ACCOUNTS:
        path = folder / f"{account.venue}_{account.name}.toml"
        lines = [f'key = "{account.key}"', f'secret = "{account.secret}"']
        if account.passphrase:
            lines.append(f'passphrase = "{account.passphrase}"')
        path.write_text("\n".join(lines))
        path.chmod(0o600)
        references[f"{account.venue}_{account.name}"] = AccountSettings(key_file=path)
    return references


def key_variables() -> dict[str, str]:
    """The same by environment variables, both the references and the keys."""
    found = {}
    for account in ACCOUNTS:
        name = f"{account.venue}_{account.name}"
        found[f"MARKETHUB_ACCOUNTS__{name}__KEY_ENV"] = name
        found[f"{name}_KEY"] = account.key
        found[f"{name}_SECRET"] = account.secret
        found[f"{name}_PASSPHRASE"] = account.passphrase
    return {name: value for name, value in found.items() if value}
