"""Keys by reference: where they may come from, and that nothing tells them."""

import os
import traceback
from pathlib import Path

import pytest

from markethub.config import AccountSettings, Settings, load_settings
from markethub.domain.errors import InputError
from markethub.domain.symbol import Account
from markethub.keys import ConfiguredKeys
from markethub.ports.keys import ApiKey

OKX = Account("OKX", "MM01")
SECRET = "Zx9-very-secret"
ENVIRONMENT = {"DESK_KEY": "Zx9-key", "DESK_SECRET": SECRET, "DESK_PASSPHRASE": "Zx9 pass phrase"}


def ring(reference: AccountSettings, environment: dict[str, str] | None = None) -> ConfiguredKeys:
    return ConfiguredKeys.of({"OKX_MM01": reference}, environment or {})


def key_file(folder: Path, content: str, mode: int = 0o600) -> AccountSettings:
    path = folder / "okx.toml"
    path.write_text(content)
    path.chmod(mode)
    return AccountSettings(key_file=path)


GOOD_FILE = f'key = "Zx9-key"\nsecret = "{SECRET}"\npassphrase = "Zx9 pass phrase"\n'


def test_a_key_comes_from_environment_variables() -> None:
    found = ring(AccountSettings(key_env="DESK"), ENVIRONMENT).key_of(OKX)
    assert found == ApiKey("Zx9-key", SECRET, "Zx9 pass phrase")


def test_a_key_comes_from_a_private_file(tmp_path: Path) -> None:
    for mode in (0o600, 0o400):
        path = tmp_path / f"{mode:o}"
        path.mkdir()
        found = ring(key_file(path, GOOD_FILE, mode)).key_of(OKX)
        assert found == ApiKey("Zx9-key", SECRET, "Zx9 pass phrase")


def test_a_passphrase_is_for_exchanges_that_have_one(tmp_path: Path) -> None:
    without = key_file(tmp_path, f'key = "k"\nsecret = "{SECRET}"\n')
    assert ring(without).key_of(OKX).passphrase is None


def test_a_rotated_key_is_taken_up_without_a_restart() -> None:
    environment = dict(ENVIRONMENT)
    keys = ring(AccountSettings(key_env="DESK"), environment)
    assert keys.key_of(OKX).key == "Zx9-key"
    environment["DESK_KEY"] = "another"
    assert keys.key_of(OKX).key == "another"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o700, 0o660, 0o666])
def test_a_file_that_others_may_use_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    reference = key_file(tmp_path, GOOD_FILE, mode)
    with pytest.raises(InputError, match=f"chmod 600 {reference.key_file}"):
        ring(reference).key_of(OKX)


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = key_file(tmp_path, GOOD_FILE)
    owner = os.geteuid()
    monkeypatch.setattr("markethub.keys.os.geteuid", lambda: owner + 1)
    with pytest.raises(InputError, match=f"belongs to user {owner}; run: chown {owner + 1}"):
        ring(reference).key_of(OKX)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, words in (("pipe", "not a regular file"), ("missing", "cannot be opened"), (".", "regular")):
        with pytest.raises(InputError, match=words):
            ring(AccountSettings(key_file=tmp_path / name)).key_of(OKX)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{SECRET}\n", "is not TOML"),
        (f'key = "{SECRET}\n', "is not TOML"),
        (f'key = "k"\nsecret = "{SECRET}"\nSECRET = "{SECRET}"\n', "1 unknown names"),
        (f'key = "k"\n"{SECRET}" = "x"\n', "1 unknown names"),
        (f'secret = "{SECRET}"\n', "key in key file .* is not set"),
        ('key = "k"\n', "secret in key file .* is not set"),
        (f'key = 5\nsecret = "{SECRET}"\n', "key in key file .* must be plain"),
        (f'key = "k"\nsecret = "{SECRET}\\n"\n', "secret in key file .* must be plain"),
        (f'key = "k"\nsecret = " {SECRET}"\n', "must be plain"),
        (f'key = "k"\nsecret = "{SECRET}ü"\n', "must be plain"),
        (f'key = ""\nsecret = "{SECRET}"\n', "key in key file .* must be plain"),
        (f'key = "k"\nsecret = "{SECRET}"\n#{"x" * 70_000}', "larger"),
    ],
)
def test_a_wrong_file_is_told_by_its_name_only(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        ring(key_file(tmp_path, content)).key_of(OKX)
    told = "".join(traceback.format_exception(caught.value, chain=True))
    assert "OKX_MM01" in str(caught.value)
    assert "Zx9" not in told


def test_missing_and_odd_variables_are_told_by_their_names_only() -> None:
    for lacking in ("DESK_KEY", "DESK_SECRET"):
        rest = {name: value for name, value in ENVIRONMENT.items() if name != lacking}
        with pytest.raises(InputError, match=f"environment variable {lacking} is not set") as caught:
            ring(AccountSettings(key_env="DESK"), rest).key_of(OKX)
        assert "Zx9" not in str(caught.value)
    with pytest.raises(InputError, match="DESK_SECRET must be plain") as caught:
        ring(AccountSettings(key_env="DESK"), ENVIRONMENT | {"DESK_SECRET": SECRET + "\n"}).key_of(OKX)
    assert "Zx9" not in str(caught.value)


def test_only_configured_accounts_have_keys() -> None:
    keys = ring(AccountSettings(key_env="DESK"), ENVIRONMENT)
    assert keys.accounts() == [OKX]
    with pytest.raises(InputError, match=r"account OKX_MM02 is not configured; set \[accounts.OKX_MM02\]"):
        keys.key_of(Account("OKX", "MM02"))


def test_nothing_of_a_key_is_in_a_repr() -> None:
    keys = ring(AccountSettings(key_env="DESK"), ENVIRONMENT)
    assert "Zx9" not in repr(keys.key_of(OKX))
    assert "Zx9" not in repr(keys)


def load(folder: Path, content: str) -> Settings:
    path = folder / "markethub.toml"
    path.write_text(content)
    return load_settings(path)


def test_settings_hold_references_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_SECRET", SECRET)
    settings = load(
        tmp_path, '[accounts.OKX_MM01]\nkey_env = "DESK"\n[accounts.OKX_mm02]\nkey_file = "/run/okx.toml"\n'
    )
    assert sorted(settings.accounts) == ["OKX_MM01", "OKX_mm02"]
    assert settings.accounts["OKX_mm02"].key_file == Path("/run/okx.toml")
    assert "Zx9" not in str(settings.model_dump())


def test_accounts_can_be_set_by_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETHUB_ACCOUNTS__OKX_MM01__KEY_ENV", "DESK")
    assert load(tmp_path, "").accounts == {"OKX_MM01": AccountSettings(key_env="DESK")}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[accounts.OKX_MM01]\n", "setting accounts.OKX_MM01: .*exactly one of key_env and key_file"),
        ('[accounts.OKX_MM01]\nkey_env = "A"\nkey_file = "b"\n', "exactly one of key_env and key_file"),
        ('[accounts.OKXMM01]\nkey_env = "A"\n', "'OKXMM01' is not EXCHANGE_NAME"),
        (f'[accounts.OKX_MM01]\nsecret = "{SECRET}"\n', "setting accounts.OKX_MM01.secret is unknown"),
        (f'[accounts.OKX_MM01]\nkey_env = "{SECRET}"\n', "setting accounts.OKX_MM01.key_env"),
        (f'accounts = "{SECRET}"\n', "setting accounts"),
    ],
)
def test_wrong_settings_are_refused_without_a_secret_in_the_error(
    tmp_path: Path, content: str, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load(tmp_path, content)
    assert "Zx9" not in "".join(traceback.format_exception(caught.value, chain=True))
